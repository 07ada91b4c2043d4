"""Estimates: always labelled, always a range, with what is not known named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny
from made_up_device import Device

from edgekit.errors import InputError, RecordError, TargetError, UsageError
from edgekit.flatbuffer import Graph
from edgekit.profiling.calibration.device import calibration
from edgekit.profiling.calibration.net import Net
from edgekit.profiling.calibration.record import Calibration
from edgekit.profiling.estimate import Estimate, estimate

Write = Callable[[Net], Path]


@pytest.fixture(scope="module")
def law() -> Calibration:
    return calibration(Device().session(threads=4), "raspberry-pi-4")


@pytest.fixture
def saved(law: Calibration, tmp_path: Path) -> Path:
    path = tmp_path / "law.toml"
    law.write(path)
    return path


@pytest.fixture(autouse=True)
def _nothing_calibrated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def plain(net: Net, size: int = 96) -> bytes:
    x = net.conv(net.input(size, size, 3), 24, 3, 2)
    x = net.conv(net.depthwise(x, 3, 2), 64)
    return net.pack(net.unary("SOFTMAX", net.dense(net.mean(x), 10)))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "plain.tflite"
    path.write_bytes(plain(Net("int8")))
    return path


def is_a_range(found: Estimate) -> bool:
    return 0 < found.low_ms < found.latency_ms < found.high_ms


def test_a_calibrated_device_tells_a_range_that_holds_the_truth(
    model: Path, saved: Path
) -> None:
    found = estimate(model, target="raspberry-pi-4", calibration=saved)
    truth = Device().us(Graph(model)) / 1000
    assert (found.kind, found.coverage, found.threads) == ("calibrated", 0.9, 4)
    assert is_a_range(found)
    assert found.low_ms <= truth <= found.high_ms
    assert found.latency_ms == pytest.approx(truth, rel=0.05)
    assert found.uncovered == ()
    assert [each.op for each in found.undelegated] == ["SOFTMAX"]
    assert found.runtime == "ai-edge-litert 2.3.0"
    assert "Made-up board" in found.method


def test_the_default_place_is_looked_at_first(
    model: Path, law: Calibration, tmp_path: Path
) -> None:
    assert estimate(model, target="raspberry-pi-4").kind == "estimated"
    law.write(tmp_path / "config" / "edgekit" / "calibrations" / "raspberry-pi-4.toml")
    assert estimate(model, target="raspberry-pi-4").kind == "calibrated"


def test_operators_that_were_not_timed_are_named_and_widen_the_range(
    tmp_path: Path, law: Calibration, saved: Path
) -> None:
    setting = law.settings[0]
    known = tuple(each for each in setting.laws if not each.key.startswith("DEPTHWISE"))
    replace(law, settings=(replace(setting, laws=known),)).write(saved)
    path = tmp_path / "plain.tflite"
    path.write_bytes(plain(Net("float32")))
    found = estimate(path, target="raspberry-pi-4", calibration=saved)
    assert [(each.index, each.op) for each in found.uncovered] == [(1, "DEPTHWISE_CONV_2D")]
    assert "was not timed" in found.uncovered[0].reason
    assert found.coverage is None
    assert 0 < found.uncovered_share < 1
    assert is_a_range(found)
    assert found.high_ms / found.low_ms > 1.1


def test_an_operator_far_larger_than_any_timed_is_named(tmp_path: Path, saved: Path) -> None:
    net = Net("float32")
    path = tmp_path / "large.tflite"
    path.write_bytes(net.pack(net.unary("SOFTMAX", net.input(100_000))))
    found = estimate(path, target="raspberry-pi-4", calibration=saved)
    assert [each.reason for each in found.uncovered] == [
        "11 times larger than any SOFTMAX float32 timed"
    ]


@pytest.mark.parametrize("target", ["raspberry-pi-4", "raspberry-pi-3", "android", "coral-usb"])
def test_published_times_tell_a_wide_range_with_sources(model: Path, target: str) -> None:
    found = estimate(model, target=target)
    assert found.kind == "estimated"
    assert found.coverage is None
    assert is_a_range(found)
    assert found.high_ms / found.low_ms > 2
    assert all(each.startswith("https://") for each in found.sources)
    assert found.sources
    assert "published" in found.method


def test_a_board_that_nobody_timed_takes_the_ratio_of_two_boards(model: Path) -> None:
    four, five = (estimate(model, target=f"raspberry-pi-{n}") for n in (4, 5))
    assert 2 < four.latency_ms / five.latency_ms < 8
    assert any("ratio of the two devices" in each for each in five.notes)


def test_what_stays_on_the_host_of_an_edge_tpu_is_named(tmp_path: Path) -> None:
    net = Net("int8")
    path = tmp_path / "swish.tflite"
    x = net.conv(net.input(32, 32, 3), 16, 3)
    path.write_bytes(net.pack(net.conv(net.unary("HARD_SWISH", x), 8)))
    found = estimate(path, target="coral-usb")
    assert "HARD_SWISH" in {each.op for each in found.uncovered}
    assert any("on the host" in each for each in found.notes)


def test_a_device_that_nothing_is_known_about_is_said_so(model: Path) -> None:
    with pytest.raises(TargetError, match="edgekit calibrate-device --target") as caught:
        estimate(model, target="raspberry-pi-zero-2w")
    assert caught.value.exit_code == 4


def test_threads_that_were_not_timed_are_refused(model: Path, saved: Path) -> None:
    with pytest.raises(UsageError, match=r"is for 4 threads; 3 were asked for"):
        estimate(model, target="raspberry-pi-4", calibration=saved, threads=3)


def test_a_calibration_of_another_runtime_is_refused(
    model: Path, law: Calibration, saved: Path
) -> None:
    replace(law, runtime="ai-edge-litert 1.4.0").write(saved)
    with pytest.raises(RecordError, match=r"made with ai-edge-litert 1\.4\.0") as caught:
        estimate(model, target="raspberry-pi-4", calibration=saved)
    assert caught.value.exit_code == 3


def test_an_accelerator_has_no_calibration(model: Path, saved: Path) -> None:
    with pytest.raises(UsageError, match="about a CPU"):
        estimate(model, target="coral-usb", calibration=saved)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "notes.tflite"
    path.write_text("not a model")
    with pytest.raises(InputError, match=r"is not a \.tflite file"):
        estimate(path, target="raspberry-pi-4", calibration=saved)


def test_a_model_without_matrix_products_has_no_published_estimate(tmp_path: Path) -> None:
    net = Net("float32")
    path = tmp_path / "relu.tflite"
    path.write_bytes(net.pack(net.unary("RELU", net.input(8))))
    with pytest.raises(TargetError):
        estimate(path, target="raspberry-pi-4")


def test_any_small_model_of_a_converter_is_told(tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(tiny.dense(np.eye(4, dtype=np.float32), (1, 4), quantized=True))
    assert is_a_range(estimate(path, target="raspberry-pi-4", calibration=saved))

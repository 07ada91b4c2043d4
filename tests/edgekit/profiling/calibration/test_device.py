"""Calibrating a device: what is saved, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_device import Device

from edgekit.errors import DeviceError, RecordError, UnknownName, UsageError
from edgekit.profiling.calibration import device as calibrating
from edgekit.profiling.calibration.clock import Plan, Session, timing, worker
from edgekit.profiling.calibration.device import calibrate_device, calibration
from edgekit.profiling.calibration.record import Calibration, default_path
from edgekit.records import from_json, to_json
from edgekit.targets import load_target


@pytest.fixture(scope="module")
def law() -> Calibration:
    return calibration(Device().session(), "raspberry-pi-4")


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Plan]:
    """Let a made-up device answer, and settings be saved in a folder of their own."""
    plans: list[Plan] = []
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def answer(on: str, plan: Plan, target: str) -> Any:  # noqa: ARG001 (as it is called)
        plans.append(plan)
        return to_json(Device().session())

    monkeypatch.setattr(calibrating, "_timed", answer)
    return plans


def test_a_calibration_is_found_where_it_was_saved(timed: list[Plan]) -> None:
    found = calibrate_device(target="raspberry-pi-4", threads=(4, 4), seconds=20)
    assert timed == [Plan(threads=(4,), seconds=20)]
    assert Path(found.path) == default_path("raspberry-pi-4")
    assert (found.device, found.runtime) == ("Made-up board", "ai-edge-litert 2.3.0")
    assert 200 <= found.ops_timed <= 402
    assert found.error_within_10pct == 1.0
    read = Calibration.read(Path(found.path))
    assert read.target == "raspberry-pi-4"
    assert Path(found.path).stat().st_size < 30_000


def test_what_is_written_is_read_back(law: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "law.toml"
    law.write(path)
    again = Calibration.read(path)
    assert (again.device, again.date, again.ops_timed) == (law.device, law.date, law.ops_timed)
    for one, other in zip(again.settings[0].laws, law.settings[0].laws, strict=True):
        assert one.us == pytest.approx(other.us, rel=1e-4)


def busy(*_: object) -> Any:
    return to_json(Device(spread=1.7).session())


def test_a_busy_device_is_refused(timed: list[Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    assert timed == []
    monkeypatch.setattr(calibrating, "_timed", busy)
    with pytest.raises(DeviceError, match=r"busy.*1\.70 times"):
        calibrate_device(target="raspberry-pi-4")
    assert not default_path("raspberry-pi-4").exists()
    found = calibrate_device(target="raspberry-pi-4", even_if_busy=True)
    assert "1.70 times" in found.notes[0]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        pytest.param({"threads": ()}, UsageError, "above 0", id="no threads"),
        pytest.param({"threads": (0,)}, UsageError, "above 0", id="zero threads"),
        pytest.param({"seconds": 0.0}, UsageError, "above 0", id="no time"),
        pytest.param({"target": "coral-usb"}, UsageError, "only the law of a CPU", id="TPU"),
        pytest.param({"target": "toaster"}, UnknownName, "No target", id="no such target"),
    ],
)
def test_options_that_make_no_sense(
    timed: list[Plan], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        calibrate_device(**options)
    assert timed == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({"arch": "x86_64"}, "raspberry-pi-4 is aarch64", id="other machine"),
        pytest.param(
            {"runtime": "ai-edge-litert 2.1.0"}, "runs ai-edge-litert 2.3", id="other version"
        ),
        pytest.param(
            {"runtime": "tflite-runtime 2.14.0"}, "runs ai-edge-litert 2.3", id="other package"
        ),
        pytest.param(
            {"runtime": "ai-edge-litert 2.31.0"}, "runs ai-edge-litert 2.3,", id="2.31"
        ),
    ],
)
def test_a_calibration_of_another_machine_or_runtime_is_refused(
    law: Calibration, changed: dict[str, Any], words: str
) -> None:
    target = load_target("raspberry-pi-4")
    law.check(target, Path("law.toml"))
    with pytest.raises(RecordError, match=words) as caught:
        replace(law, **changed).check(target, Path("law.toml"))
    assert "alibrat" in str(caught.value).partition("\n")[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("schema = 9\n", "no calibration of schema 2", id="later schema"),
        pytest.param("title = 'Pi'\n", "its schema is None", id="another record"),
        pytest.param("schema = 2\n", "lacks target", id="incomplete"),
        pytest.param("schema =\n", "not valid TOML", id="no TOML"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "law.toml"
    path.write_text(text)
    with pytest.raises(RecordError, match=words):
        Calibration.read(path)


def test_the_clock_times_each_model_on_this_machine() -> None:
    plan = Plan(threads=(1,), seconds=0.2, share=0.02)
    found = worker(plan=to_json(plan))
    assert isinstance(found, Session)
    (timings,) = found.timings.values()
    assert timings[0].runs >= 9
    assert {each.name for each in timings} >= {"least-delegated", "least-builtin"}
    assert all(0 < each.p5_ms <= each.median_ms for each in timings)
    assert all(each.quiet_ms <= each.median_ms for each in timings)
    assert found.runtime.split()[0] in {"ai-edge-litert", "tflite-runtime", "tf.lite"}


def test_who_is_busy_for_two_rounds_of_three_moves_no_quiet_time() -> None:
    found = timing("net", [[1.9, 2.0, 2.1], [1.0, 1.1, 1.2], [3.0, 3.0, 9.0]], delegated=True)
    assert (found.quiet_ms, found.median_ms, found.runs) == (1.1, 2.0, 9)


def test_a_device_far_away_is_asked_by_its_way_in(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def call_on(on: str, function: str, **arguments: Any) -> Any:
        asked.append((on, function, arguments))
        return {}

    monkeypatch.setattr("edgekit.profiling.ways.table.call_on", call_on)
    plan = Plan(threads=(4,), seconds=9)
    calibrating._timed("ssh://pi@board", plan, "raspberry-pi-4")
    function = "edgekit.profiling.calibration.clock:worker"
    arguments = {"target": "raspberry-pi-4", "plan": plan}
    assert asked == [("ssh://pi@board", function, arguments)]


def test_this_machine_is_timed_in_a_process_of_its_own() -> None:
    plan = Plan(seconds=0.1, share=0.01)
    found = from_json(Session, calibrating._timed("local", plan, "host"), "the times")
    assert len(found.timings["1"]) >= 4

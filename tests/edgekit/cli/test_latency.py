"""`estimate`, `calibrate-device` and `profile-diff` as people run them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from made_up_device import Device

from edgekit.cli.main import cli
from edgekit.errors import GateError
from edgekit.measure import summarize
from edgekit.profiling.calibration import device as calibrating
from edgekit.profiling.calibration.net import Net
from edgekit.records import to_json


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    net = Net("int8")
    path = tmp_path / "net.tflite"
    x = net.conv(net.input(64, 64, 3), 16, 3, 2)
    path.write_bytes(net.pack(net.unary("SOFTMAX", net.dense(net.mean(x), 10))))
    return path


def test_a_device_is_calibrated_and_then_told_from(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object) -> Any:
        return to_json(Device().session(threads=4))

    monkeypatch.setattr(calibrating, "_timed", answer)
    found = run("calibrate-device", "--target", "raspberry-pi-4", "--threads", 4, "--json")
    assert found.exit_code == 0
    document = json.loads(found.stdout)
    assert {"device", "ops_timed", "error_within_10pct"} <= document.keys()
    shown = run("calibrate-device", "--target", "raspberry-pi-4").stdout
    assert "Made-up board" in shown
    assert "holds the truth 90% of the time" in shown
    told = run("estimate", model, "--target", "raspberry-pi-4", "--json")
    document = json.loads(told.stdout)
    keys = {"kind", "latency_ms", "low_ms", "high_ms", "runtime", "threads", "uncovered"}
    assert keys <= document.keys()
    assert document["kind"] == "calibrated"
    shown = run("estimate", model, "--target", "raspberry-pi-4").stdout
    assert "(calibrated, not measured)" in " ".join(shown.split())
    assert "Not delegated" in shown


def test_an_estimate_is_shown_as_a_range_with_its_sources(model: Path) -> None:
    shown = " ".join(run("estimate", model, "--target", "raspberry-pi-4").stdout.split())
    assert "(estimated, not measured)" in shown
    assert "https://" in shown


def test_a_regression_fails_and_is_shown_all_the_same(tmp_path: Path) -> None:
    paths = []
    for name, ms in (("old", 1.0), ("new", 1.5)):
        latency = to_json(summarize([ms] * 50))
        document = {
            "kind": "measured",
            "model": "net.tflite",
            "latency_ms": latency,
            "runs": 50,
        }
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps(document))
    assert json.loads(run("profile-diff", *paths, "--json").stdout)["verdict"] == "slower"
    found = run("profile-diff", *paths, "--fail-if-slower", 5)
    assert isinstance(found.exception, GateError)
    assert "+50.0 %" in found.stdout

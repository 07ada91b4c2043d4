"""`edgekit profile` of what another tool recorded."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgekit.cli.profile import profile

TEXT = """\
Graph: [model.tflite]
Initialized session in 8.1ms.
count=5 first=3100 curr=2473 min=2443 max=3100 avg=2465.3 std=18
count=40 first=2600 curr=2459 min=2400 max=2900 avg=2500 std=50
Operator-wise Profiling Info for Regular Benchmark Runs:
node type, first, avg_ms, %, cdf%, mem KB, times called, name
Convolution (NHWC, QU8) IGEMM, 2.1, 2, 83.3333%, 83.3333%, 0, 1, [net/Relu]:0
"""


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "pixel.txt"
    path.write_text(TEXT)
    return path


def test_it_is_shown_like_a_measurement(recorded: Path) -> None:
    done = CliRunner().invoke(profile, [str(recorded)])
    assert done.exit_code == 0, done.stderr
    shown = " ".join(done.stdout.split())
    assert "40 after 5 to warm up" in shown
    assert "Convolution (NHWC, QU8) IGEMM 2.00 80.0 % net/Relu" in shown
    assert "overhead 0.500 20.0 %" in shown


def test_several_are_one_document(recorded: Path) -> None:
    done = CliRunner().invoke(profile, [str(recorded), str(recorded), "--json"])
    found = json.loads(done.stdout)["profiles"]
    assert [each["latency_ms"]["median"] for each in found] == [2.5, 2.5]
    assert {each["on"] for each in found} == {str(recorded)}


@pytest.mark.parametrize("more", [["model.tflite"], ["--on", "ssh://pi"]])
def test_it_is_given_alone(recorded: Path, more: list[str]) -> None:
    done = CliRunner().invoke(profile, [str(recorded), *more])
    assert done.exit_code == 2
    assert "read, not run" in done.stderr

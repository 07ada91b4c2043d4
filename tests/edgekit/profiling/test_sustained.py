"""A long run: the curve, what is said of it, and the clock."""

from pathlib import Path

import pytest
import tiny_models as tiny

from edgekit.errors import UsageError
from edgekit.profiling.profile import Settings
from edgekit.profiling.records import Moment
from edgekit.profiling.sustained import clock_mhz, summary, sustained
from edgekit.profiling.timing import Budget


def moment(number: int, ms: float, **more: object) -> Moment:
    values = {"temperature_c": None, "clock_mhz": None, "throttled": None} | more
    return Moment(
        t_s=float(number + 1),
        runs=10,
        median_ms=ms,
        p95_ms=ms,
        **values,  # type: ignore[arg-type]
    )


def test_a_machine_that_keeps_its_speed_is_not_warned_about() -> None:
    found = summary([moment(i, 1.0, temperature_c=40.0 + i) for i in range(10)])
    assert (found.slowdown, found.notes, found.hottest_c) == (0.0, (), 49.0)
    assert (found.runs, found.seconds) == (100, 10.0)


def test_heat_that_costs_speed_is_told_with_its_time() -> None:
    curve = [moment(i, 1.0 if i < 6 else 1.5, clock_mhz=1500 if i < 6 else 1000)
             for i in range(10)]  # fmt: skip
    found = summary(curve)
    assert found.slowdown == pytest.approx(0.5)
    assert "50% slower" in found.notes[0]
    assert "after 7 s" in found.notes[0]
    assert "from 1500 to 1000 MHz" in found.notes[1]


def test_what_the_firmware_says_is_passed_on() -> None:
    found = summary([moment(0, 1.0), moment(1, 1.0, throttled=("under-voltage",))])
    assert "under-voltage" in found.notes[0]


def test_a_model_runs_until_its_time_is_over(tmp_path: Path) -> None:
    path = tiny.write_colors(tmp_path / "colors.tflite")
    found = sustained(path, Settings(threads=1, budget=Budget(warmup_s=0.05)), 0.4)
    assert len(found.curve) == 2
    assert found.seconds >= 0.4
    assert found.runs == sum(each.runs for each in found.curve)
    assert [each.t_s for each in found.curve] == sorted(each.t_s for each in found.curve)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_no_time_is_refused(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(UsageError, match="more than 0 seconds"):
        sustained(tmp_path / "any.tflite", Settings(), seconds)


def test_the_clock_is_the_average_of_the_cores(tmp_path: Path) -> None:
    for core, khz in enumerate(("1500000", "1000000", "no number")):
        folder = tmp_path / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(khz)
    assert clock_mhz(tmp_path) == 1250.0


def test_the_clock_of_a_machine_that_does_not_say_is_unknown(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    assert clock_mhz(tmp_path, info) is None
    info.write_text("processor : 0\ncpu MHz\t\t: 2000.5\n\nprocessor : 1\ncpu MHz\t: 3000.5\n")
    assert clock_mhz(tmp_path, info) == 2500.5

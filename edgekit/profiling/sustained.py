"""A model that runs without pause: does it keep its speed while the machine gets hot?"""

import gc
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import guard
from edgekit.errors import UsageError
from edgekit.guarded import end_wanted
from edgekit.measure import machine
from edgekit.profiling.profile import Settings, open_contender
from edgekit.profiling.records import Moment, Sustained
from edgekit.profiling.timing import Call, time_ms, warm_up
from edgekit.progress import track
from edgekit.records import from_json

_CPUS = Path("/sys/devices/system/cpu")
_CPUINFO = Path("/proc/cpuinfo")
_MOST_POINTS = 120
_GRACE_S = 5.0
_SLOWER = 0.05  # less is not worth a word
_CLOCK_DOWN = 0.9


def sustained(path: Path, settings: Settings, seconds: float) -> Sustained:
    """Run a model without pause; Ctrl-C ends it early, with what was found until then.

    Args:
        path: The model.
        settings: How it is run.
        seconds: How long.

    Raises:
        UsageError: It would not run at all.
        InputError: The model cannot be used.
    """
    if not seconds > 0:
        msg = f"A long run needs more than 0 seconds; found {seconds:g}."
        raise UsageError(msg)
    answer = guard.call(
        "edgekit.profiling.sustained:_worker",
        doing=f"running {path.name} for {seconds:g} s",
        grace_s=_GRACE_S,
        path=str(path),
        settings=settings,
        seconds=seconds,
    )
    return from_json(Sustained, answer, "the long run")


def clock_mhz(cpus: Path = _CPUS, cpuinfo: Path = _CPUINFO) -> float | None:
    """Average clock of the cores in MHz; None where the system does not say.

    Args:
        cpus: Folder of the kernel's cores.
        cpuinfo: The file that tells it where they do not.
    """
    found = []
    for path in cpus.glob("cpu[0-9]*/cpufreq/scaling_cur_freq"):
        with suppress(OSError, ValueError):
            found.append(int(path.read_text()) / 1000)
    if not found:
        with suppress(OSError):
            for line in cpuinfo.read_text(errors="replace").splitlines():
                name, _, value = line.partition(":")
                if name.strip() == "cpu MHz":
                    found.append(float(value))
    return statistics.fmean(found) if found else None


def summary(curve: Sequence[Moment]) -> Sustained:
    """Say of a curve whether the machine kept its speed.

    Args:
        curve: At least one stretch.
    """
    fifth = max(1, len(curve) // 5)
    begin = statistics.median(each.median_ms for each in curve[:fifth])
    end = statistics.median(each.median_ms for each in curve[-fifth:])
    heat = [each.temperature_c for each in curve if each.temperature_c is not None]
    slowdown = end / begin - 1
    return Sustained(
        seconds=curve[-1].t_s,
        runs=sum(each.runs for each in curve),
        curve=tuple(curve),
        slowdown=slowdown,
        hottest_c=max(heat, default=None),
        notes=tuple(_notes(curve, slowdown)),
    )


def _notes(curve: Sequence[Moment], slowdown: float) -> Iterator[str]:
    if slowdown > _SLOWER:
        first = curve[0].median_ms * (1 + _SLOWER)
        since = next((each.t_s for each in curve if each.median_ms > first), curve[-1].t_s)
        yield (
            f"At the end it is {slowdown:.0%} slower than at the begin; it was 5 % slower "
            f"after {since:.0f} s. Cool the processor, or plan with the later time."
        )
    flags = sorted({flag for each in curve for flag in each.throttled or ()})
    if flags:
        yield f"The firmware says: {', '.join(flags)}. Check supply and fan."
    clocks = [each.clock_mhz for each in curve if each.clock_mhz]
    if clocks and min(clocks) < _CLOCK_DOWN * clocks[0]:
        yield f"The clock fell from {clocks[0]:.0f} to {min(clocks):.0f} MHz."


def _worker(*, path: str, settings: dict[str, Any], seconds: float) -> Sustained:
    """Do the work, inside the guarded child."""
    how = from_json(Settings, settings, "the settings")
    stop = end_wanted()
    contender = open_contender(Path(path), how)
    warm_up(contender.call, how.budget)
    points = int(np.clip(round(seconds), 2, _MOST_POINTS))
    begin = time.perf_counter()
    gc.disable()
    curve = [
        _moment(contender.call, begin, begin + seconds * (number + 1) / points, stop)
        for number in track(range(points), "Running without pause", points, "part")
        if not stop.is_set()
    ]
    return summary(curve)


def _moment(call: Call, begin: float, until: float, stop: threading.Event) -> Moment:
    """Run until it is time, at least once, and read the machine."""
    ms = [time_ms(call)]
    while time.perf_counter() < until and not stop.is_set():
        ms.append(time_ms(call))
    state = machine()
    return Moment(
        t_s=time.perf_counter() - begin,
        runs=len(ms),
        median_ms=float(np.median(ms)),
        p95_ms=float(np.percentile(ms, 95)),
        temperature_c=state.temperature_c,
        clock_mhz=clock_mhz(),
        throttled=state.throttled,
    )

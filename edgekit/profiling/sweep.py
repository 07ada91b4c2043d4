"""Which setting runs a model fastest: threads and delegates, measured in turns."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.errors import DeviceError, InputError, MissingExtra, TargetError
from edgekit.flatbuffer.graph import Graph
from edgekit.measure import machine, summarize
from edgekit.profiling.profile import Contender, Settings, open_contender
from edgekit.profiling.records import Setting, Sweep
from edgekit.profiling.timing import Budget, Call, rounds, time_ms, warm_up
from edgekit.progress import task
from edgekit.records import from_json

_BLOCK, _DROPPED = (
    10,
    2,
)  # runs of a setting before the next one's turn; the first are not counted
_MOST_THREADS = 8
_AS_GOOD = 0.03  # so little slower is worth a core
_EDGETPU = "edgetpu-custom-op"


def sweep(path: Path, settings: Settings) -> Sweep:
    """Measure a model with each number of threads and each delegate that may run it.

    Args:
        path: A `.tflite` file.
        settings: What is fixed: a number of threads or a delegate that is given is the only
            one that is tried.

    Raises:
        InputError: The model cannot be used.
        DeviceError: The delegate that was asked for has no device.
    """
    cores = machine().cores
    tried = list(candidates(settings, cores, for_edgetpu=_for_edgetpu(path)))
    answer = guard.call(
        "edgekit.profiling.sweep:_worker",
        doing=f"trying settings for {path.name}",
        path=str(path),
        settings=settings,
        tried=tried,
    )
    return from_json(Sweep, answer, "the sweep")


def candidates(
    settings: Settings, cores: int, *, for_edgetpu: bool
) -> Iterator[tuple[int, str]]:
    """Yield threads and delegate of each setting that is worth a trial.

    >>> list(candidates(Settings(delegate="cpu"), 4, for_edgetpu=False))
    [(1, 'cpu'), (2, 'cpu'), (4, 'cpu')]
    """
    delegates = ("edgetpu",) if for_edgetpu else ("cpu", "builtin")
    threads = sorted({1, 2, 4, 8, cores} & set(range(1, min(cores, _MOST_THREADS) + 1)))
    for delegate in (settings.delegate,) if settings.delegate else delegates:
        for count in (settings.threads,) if settings.threads else threads:
            yield count, delegate


def best(settings: Sequence[Setting]) -> Setting:
    """Choose the fastest setting, or one with fewer threads that is as good.

    Args:
        settings: At least one.
    """
    fastest = min(each.latency_ms.median for each in settings)
    good = [each for each in settings if each.latency_ms.median <= fastest * (1 + _AS_GOOD)]
    return min(good, key=lambda each: (each.threads, each.latency_ms.median))


def _for_edgetpu(path: Path) -> bool:
    return any(op.custom_code == _EDGETPU for op in Graph(path).ops)


def _worker(*, path: str, settings: dict[str, Any], tried: list[list[Any]]) -> Sweep:
    """Do the work, inside the guarded child."""
    how = from_json(Settings, settings, "the settings")
    opened: list[Contender] = []
    skipped = []
    for threads, delegate in tried:
        wanted = replace(how, threads=threads, delegate=delegate)
        try:
            opened.append(open_contender(Path(path), wanted))
        except (TargetError, MissingExtra, DeviceError, InputError) as error:
            if how.delegate or (not opened and [threads, delegate] == tried[-1]):
                raise
            first = str(error).partition("\n")[0]
            skipped.append(f"{delegate}, {threads} threads: {first}")
    with task("Warming up"):
        for each in opened:
            warm_up(each.call, how.budget)
    budget = replace(how.budget, max_s=how.budget.max_s * max(1.0, len(opened) / 3))
    with task("Measuring each setting"):
        times = _in_blocks([each.call for each in opened], budget)
    found = tuple(_setting(each, ms) for each, ms in zip(opened, times, strict=True))
    return Sweep(settings=found, recommended=best(found), skipped=tuple(skipped))


def _in_blocks(calls: Sequence[Call], budget: Budget) -> list[list[float]]:
    """Time calls in turns, block by block.

    Call by call would not do: the threads of one interpreter look out for work for a while
    after its run, and would take the cores from the next.
    """
    wanted = replace(
        budget,
        runs=None if budget.runs is None else -(-budget.runs // _BLOCK),
        min_runs=-(-budget.min_runs // _BLOCK),
    )
    found: list[list[float]] = [[] for _ in calls]
    for _ in rounds(wanted):
        for call, durations in zip(calls, found, strict=True):
            block = [time_ms(call) for _ in range(_BLOCK + _DROPPED)]
            durations.extend(block[_DROPPED:])
    return found


def _setting(contender: Contender, ms: list[float]) -> Setting:
    return Setting(
        threads=contender.threads or 1,
        delegate=contender.delegate or "cpu",
        runs=len(ms),
        latency_ms=summarize(ms),
        first_ms=contender.first_ms,
    )


def words(found: Sweep) -> str:
    """Say which setting is recommended, and what it saves."""
    chosen = found.recommended
    slowest = max(each.latency_ms.median for each in found.settings)
    threads = f"{chosen.threads} thread{'s' * (chosen.threads > 1)}"
    gain = slowest / chosen.latency_ms.median
    typical = statistics.median(each.latency_ms.median for each in found.settings)
    return (
        f"Recommended: {chosen.delegate}, {threads}: {chosen.latency_ms.median:.3g} ms; the "
        f"settings' median is {typical:.3g} ms, the slowest takes {gain:.1f} times as long."
    )

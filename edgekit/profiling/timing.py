"""Time calls in rounds: warm up until stable, then run until there is enough to judge by."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How long to measure.

    Attributes:
        runs: Exactly so many timed runs of each call; None measures for as long as it needs.
        min_runs: At least so many runs, unless `max_s` is over before.
        min_s: At least so many seconds.
        max_s: No further round after so many seconds.
        max_runs: No more runs than this.
        warmup_s: Longest warm-up in seconds.
    """

    runs: int | None = None
    min_runs: int = 50
    min_s: float = 1.0
    max_s: float = 10.0
    max_runs: int = 20_000
    warmup_s: float = 2.0


_WINDOW = 5  # runs whose medians are compared
_STABLE = 0.05  # relative change of the median that counts as none
_FEWEST = 3  # timed runs even of a call that takes longer than the budget


def time_ms(call: Call) -> float:
    """Return how long one call takes, in milliseconds."""
    begin = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - begin) / 1e6


def warm_up(call: Call, budget: Budget) -> int:
    """Call until the median of five runs no longer changes by 5 %, and return the count."""
    end = time.perf_counter() + budget.warmup_s
    medians: list[float] = []
    while True:
        window: list[float] = []
        while len(window) < _WINDOW:
            window.append(time_ms(call))
            if time.perf_counter() > end:
                return len(medians) * _WINDOW + len(window)
        medians.append(statistics.median(window))
        if len(medians) > 1 and abs(medians[-1] / medians[-2] - 1) <= _STABLE:
            return len(medians) * _WINDOW


def race(calls: Sequence[Call], budget: Budget) -> list[list[float]]:
    """Time several calls in turns, so that a change of the machine meets all alike.

    Args:
        calls: What to time; each round calls every one once.
        budget: How long; the seconds are for all calls together.

    Returns:
        The durations in milliseconds of each call.
    """
    found: list[list[float]] = [[] for _ in calls]
    with _no_garbage_collection():
        for _ in rounds(budget):
            for call, durations in zip(calls, found, strict=True):
                durations.append(time_ms(call))
    return found


def rounds(budget: Budget) -> Iterator[int]:
    """Count rounds until the budget has what it wants."""
    begin = time.perf_counter()
    done = 0
    while not _enough(done, time.perf_counter() - begin, budget):
        yield done
        done += 1


def _enough(done: int, seconds: float, budget: Budget) -> bool:
    if budget.runs is not None:
        return done >= budget.runs
    if done < _FEWEST:
        return False
    if done >= budget.max_runs or seconds >= budget.max_s:
        return True
    return done >= budget.min_runs and seconds >= budget.min_s


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep Python's collector from running in the middle of a measurement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()

"""Runs in turns with those of the whole model, and the typical one of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.profiling.timing import Call, time_ms

_BLOCK_S = 0.03  # of the same kind of run, before it is the other's turn
_FEWEST, _MOST = 3, 200  # runs of a block


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure.

    Attributes:
        runs: Exactly so many; None measures for as long as it needs.
        min_runs: At least so many, unless `max_s` is over before.
        min_s: At least so many seconds.
        max_s: No further block after so many seconds.
    """

    runs: int | None = None
    min_runs: int = 60
    min_s: float = 2.0
    max_s: float = 15.0


def alternate(
    parts: Callable[[int], Sequence[Sequence[float]]], whole: Call, effort: Effort
) -> tuple[NDArray[np.float64], list[float]]:
    """Measure parts and whole in turns, block by block, so that a busy moment meets both.

    The first run of each block is left out: it finds the other's data in the caches.

    Args:
        parts: Makes a number of runs and returns the milliseconds of each part in each.
        whole: Runs the whole model once.
        effort: How long.

    Returns:
        parts: Milliseconds, shape (runs, parts).
        whole: Milliseconds of each run.
    """
    whole()
    block = int(np.clip(_BLOCK_S * 1e3 / max(time_ms(whole), 1e-3), _FEWEST, _MOST))
    wanted = effort.runs or effort.min_runs
    rows: list[Sequence[float]] = []
    wholes: list[float] = []
    begin = time.perf_counter()
    while not _enough(len(rows), wanted, time.perf_counter() - begin, effort):
        count = block if effort.runs is None else min(block, wanted - len(rows))
        rows += parts(count + 1)[1:]
        wholes += [time_ms(whole) for _ in range(count + 1)][1:]
    return np.asarray(rows, np.float64), wholes


def typical(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average the faster half of all runs by their sums, without the fastest tenth.

    The parts of one run belong together, so that their sum is the time of a run that was;
    runs that something interrupted are left out with all their parts. On a busy machine
    more than a quarter is interrupted: the middle would be theirs.

    Args:
        rows: Shape (runs, parts).

    >>> typical(np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [9.0, 2.0]])).tolist()
    [1.0, 2.0]
    """
    sums = rows.sum(axis=1)
    low, high = np.percentile(sums, [10, 50])
    middle = rows[(low <= sums) & (sums <= high)]
    mean: NDArray[np.float64] = (middle if len(middle) else rows).mean(axis=0)
    return mean


def _enough(done: int, wanted: int, seconds: float, effort: Effort) -> bool:
    if effort.runs is not None:
        return done >= wanted
    if done < _FEWEST:
        return False
    return seconds >= effort.max_s or (done >= wanted and seconds >= effort.min_s)

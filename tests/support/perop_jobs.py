"""What tests of the profiler run in a child."""

from pathlib import Path

import numpy as np

from edgekit.profiling.perop.litert import XNNPACK, Profiler
from edgekit.profiling.perop.tell import probe


def told(*, path: str, threads: int) -> list[list[str]]:
    """Profile a model in a child: kernels of two runs."""
    values = [np.zeros((1, 4, 4, 3), np.float32)]
    runs = Profiler(Path(path), threads=threads, values=values).profiled(2)
    return [[each.tag for each in run if each.kind == XNNPACK] for run in runs]


def probed(*, path: str) -> bool:
    """Probe the library in a child."""
    probe(Path(path))
    return True

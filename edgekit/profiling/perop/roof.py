"""What this machine can do at most, and what of it an operator reaches."""

import time
from collections.abc import Iterable
from typing import Literal

import numpy as np

from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.profiling.perop.made import product
from edgekit.profiling.perop.records import Roof
from edgekit.profiling.perop.single import Single
from edgekit.profiling.timing import time_ms
from edgekit.runtime import problems
from edgekit.runtime.backends import Backend
from edgekit.runtime.delegates import interpreter_options

_ROWS, _DEPTH, _COLUMNS = 128, 512, 512
_SIZES = (2**16, 2**20, 2**23, 2**25)  # bytes: from the first cache to the memory
_TRIES = 5
TYPES = ("float32", "int8", "uint8")


def roof(types: Iterable[str], *, backend: Backend, threads: int, delegate: str | None) -> Roof:
    """Measure a large matrix product of each type, and copies of several sizes.

    Args:
        types: What the model computes with; those that are not in `TYPES` are left out.
        backend: The interpreter package.
        threads: CPU threads.
        delegate: As for the model.
    """
    rates = {}
    for dtype in TYPES:
        if dtype in types:
            try:
                single = Single(
                    product(_ROWS, _DEPTH, _COLUMNS, dtype),
                    backend=backend,
                    threads=threads,
                    options=interpreter_options(delegate, backend),
                )
            except problems.NATIVE:  # an old runtime without such a kernel
                continue
            ms = min(time_ms(single.invoke) for _ in range(_TRIES))
            rates[dtype] = _ROWS * _DEPTH * _COLUMNS / ms / 1e6
    return Roof(gmacs_per_s=rates, gb_per_s={str(size): _copied(size) for size in _SIZES})


def bound(
    macs: int, size: int, dtype: str, top: Roof
) -> tuple[Literal["compute", "memory"], float]:
    """Say what limits so many MACs and bytes, and the milliseconds that they take at least.

    >>> bound(10_000_000, 1_000, "int8", Roof(gmacs_per_s={"int8": 10.0}, gb_per_s={"9": 1.0}))
    ('compute', 1.0)
    """
    rate = top.gmacs_per_s.get(dtype, 0.0)
    compute = macs / rate / 1e6 if rate else 0.0
    memory = size / _speed(size, top) / 1e6
    return ("compute", compute) if compute > memory else ("memory", memory)


def moved(op: OpView, graph: Graph) -> int:
    """Bytes that an operator reads and writes, weights included."""
    tensors = graph.main.tensors
    return sum(tensors[i].nbytes for i in (*op.inputs, *op.outputs) if i >= 0)


def computes_with(op: OpView, graph: Graph) -> str:
    """Type of the values that flow into an operator; '' if none do."""
    tensors = graph.main.tensors
    flows = [tensors[i].dtype for i in op.inputs if i >= 0 and not tensors[i].is_constant]
    return flows[0] if flows else ""


def multiplies(op: OpView, graph: Graph) -> str:
    """Type of the products of an operator: int8 weights make integers of float values."""
    flows = computes_with(op, graph)
    tensors = graph.main.tensors
    weights = {tensors[i].dtype for i in op.inputs[1:2] if i >= 0 and tensors[i].is_constant}
    return "int8" if flows == "float32" and "int8" in weights else flows


def _speed(size: int, top: Roof) -> float:
    """Gigabytes a second of copies that are as large as what an operator moves."""
    known = sorted((int(each), speed) for each, speed in top.gb_per_s.items())
    return next((speed for large, speed in known if size <= large), known[-1][1])


def _copied(size: int) -> float:
    """Read and write so many bytes, and return the gigabytes a second."""
    source = np.ones(size // 2, np.uint8)
    target = np.zeros_like(source)
    rounds = max(1, 2**22 // size)
    best = float("inf")
    for _ in range(_TRIES):
        begin = time.perf_counter()
        for _ in range(rounds):
            np.copyto(target, source)
        best = min(best, (time.perf_counter() - begin) / rounds)
    return size / best / 1e9

"""What the runtime's profiler tells of a model, measured beside the plain interpreter."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.guarded import if_it_dies
from edgekit.profiling.inputs import values
from edgekit.profiling.perop.attribute import KernelTime
from edgekit.profiling.perop.litert import BUILTIN, INVOKE, RUNTIME, XNNPACK, Event, Profiler
from edgekit.profiling.perop.made import product
from edgekit.profiling.perop.records import Roof
from edgekit.profiling.perop.roof import roof
from edgekit.profiling.perop.samples import Effort, alternate, typical
from edgekit.progress import task
from edgekit.records import from_json
from edgekit.runtime import load, open_backend

BACKEND = "ai-edge-litert"
_CUT_OFF_MS = 0.0005  # what XNNPACK's whole microseconds leave out on average
_PROBED = "Fully Connected"  # kernel of the model that the probe runs
_DEATH = (
    "The profiler of libLiteRt does not work here: its CompiledModel may need instructions "
    "that this processor has not."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told, and what it was measured with.

    Attributes:
        kernels: In the order of one run.
        whole_ms: One run of the plain interpreter.
        runs: Runs that were profiled.
        runtime: Package and version.
        threads: CPU threads.
        roof: What this machine can do.
    """

    kernels: tuple[KernelTime, ...]
    whole_ms: float
    runs: int
    runtime: str
    threads: int
    roof: Roof


def worker(
    *, path: str, probe_path: str, threads: int | None, types: list[str], effort: dict[str, Any]
) -> Told:
    """Do the work, inside a guarded child.

    Args:
        path: The model.
        probe_path: Where the model of the probe may be written.
        threads: CPU threads; None chooses.
        types: What the model computes with.
        effort: An `Effort`.
    """
    with if_it_dies(_DEATH):
        probe(Path(probe_path))
        model = load(Path(path), backend=BACKEND, threads=threads, probe=False)
        feed = {spec.name: values(spec.shape, spec.dtype) for spec in model.inputs}
        model.raw(feed)
        profiler = Profiler(Path(path), threads=model.threads, values=list(feed.values()))
        profiler.profiled(2)
        shape = _shape(profiler.profiled(1)[0])
    with task("Measuring each operator"):
        rows, wholes = alternate(
            lambda count: [_milliseconds(run, shape) for run in profiler.profiled(count)],
            model.invoke,
            from_json(Effort, effort, "the effort"),
        )
    whole_ms = float(typical(np.asarray(wholes)[:, None])[0])
    return Told(
        kernels=kernel_times(shape, rows, whole_ms),
        whole_ms=whole_ms,
        runs=len(rows),
        runtime=model.runtime,
        threads=model.threads,
        roof=roof(types, backend=open_backend(BACKEND), threads=model.threads, delegate=None),
    )


def probe(path: Path) -> None:
    """Profile a model whose only kernel is known, and compare.

    Args:
        path: Where to write the model.

    Raises:
        InputError: The profiler of this version tells something else.
    """
    path.write_bytes(product(32, 32, 32, "float32"))
    run = Profiler(path, threads=1, values=[values((32, 32), "float32")]).profiled(1)[0]
    told = [each.tag for each in run if each.kind == XNNPACK]
    invokes = [each.tag for each in run if (each.tag, each.kind) == (INVOKE, RUNTIME)]
    if len(invokes) != 1 or sum(each.startswith(_PROBED) for each in told) != 1:
        msg = f"The profiler of this libLiteRt tells {told or 'nothing'} of a {_PROBED}."
        raise InputError(msg)


Shape = tuple[tuple[str, int, int], ...]


def _mine(run: Sequence[Event]) -> list[Event]:
    return [each for each in run if each.kind in {XNNPACK, BUILTIN}]


def _shape(run: Sequence[Event]) -> Shape:
    """What is told of every run alike."""
    found = tuple((each.tag, each.kind, each.number) for each in _mine(run))
    if not found:
        msg = "The profiler tells of no operator."
        raise InputError(msg)
    twice = [number for (_, kind, number), count in Counter(found).items()
             if kind == BUILTIN and count > 1]  # fmt: skip
    if twice:
        msg = f"Operator {twice[0]} runs in a loop, which is not told apart."
        raise InputError(msg)
    return found


def _milliseconds(run: Sequence[Event], shape: Shape) -> list[float]:
    mine = _mine(run)
    if len(mine) != len(shape):
        msg = (
            f"The profiler tells of {len(mine)} kernels in one run and {len(shape)} in another."
        )
        raise InputError(msg)
    return [each.us / 1000 for each in mine]


def kernel_times(
    shape: Shape, rows: NDArray[np.float64], whole_ms: float
) -> tuple[KernelTime, ...]:
    """Average the runs, and add what XNNPACK cuts off.

    It tells whole microseconds, so half of one is missing of each kernel on average; but all
    that is missing is never more than what the whole takes beyond the kernels.

    Args:
        shape: Name, teller and number of each kernel.
        rows: Milliseconds, shape (runs, kernels).
        whole_ms: One run of the whole model.
    """
    times = typical(rows)
    cut_off = (rows.max(axis=0) > 0) & np.array([kind == XNNPACK for _, kind, _ in shape])
    room = (whole_ms - float(times.sum())) / max(1, int(cut_off.sum()))
    times = times + cut_off * float(np.clip(room, 0.0, _CUT_OFF_MS))
    return tuple(
        KernelTime(
            kernel=tag,
            op=number if kind == BUILTIN else None,
            first=kind == XNNPACK and number == 0,
            ms=float(ms),
        )
        for (tag, kind, number), ms in zip(shape, times, strict=True)
    )

"""Measure the time of each operator: by the runtime's profiler, else each of them alone."""

import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from edgekit import guard
from edgekit.errors import CrashError, EdgekitError, InputError, UnknownName, UsageError
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.profiling.perop.attribute import Found, attribute
from edgekit.profiling.perop.cutting import Cut
from edgekit.profiling.perop.hints import hints
from edgekit.profiling.perop.records import OVERHEAD, OpTime, PerOp, Roof
from edgekit.profiling.perop.roof import TYPES, bound, moved, multiplies
from edgekit.profiling.perop.samples import Effort
from edgekit.profiling.perop.tell import BACKEND, Told
from edgekit.records import from_json
from edgekit.runtime.delegates import parse

Method = Literal["auto", "profiler", "cut"]
METHODS: tuple[Method, ...] = ("auto", "profiler", "cut")
_TIMEOUT_S = 600.0
_MOST_CRASHES = 5
_SHORT_MS = 0.002  # the profiler tells whole microseconds: kernels must take two on average
_FAR = 0.1  # a sum that misses the whole by more is told


def per_op(
    path: Path,
    *,
    backend: str = "auto",
    threads: int | None = None,
    delegate: str | None = None,
    runs: int | None = None,
    method: Method = "auto",
) -> tuple[tuple[OpTime, ...], PerOp]:
    """Measure the time of each operator of a model, in guarded child processes.

    Args:
        path: A `.tflite` file.
        backend: Interpreter package, or `auto`.
        threads: CPU threads; None chooses.
        delegate: Accelerator; None is the CPU.
        runs: Exactly so many runs; None for at least 60 and two seconds.
        method: `profiler` takes what the runtime tells, `cut` runs each operator alone,
            `auto` does the first where it works and operators are long enough for it.

    Returns:
        ops: The operators in the order of the model, then one row for what is between them.
        about: How they were measured, and how far the sum can be trusted.

    Raises:
        InputError: The model cannot be used; or with `profiler`, its profiler cannot.
        UsageError: The profiler was asked for where there is none.
    """
    if method not in METHODS:
        raise UnknownName(kind="way of measuring operators", name=method, known=[*METHODS])
    case = _Case(Graph(path), path, backend, threads, delegate, Effort(runs=runs))
    reason = _no_profiler(case)
    if method == "profiler" and reason:
        raise UsageError(reason)
    notes: list[str] = []
    kernels: list[Found] = []
    if method != "cut" and not reason:
        try:
            kernels, told = _told(case)
        except EdgekitError as error:
            if method == "profiler":
                raise
            first = str(error).partition("\n")[0]
            notes.append(f"The runtime's profiler could not be used: {first}")
        else:
            if method == "profiler" or not _too_short(told):
                between = max(0.0, told.whole_ms - sum(each.ms for each in kernels))
                return _documents(case.graph, kernels, told, between, [])
            notes.append(
                "The runtime's profiler tells whole microseconds, too coarse for operators as "
                "short as these; each was run alone instead."
            )
    return _cut(case, kernels, notes)


@dataclass(frozen=True, slots=True)
class _Case:
    """What is measured, and how; the fields are the arguments of `per_op`."""

    graph: Graph
    path: Path
    backend: str
    threads: int | None
    delegate: str | None
    effort: Effort


def _no_profiler(case: _Case) -> str:
    """Why the runtime's profiler is out of question; '' if it is not."""
    name = parse(case.delegate)[0]
    if name not in {"cpu", "xnnpack"}:
        return f"The runtime's profiler knows the CPU only, not the delegate {name}."
    if case.backend not in {"auto", BACKEND}:
        return f"{case.backend} has no profiler; {BACKEND} has one."
    if importlib.util.find_spec("ai_edge_litert") is None:
        return f"{BACKEND}, which has a profiler, is not installed."
    return ""


def _too_short(told: Told) -> bool:
    return told.whole_ms < _SHORT_MS * len(told.kernels)


def _types(graph: Graph) -> list[str]:
    """What the products of a model compute with; int8 is always worth knowing."""
    found = {multiplies(op, graph) for op in graph.ops if graph.macs(op)}
    return [each for each in TYPES if each in found | {"int8"}]


def _told(case: _Case) -> tuple[list[Found], Told]:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        answer = guard.call(
            "edgekit.profiling.perop.tell:worker",
            doing=f"profiling the operators of {case.path.name}",
            timeout_s=_TIMEOUT_S,
            path=str(case.path.resolve()),
            probe_path=str(Path(folder, "probe.tflite")),
            threads=case.threads,
            types=_types(case.graph),
            effort=case.effort,
        )
    told = from_json(Told, answer, "the times of the kernels")
    return attribute(case.graph.main, told.kernels), told


def _cut(
    case: _Case, kernels: Sequence[Found], notes: list[str]
) -> tuple[tuple[OpTime, ...], PerOp]:
    """Run each operator alone; `kernels` is what the profiler told of each, if it did."""
    cut = _without_crashes(case)
    names = [f"{index} {case.graph.ops[index].op} ({why})" for index, why in cut.left_out]
    if names:
        notes.append(f"Could not be run alone, and count as nothing: {'; '.join(names[:8])}")
    found = (
        [_named(*each) for each in zip(cut.ops, kernels, strict=True)] if kernels else cut.ops
    )
    return _documents(case.graph, found, cut, cut.least_ms, notes)


def _named(alone: Found, told: Found) -> Found:
    """Say what computes an operator; one that is merged in the whole takes no time there."""
    return replace(told, ms=alone.ms if told.kernel else 0.0)


def _without_crashes(case: _Case) -> Cut:
    """Run each operator alone; leave out those that a child dies of.

    Raises:
        CrashError: It dies of too many, or of something else.
    """
    skip: dict[str, str] = {}
    while True:
        last = [-1]
        try:
            answer = guard.call(
                "edgekit.profiling.perop.cutting:worker",
                doing=f"running the operators of {case.path.name} alone",
                timeout_s=_TIMEOUT_S,
                hear=last.append,
                path=str(case.path.resolve()),
                backend=case.backend,
                threads=case.threads,
                delegate=case.delegate,
                types=_types(case.graph),
                effort=case.effort,
                skip=skip,
            )
        except CrashError:
            if last[-1] < 0 or len(skip) >= _MOST_CRASHES:
                raise
            skip[str(last[-1])] = "the runtime dies of it"
        else:
            return from_json(Cut, answer, "the times of the operators")


def _documents(
    graph: Graph,
    found: Sequence[Found],
    measured: Told | Cut,
    between_ms: float,
    notes: list[str],
) -> tuple[tuple[OpTime, ...], PerOp]:
    method: Literal["profiler", "cut"] = "profiler" if isinstance(measured, Told) else "cut"
    ops_ms = sum(each.ms for each in found)
    total = ops_ms + between_ms
    if not total:
        msg = f"{graph.file.name} has no operator that takes time."
        raise InputError(msg)
    rows = [
        *(_row(graph, each, total, measured.roof) for each in found),
        OpTime(
            index=OVERHEAD, op="", kernel="overhead", ms=between_ms, share=between_ms / total
        ),
    ]
    parts = {each.partition for each in found if each.partition is not None}
    difference = total / measured.whole_ms - 1
    if abs(difference) > _FAR:
        notes.append(
            f"The operators and what is between them make {total:.3g} ms; the whole takes "
            f"{measured.whole_ms:.3g} ms. Trust the shares more than the times."
        )
    partitions = len(parts) if method == "profiler" or parts else None
    return tuple(rows), PerOp(
        method=method,
        runtime=measured.runtime,
        threads=measured.threads,
        runs=measured.runs,
        whole_ms=measured.whole_ms,
        ops_ms=ops_ms,
        overhead_ms=between_ms,
        difference=difference,
        partitions=partitions,
        roof=measured.roof,
        hints=hints(graph, rows, partitions=partitions, roof=measured.roof),
        notes=tuple(notes),
    )


def _row(graph: Graph, found: Found, total_ms: float, roof: Roof) -> OpTime:
    op = graph.ops[found.index]
    macs, size = graph.macs(op), moved(op, graph)
    limited, least_ms = bound(macs, size, multiplies(op, graph), roof)
    ran = found.ms > 0
    return OpTime(
        index=found.index,
        op=op.custom_code or op.op,
        kernel=found.kernel,
        ms=found.ms,
        share=found.ms / total_ms,
        name=_name(graph, op),
        delegated=found.delegated,
        partition=found.partition,
        macs=macs,
        bytes=size,
        gmacs_per_s=macs / found.ms / 1e6 if ran and macs else None,
        gb_per_s=size / found.ms / 1e6 if ran else None,
        bound=limited if ran else None,
        of_roof=least_ms / found.ms if ran else None,
    )


def _name(graph: Graph, op: OpView) -> str:
    return graph.main.tensors[op.outputs[0]].name if op.outputs else ""

"""Measure the time of each operator: by the runtime's profiler, else each of them alone."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from edgekit import guard
from edgekit.errors import CrashError, EdgekitError, InputError, UnknownName, UsageError
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.profiling.perop.attribute import Found, attribute
from edgekit.profiling.perop.cutting import Cut
from edgekit.profiling.perop.hints import hints
from edgekit.profiling.perop.records import OVERHEAD, OpTime, PerOp, Roof
from edgekit.profiling.perop.roof import TYPES, bound, computes_with, moved
from edgekit.profiling.perop.samples import Effort
from edgekit.profiling.perop.tell import BACKEND, Told
from edgekit.records import from_json
from edgekit.runtime import open_backend
from edgekit.runtime.delegates import parse

Method = Literal["auto", "profiler", "cut"]
METHODS: tuple[Method, ...] = ("auto", "profiler", "cut")
_TIMEOUT_S = 600.0
_MOST_CRASHES = 5
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
            `auto` does the first where it works.

    Returns:
        ops: The operators in the order of the model, then one row for what is between them.
        about: How they were measured, and how far the sum can be trusted.

    Raises:
        InputError: The model cannot be used; or with `profiler`, its profiler cannot.
        UsageError: The profiler was asked for where there is none.
    """
    if method not in METHODS:
        raise UnknownName(kind="way of measuring operators", name=method, known=[*METHODS])
    graph = Graph(path)
    effort = Effort(runs=runs)
    notes: list[str] = []
    reason = _no_profiler(backend, delegate)
    if method == "profiler" and reason:
        raise UsageError(reason)
    if method != "cut" and not reason:
        try:
            return _told(graph, path, threads, effort)
        except EdgekitError as error:
            if method == "profiler":
                raise
            first = str(error).partition("\n")[0]
            notes.append(f"The runtime's profiler could not be used: {first}")
    return _cut(graph, path, (backend, threads, delegate), effort, notes)


def _no_profiler(backend: str, delegate: str | None) -> str:
    """Why the runtime's profiler is out of question; '' if it is not."""
    name = parse(delegate)[0]
    if name not in {"cpu", "xnnpack"}:
        return f"The runtime's profiler knows the CPU only, not the delegate {name}."
    package = backend if backend != "auto" else open_backend().name
    return "" if package == BACKEND else f"{package} has no profiler; {BACKEND} has one."


def _types(graph: Graph) -> list[str]:
    """What the products of a model compute with; int8 is always worth knowing."""
    found = {computes_with(op, graph) for op in graph.ops if graph.macs(op)}
    return [each for each in TYPES if each in found | {"int8"}]


def _told(
    graph: Graph, path: Path, threads: int | None, effort: Effort
) -> tuple[tuple[OpTime, ...], PerOp]:
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        answer = guard.call(
            "edgekit.profiling.perop.tell:worker",
            doing=f"profiling the operators of {path.name}",
            timeout_s=_TIMEOUT_S,
            path=str(path.resolve()),
            probe_path=str(Path(folder, "probe.tflite")),
            threads=threads,
            types=_types(graph),
            effort=effort,
        )
    told = from_json(Told, answer, "the times of the kernels")
    found = attribute(graph.main, told.kernels)
    between = max(0.0, told.whole_ms - sum(each.ms for each in found))
    return _documents(graph, found, told, between, [])


def _cut(
    graph: Graph,
    path: Path,
    how: tuple[str, int | None, str | None],
    effort: Effort,
    notes: list[str],
) -> tuple[tuple[OpTime, ...], PerOp]:
    cut = _without_crashes(graph, path, how, effort)
    names = [f"{index} {graph.ops[index].op} ({why})" for index, why in cut.left_out]
    if names:
        notes.append(f"Could not be run alone, and count as nothing: {'; '.join(names[:8])}")
    return _documents(graph, list(cut.ops), cut, cut.least_ms, notes)


def _without_crashes(
    graph: Graph, path: Path, how: tuple[str, int | None, str | None], effort: Effort
) -> Cut:
    """Run each operator alone; leave out those that a child dies of.

    Raises:
        CrashError: It dies of too many, or of something else.
    """
    skip: dict[str, str] = {}
    backend, threads, delegate = how
    while True:
        last = [-1]
        try:
            answer = guard.call(
                "edgekit.profiling.perop.cutting:worker",
                doing=f"running the operators of {path.name} alone",
                timeout_s=_TIMEOUT_S,
                hear=last.append,
                path=str(path.resolve()),
                backend=backend,
                threads=threads,
                delegate=delegate,
                types=_types(graph),
                effort=effort,
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
    partitions = len(parts) if method == "profiler" else None
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
    limited, least_ms = bound(macs, size, computes_with(op, graph), roof)
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

"""Each operator alone, as a model of its own: a way that every runtime takes.

It is met as in the whole model. Its inputs are written anew before each run, so that they
are in the caches as the operator before would have left them; all others run before its turn
comes again, so that large weights are not. An operator that moves more values than weights
runs twice, and the second run counts: in the whole model its results go where others were.
"""

import time
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import EdgekitError
from edgekit.flatbuffer.cut import cut
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.tables import Table
from edgekit.guarded import tell
from edgekit.profiling.inputs import values
from edgekit.profiling.perop.attribute import Found
from edgekit.profiling.perop.made import least
from edgekit.profiling.perop.merged import merged
from edgekit.profiling.perop.records import Roof
from edgekit.profiling.perop.roof import roof
from edgekit.profiling.perop.samples import Effort, alternate, typical
from edgekit.profiling.perop.single import Array, Single, tensor_values
from edgekit.progress import task, track
from edgekit.records import from_json
from edgekit.runtime import load, open_backend, problems
from edgekit.runtime.backends import Backend
from edgekit.runtime.delegates import DELEGATES, interpreter_options, parse

_GRAPHS = {"CALL", "CALL_ONCE", "IF", "WHILE"}  # operators that run other graphs
_FREE = {"RESHAPE", "SHAPE", "SQUEEZE", "EXPAND_DIMS"}  # what a runtime does not compute


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What was measured of each operator alone.

    Attributes:
        ops: In the order of the model; one that could not be run alone has 0 ms.
        left_out: Operators that could not be run alone, and why.
        whole_ms: One run of the whole model.
        least_ms: One run that computes next to nothing; it is not part of `ops`.
        runs: Runs of each.
        runtime: Package and version.
        threads: CPU threads.
        roof: What this machine can do.
    """

    ops: tuple[Found, ...]
    left_out: tuple[tuple[int, str], ...]
    whole_ms: float
    least_ms: float
    runs: int
    runtime: str
    threads: int
    roof: Roof


def worker(
    *,
    path: str,
    backend: str,
    threads: int | None,
    delegate: str | None,
    types: list[str],
    effort: dict[str, Any],
    skip: dict[str, str],
) -> Cut:
    """Do the work, inside a guarded child; it tells the number of each operator it tries.

    Args:
        path: The model.
        backend: As `edgekit.runtime.load`.
        threads: As `edgekit.runtime.load`.
        delegate: As `edgekit.runtime.load`.
        types: What the model computes with.
        effort: An `Effort`.
        skip: Operators that are not tried, by number, and why.
    """
    package = open_backend(backend)
    model = load(Path(path), backend=backend, threads=threads, delegate=delegate, probe=False)
    feed = {spec.name: values(spec.shape, spec.dtype) for spec in model.inputs}
    model.raw(feed)
    make = _Maker(package, model.threads, delegate)
    graph = Graph(Path(path))
    held = tensor_values(Path(path), package, list(feed.values()), _read(graph))
    left_out = {int(index): why for index, why in skip.items()}
    singles = _singles(graph, held, make, left_out)
    every = [*singles.values(), _Alone(make(least(), ()), twice=True)]
    with task("Measuring each operator alone"):
        rows, wholes = alternate(
            lambda count: [[each.ms() for each in every] for _ in range(count)],
            model.invoke,
            from_json(Effort, effort, "the effort"),
        )
    *each_ms, least_ms = (float(ms) for ms in typical(rows))
    times = dict(zip(singles, each_ms, strict=True))
    joined = merged(graph)
    return Cut(
        ops=tuple(_found(op, times, singles, least_ms, joined) for op in graph.ops),
        left_out=tuple(sorted(left_out.items())),
        whole_ms=float(typical(np.asarray(wholes)[:, None])[0]),
        least_ms=least_ms,
        runs=len(rows),
        runtime=model.runtime,
        threads=model.threads,
        roof=roof(types, backend=package, threads=model.threads, delegate=delegate),
    )


@dataclass(frozen=True, slots=True)
class _Alone:
    """An operator that is ready to be timed.

    Attributes:
        single: Its model.
        twice: Whether it runs once before the run that counts.
    """

    single: Single
    twice: bool

    def ms(self) -> float:
        """Milliseconds of one run whose inputs have just been written."""
        self.single.feed()
        if self.twice:
            self.single.invoke()
        begin = time.perf_counter_ns()
        self.single.invoke()
        return (time.perf_counter_ns() - begin) / 1e6


class _Maker:
    """Makes models of single operators run as the whole model does."""

    def __init__(self, backend: Backend, threads: int, delegate: str | None) -> None:
        self._backend, self._threads, self._delegate = backend, threads, delegate

    def __call__(
        self, content: bytes, fed: Sequence[Array | None], *, custom: bool = False
    ) -> Single:
        library = bool(DELEGATES[parse(self._delegate)[0]].libraries)
        delegate = None if library and not custom else self._delegate
        options = interpreter_options(delegate, self._backend)
        return Single(
            content,
            backend=self._backend,
            threads=self._threads,
            options=options,
            values=fed,
        )


def _singles(
    graph: Graph,
    held: dict[int, Array],
    make: _Maker,
    left_out: dict[int, str],
) -> dict[int, _Alone]:
    """Make a model of each operator; those that cannot be are added to `left_out`."""
    tree, fixed = settled(graph, held)
    found: dict[int, _Alone] = {}
    for op in track(graph.ops, "Cutting out each operator", len(graph.ops), "operator"):
        flows = list(dict.fromkeys(i for i in op.inputs if i >= 0 and i not in fixed))
        if op.index in left_out or (not flows and op.inputs):
            continue  # what flows from nowhere is computed once, when the model is loaded
        if op.op in _GRAPHS:
            left_out[op.index] = "it runs other graphs"
            continue
        tell(op.index)
        try:
            content = cut(tree, tree.subgraphs[0].operators[op.index])
            single = make(content, [held.get(i) for i in flows], custom=op.op == "CUSTOM")
            found[op.index] = _Alone(single, _moves_values(op, graph, fixed))
        except (*problems.NATIVE, EdgekitError) as error:
            if op.op not in _FREE:
                left_out[op.index] = " ".join(str(error).split())[:120]
    tell(-1)
    return found


def settled(graph: Graph, held: dict[int, Array]) -> tuple[Table, set[int]]:
    """Make constant what follows from constants alone.

    Weights that are stored as float16 and widened by DEQUANTIZE are the common case: an
    operator that is cut out must find them as the runtime does, widened.

    Args:
        graph: The model; its tree is left as it is.
        held: What tensors hold.

    Returns:
        model: Its tree with more constants.
        fixed: Numbers of the tensors of the main graph that are constant in it.
    """
    model = copy(graph.file.model)
    model.subgraphs = [copy(each) for each in model.subgraphs]
    model.buffers = list(model.buffers)
    main = model.subgraphs[0]
    main.tensors = list(main.tensors)
    fixed = {tensor.index for tensor in graph.main.tensors if tensor.is_constant}
    for op in graph.ops:
        if not op.inputs or not all(i in fixed or i < 0 for i in op.inputs):
            continue
        if not all(i in held for i in op.outputs):
            continue
        for i in op.outputs:
            data = np.frombuffer(np.ascontiguousarray(held[i]).tobytes(), np.uint8)
            main.tensors[i] = copy(main.tensors[i])
            main.tensors[i].buffer = len(model.buffers)
            model.buffers.append(Table("Buffer", data=data))
            fixed.add(i)
    return model, fixed


def _read(graph: Graph) -> list[int]:
    """Tensors that operators read or that follow from constants."""
    read = {i for op in graph.ops for i in op.inputs if i >= 0}
    return sorted(i for i in read if not graph.main.tensors[i].is_constant)


def _moves_values(op: OpView, graph: Graph, fixed: set[int]) -> bool:
    """Whether more bytes of values than of weights go through an operator."""
    tensors = graph.main.tensors
    weights = sum(tensors[i].nbytes for i in op.inputs if i in fixed)
    flows = sum(tensors[i].nbytes for i in (*op.inputs, *op.outputs) if i >= 0)
    return flows - weights > weights


def _found(
    op: OpView,
    times: dict[int, float],
    singles: dict[int, _Alone],
    least_ms: float,
    joined: frozenset[int],
) -> Found:
    if op.index not in times:
        return Found(index=op.index, ms=0.0)
    delegated = singles[op.index].single.delegated
    if delegated and op.index in joined:
        return Found(index=op.index, ms=0.0, delegated=True)
    ms = max(0.0, times[op.index] - least_ms)
    return Found(index=op.index, ms=ms, delegated=delegated)

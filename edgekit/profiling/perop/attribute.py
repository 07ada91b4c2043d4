"""Give what a profiler tells of kernels back to the operators of the model."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.errors import InputError
from edgekit.flatbuffer.graph import SubgraphView
from edgekit.placement.partition import rounds
from edgekit.profiling.perop.kernels import align


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelTime:
    """What the profiler tells of one kernel.

    Attributes:
        kernel: Its name; of a built-in kernel the operator.
        op: Number of the operator; None for a kernel of XNNPACK, which does not say.
        first: Whether a partition begins with it.
        ms: Milliseconds of one run.
    """

    kernel: str
    op: int | None
    first: bool
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The time of one operator, before it is judged.

    Attributes:
        index: Number of the operator.
        ms: Milliseconds of one run.
        kernel: What computed it; empty if it was merged into a neighbour.
        delegated: Whether XNNPACK ran it; None where nobody says.
        partition: Number of its partition among those of XNNPACK.
    """

    index: int
    ms: float
    kernel: str = ""
    delegated: bool | None = None
    partition: int | None = None


def attribute(graph: SubgraphView, kernels: Sequence[KernelTime]) -> list[Found]:
    """Return the time of each operator, in the order of the model.

    Args:
        graph: The model.
        kernels: What was told, in the order of one run.

    Raises:
        InputError: What was told does not fit the model.
    """
    builtin = {each.op: each for each in kernels if each.op is not None}
    _check(graph, builtin)
    taken = [op.index not in builtin for op in graph.ops]
    parts = [part for delegated, part in rounds(graph.ops, taken) if delegated]
    found = {
        index: Found(index=index, ms=each.ms, kernel="built-in", delegated=False)
        for index, each in builtin.items()
    }
    for number, (part, group) in enumerate(_pairs(parts, _groups(kernels))):
        found |= _shared(graph, part, group, number)
    return [found.get(op.index, Found(index=op.index, ms=0.0)) for op in graph.ops]


def _check(graph: SubgraphView, builtin: dict[int, KernelTime]) -> None:
    for index, each in builtin.items():
        known = graph.ops[index] if index < len(graph.ops) else None
        if known is None or each.kernel not in {known.op, known.custom_code}:
            msg = (
                f"The profiler tells of {each.kernel} as operator {index}; the model has "
                f"{known.op if known else len(graph.ops)} there."
            )
            raise InputError(msg)


def _groups(kernels: Sequence[KernelTime]) -> list[list[KernelTime]]:
    """The kernels of each partition."""
    groups: list[list[KernelTime]] = []
    for each in kernels:
        if each.op is None:
            if each.first or not groups:
                groups.append([])
            groups[-1].append(each)
    return groups


def _pairs(
    parts: list[list[int]], groups: list[list[KernelTime]]
) -> list[tuple[list[int], list[KernelTime]]]:
    """Lay the partitions beside what was told of them.

    Raises:
        InputError: Kernels were told of, but no operator is left for them.
    """
    if len(parts) == len(groups):
        return list(zip(parts, groups, strict=True))
    if not parts:
        msg = f"The profiler tells of {len(groups)} partitions in a model without any."
        raise InputError(msg)
    if not groups:
        return []
    # The runtime divided the model otherwise: all kernels beside all operators.
    together = [index for part in parts for index in part]
    return [(together, [each for group in groups for each in group])]


def _shared(
    graph: SubgraphView, part: list[int], group: Sequence[KernelTime], number: int
) -> dict[int, Found]:
    """Give the kernels of a partition to its operators."""
    places = align([each.kernel for each in group], [graph.ops[i].op for i in part])
    mine: dict[int, list[KernelTime]] = {index: [] for index in part}
    for place, each in zip(places, group, strict=True):
        mine[part[place]].append(each)
    return {
        index: Found(
            index=index,
            ms=sum(each.ms for each in given),
            kernel=" + ".join(each.kernel for each in given),
            delegated=True,
            partition=number,
        )
        for index, given in mine.items()
    }

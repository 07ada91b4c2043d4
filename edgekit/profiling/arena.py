"""How much memory the values of a model take, planned as the runtime plans it."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.flatbuffer.graph import Graph

_ALIGNMENT = 64


@dataclass(frozen=True, slots=True)
class Life:
    """When a tensor is needed.

    Attributes:
        size: Its bytes.
        first: Number of the operator that writes it.
        last: Number of the last operator that reads it.
    """

    size: int
    first: int
    last: int


def arena_bytes(graph: Graph) -> int:
    """Return the memory that the values of a model need at least, without its weights.

    XNNPACK keeps the values inside of what it runs in a memory of its own, planned alike.
    """
    return planned(lives(graph))


def lives(graph: Graph) -> list[Life]:
    """Return when each tensor that is not in the file is needed."""
    first: dict[int, int] = dict.fromkeys(graph.main.inputs, 0)
    last: dict[int, int] = dict.fromkeys(graph.main.inputs, 0)
    for op in graph.ops:
        for index in op.outputs:
            first.setdefault(index, op.index)
            last[index] = op.index
        for index in op.inputs:
            if index in first:
                last[index] = op.index
    last |= {index: len(graph.ops) for index in graph.main.outputs if index in first}
    tensors = graph.main.tensors
    return [
        Life(tensors[index].nbytes, begin, last[index])
        for index, begin in first.items()
        if index >= 0 and not tensors[index].is_constant
    ]


def planned(tensors: Sequence[Life]) -> int:
    """Place tensors, the largest first, each as low as those allow that live beside it.

    >>> planned([Life(64, 0, 1), Life(128, 1, 2), Life(64, 2, 3)])
    192
    """
    placed: list[tuple[int, int, Life]] = []
    for life in sorted(tensors, key=lambda each: (-each.size, each.first)):
        size = -(-life.size // _ALIGNMENT) * _ALIGNMENT
        start = 0
        for low, high, other in placed:  # in the order of their places
            beside = life.first <= other.last and other.first <= life.last
            if beside and low < start + size:
                start = max(start, high)
        placed.append((start, start + size, life))
        placed.sort(key=lambda each: each[0])
    return max((high for _, high, _ in placed), default=0)

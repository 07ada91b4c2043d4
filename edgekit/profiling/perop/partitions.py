"""Which operators XNNPACK runs together, given which of them it runs at all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from edgekit.flatbuffer.graph import OpView, SubgraphView


@dataclass(frozen=True, slots=True)
class Partition:
    """Operators that are run one after the other by the same side.

    Attributes:
        delegated: Whether the delegate runs them.
        ops: Numbers of the operators in the order in which they run.
    """

    delegated: bool
    ops: tuple[int, ...]


def partitions(graph: SubgraphView, delegated: Collection[int]) -> list[Partition]:
    """Divide a model as the TensorFlow Lite runtime divides it for a delegate.

    A partition begins with the first operator that is ready, and takes every other one of
    the same side that is ready or gets ready by it, until none is left; then the next one
    begins.

    Args:
        graph: The model.
        delegated: Numbers of the operators that the delegate runs.
    """
    maker = {tensor: op.index for op in graph.ops for tensor in op.outputs}
    waiting = list(graph.ops)
    done: set[int] = set()
    found: list[Partition] = []
    while waiting:
        side = _first(waiting, maker, done).index in delegated
        mine = [op for op in waiting if (op.index in delegated) == side]
        taken = _closure(mine, maker, done) or [waiting[0].index]  # no model has circles
        found.append(Partition(side, tuple(taken)))
        done.update(taken)
        waiting = [op for op in waiting if op.index not in done]
    return found


def _first(waiting: list[OpView], maker: Mapping[int, int], done: set[int]) -> OpView:
    return next((op for op in waiting if _ready(op, maker, done)), waiting[0])


def _closure(mine: list[OpView], maker: Mapping[int, int], done: set[int]) -> list[int]:
    """Take what is ready until nothing more gets ready."""
    taken: list[int] = []
    reached = set(done)
    more = True
    while more:
        new = []
        for op in mine:
            if op.index not in reached and _ready(op, maker, reached):
                reached.add(op.index)
                new.append(op.index)
        taken += new
        more = bool(new)
    return taken


def _ready(op: OpView, maker: Mapping[int, int], done: set[int]) -> bool:
    return all(maker.get(tensor, -1) in done or tensor not in maker for tensor in op.inputs)

"""How TensorFlow Lite splits a graph between a delegate and the CPU.

Operators are taken in rounds that alternate between the two: each round takes every
operator of its kind whose inputs are there. The compiler makes one of the delegate's
rounds its subgraph; every other operator runs on the CPU.
"""

from collections.abc import Sequence

from edgekit.flatbuffer import OpView


def rounds(ops: Sequence[OpView], taken: Sequence[bool]) -> list[tuple[bool, list[int]]]:
    """Split operators into rounds.

    Args:
        ops: Operators of one subgraph in the order of execution.
        taken: For each, whether the delegate takes it.

    Returns:
        For each round whether it is the delegate's, and its operators' positions.
    """
    made_by = _made_by(ops)
    needs = [_producers(op, made_by) for op in ops]
    done: set[int] = set()
    found: list[tuple[bool, list[int]]] = []
    while len(done) < len(ops):
        ready = [i for i in range(len(ops)) if i not in done and needs[i] <= done]
        if not ready:  # a graph that feeds itself; no interpreter runs it
            break
        kind = taken[ready[0]]
        current: list[int] = []
        for i in range(len(ops)):
            if i not in done and taken[i] == kind and needs[i] <= done:
                done.add(i)
                current.append(i)
        found.append((kind, current))
    return found


def downstream(ops: Sequence[OpView], start: set[int]) -> set[int]:
    """Positions of all operators that depend on others, those themselves not included."""
    made_by = _made_by(ops)
    touched = set(start)
    for i, op in enumerate(ops):
        if _producers(op, made_by) & touched:
            touched.add(i)
    return touched - start


def _made_by(ops: Sequence[OpView]) -> dict[int, int]:
    return {tensor: i for i, op in enumerate(ops) for tensor in op.outputs}


def _producers(op: OpView, made_by: dict[int, int]) -> set[int]:
    return {made_by[tensor] for tensor in op.inputs if tensor in made_by}

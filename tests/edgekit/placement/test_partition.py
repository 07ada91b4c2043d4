"""Rounds: every operator once, after what it needs."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edgekit.flatbuffer import OpView
from edgekit.placement.partition import downstream, rounds


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[OpView], list[bool]]:
    """Operators in a legal order: tensor 0 is the input, operator i makes tensor i + 1."""
    count = draw(st.integers(0, 12))
    inputs = [draw(st.sets(st.integers(0, i), min_size=1, max_size=3)) for i in range(count)]
    ops = [OpView(i, "ADD", 1, tuple(needs), (i + 1,)) for i, needs in enumerate(inputs)]
    return ops, draw(st.lists(st.booleans(), min_size=count, max_size=count))


@given(graph=graphs())
def test_every_operator_is_in_one_round_of_its_kind(
    graph: tuple[list[OpView], list[bool]],
) -> None:
    ops, taken = graph
    found = rounds(ops, taken)
    assert sorted(i for _, part in found for i in part) == list(range(len(ops)))
    assert all(taken[i] == kind for kind, part in found for i in part)


@given(graph=graphs())
def test_rounds_alternate_and_never_run_ahead_of_their_inputs(
    graph: tuple[list[OpView], list[bool]],
) -> None:
    ops, taken = graph
    found = rounds(ops, taken)
    kinds = [kind for kind, _ in found]
    assert all(a != b for a, b in itertools.pairwise(kinds))
    order = [i for _, part in found for i in part]
    position = {i: place for place, i in enumerate(order)}
    assert all(position[t - 1] < position[op.index] for op in ops for t in op.inputs if t)


@given(graph=graphs())
def test_nothing_is_downstream_of_what_comes_later(
    graph: tuple[list[OpView], list[bool]],
) -> None:
    ops, taken = graph
    start = {i for i, marked in enumerate(taken) if marked}
    found = downstream(ops, start)
    assert not found & start
    assert all(any(s < i for s in start) for i in found)

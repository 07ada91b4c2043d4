"""What is said of a graph holds however its uncertain operators turn out."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edgekit.flatbuffer import OpView
from edgekit.placement.edgetpu.checks import Place, Verdict
from edgekit.placement.edgetpu.prediction import with_partition
from edgekit.placement.partition import rounds


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[OpView], list[Verdict]]:
    """Operators in a legal order, tensor 0 is the input, and what becomes of each alone."""
    count = draw(st.integers(1, 9))
    inputs = [draw(st.sets(st.integers(0, i), min_size=1, max_size=2)) for i in range(count)]
    ops = [OpView(i, "ADD", 1, tuple(needs), (i + 1,)) for i, needs in enumerate(inputs)]
    choices: list[Place] = ["edgetpu", "edgetpu", "cpu", "uncertain"]
    places = st.sampled_from(choices)
    return ops, [(draw(places), "alone") for _ in ops]


def _part(ops: list[OpView], taken: list[bool]) -> set[int]:
    return next((set(part) for mine, part in rounds(ops, taken) if mine), set())


@given(case=graphs())
def test_sure_operators_are_where_they_are_said_to_be_whatever_is_uncertain(
    case: tuple[list[OpView], list[Verdict]],
) -> None:
    ops, alone = case
    found = with_partition(ops, alone)
    open_ones = [i for i, (place, _) in enumerate(alone) if place == "uncertain"]
    for answers in itertools.product([False, True], repeat=len(open_ones)):
        taken = [place == "edgetpu" for place, _ in alone]
        for i, answer in zip(open_ones, answers, strict=True):
            taken[i] = answer
        part = _part(ops, taken)
        for i, (place, _) in enumerate(found):
            assert place == "uncertain" or (place == "edgetpu") == (i in part)


@given(case=graphs())
def test_without_doubts_every_operator_is_answered(
    case: tuple[list[OpView], list[Verdict]],
) -> None:
    ops, alone = case
    sure: list[Verdict] = [("cpu", "no") if each[0] == "uncertain" else each for each in alone]
    part = _part(ops, [place == "edgetpu" for place, _ in sure])
    places = [place for place, _ in with_partition(ops, sure)]
    assert places == ["edgetpu" if i in part else "cpu" for i in range(len(ops))]

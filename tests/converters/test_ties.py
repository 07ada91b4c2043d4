"""Numbers that can be tied together and frozen."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgekit_converters.ties import Ties

COUNT = 8
NUMBERS = st.integers(0, COUNT - 1)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12)


def tied(pairs: list[tuple[int, int]]) -> Ties:
    ties = Ties()
    ties.fresh(COUNT)
    for one, other in pairs:
        ties.tie(np.array([one]), np.array([other]))
    return ties


@given(PAIRS)
def test_what_is_tied_has_one_root_and_nothing_else_has_it(
    pairs: list[tuple[int, int]],
) -> None:
    reached = np.eye(COUNT, dtype=bool)
    for one, other in [*pairs, *((b, a) for a, b in pairs)]:
        reached[one, other] = True
    for middle in range(COUNT):
        reached |= reached[:, [middle]] & reached[[middle]]
    roots = tied(pairs).roots(np.arange(COUNT))
    assert ((roots[:, None] == roots) == reached).all()


@given(PAIRS, NUMBERS, st.data())
def test_freezing_before_and_after_tying_is_the_same(
    pairs: list[tuple[int, int]], number: int, data: st.DataObject
) -> None:
    before = data.draw(st.integers(0, len(pairs)))
    ties = tied(pairs[:before])
    ties.freeze(np.array([number]), "why")
    for one, other in pairs[before:]:
        ties.tie(np.array([one]), np.array([other]))
    after = tied(pairs)
    after.freeze(np.array([number]), "why")
    every = np.arange(COUNT)
    assert ties.reasons(every) == after.reasons(every)


def test_tied_numbers_share_the_first_reason() -> None:
    ties = Ties()
    one, two, three = ties.fresh(2), ties.frozen(2, "first"), ties.fresh(2)
    ties.tie(one, two)
    ties.freeze(one, "second")
    assert ties.reasons(one) == ["first", "first"]
    assert ties.reasons(three) == [None, None]
    ties.freeze(one, "third", above_all=True)
    assert ties.reasons(two) == ["third", "third"]


def test_one_number_is_tied_to_a_whole_row() -> None:
    ties = Ties()
    one, row = ties.fresh(1), ties.fresh(3)
    ties.tie(one, row)
    assert (ties.roots(row) == ties.roots(one)).all()
    assert len(ties) == 4

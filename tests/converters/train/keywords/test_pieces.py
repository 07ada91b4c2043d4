"""Pieces of words are not the words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit_converters.train.keywords import pieces

ONE = np.linspace(0.1, 0.5, 8000, dtype=np.float32)
OTHER = -np.linspace(0.5, 0.9, 6000, dtype=np.float32)


@pytest.mark.parametrize("kind", [pieces.beginning, pieces.end])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_part_is_about_half_of_the_word_at_most(kind: object, seed: int) -> None:
    part = kind(ONE, OTHER, np.random.default_rng(seed))  # type: ignore[operator] # one of KINDS
    assert 0.2 * ONE.size < part.size < 0.6 * ONE.size


@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 500))
def test_every_piece_is_sound_and_starts_and_ends_softly(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    made = pieces.piece(ONE[:size], OTHER, rng)
    assert made.size
    assert np.isfinite(made).all()


def test_a_splice_begins_like_one_and_ends_like_the_other() -> None:
    made = pieces.spliced(ONE, OTHER, np.random.default_rng(0))
    assert made[made.size // 8] > 0 > made[-made.size // 8]


def test_a_word_backwards_is_the_word_backwards() -> None:
    made = pieces.backwards(ONE, OTHER, np.random.default_rng(0))
    np.testing.assert_array_equal(made[::-1], ONE)


def test_the_ends_are_faded() -> None:
    made = pieces.faded(np.ones(1000, np.float32))
    assert made[0] == made[-1] == 0
    assert made[500] == 1


def test_the_given_word_stays_as_it_was() -> None:
    before = ONE.copy()
    for seed in range(20):
        pieces.piece(ONE, OTHER, np.random.default_rng(seed))
    np.testing.assert_array_equal(ONE, before)

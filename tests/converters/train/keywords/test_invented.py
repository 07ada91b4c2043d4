"""Words that do not exist."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

invented = pytest.importorskip("edgekit_converters.train.keywords.invented")
wordlist = pytest.importorskip("edgekit_converters.train.keywords.wordlist")

SPELL = invented.Speller(wordlist.PLAIN)
SEEN = {f"^^{word}$"[at : at + 3] for word in wordlist.PLAIN for at in range(len(word) + 1)}


@given(st.integers(0, 10**9))
def test_three_letters_in_a_row_stand_in_a_word_of_the_list(seed: int) -> None:
    word = SPELL(np.random.default_rng(seed))
    assert 3 <= len(word) <= 11
    assert {f"^^{word}$"[at : at + 3] for at in range(len(word) + 1)} <= SEEN


def test_most_of_what_is_invented_is_no_word_of_the_list() -> None:
    rng = np.random.default_rng(1)
    made = [SPELL(rng) for _ in range(1000)]
    assert len(set(made)) > 500
    assert np.mean([word in wordlist.PLAIN for word in made]) < 0.3


def test_the_same_draws_give_the_same_words() -> None:
    first, again = np.random.default_rng(7), np.random.default_rng(7)
    assert [SPELL(first) for _ in range(9)] == [SPELL(again) for _ in range(9)]


def test_no_word_is_in_the_list_twice() -> None:
    assert len(set(wordlist.PLAIN)) == len(wordlist.PLAIN)

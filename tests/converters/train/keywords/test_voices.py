"""Synthetic voices: near words are near, not the same; nothing installed is no error."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit_converters.train.keywords import voices

needs_espeak = pytest.mark.skipif(not shutil.which("espeak-ng"), reason="no espeak-ng")


@given(seed=st.integers(0, 2**32 - 1))
def test_a_near_word_keeps_some_sounds(seed: int) -> None:
    sounds = ("k", "@", "m", "p", "j", "'u:", "t", "3")
    made = voices.near(sounds, ("b", "aI"), np.random.default_rng(seed))
    assert made
    assert set(made) & set(sounds)


@given(seed=st.integers(0, 2**32 - 1))
def test_a_misspelt_word_is_as_long(seed: int) -> None:
    assert len(voices.misspelt("computer", np.random.default_rng(seed))) == 8


def test_without_synthesisers_there_is_nothing_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(voices, "available", lambda: ())
    assert voices.spoken(["alexa"], 16000, 0, "en-us", each=2, others=2) == []
    assert "espeak-ng and flite is not installed" in caplog.text


@needs_espeak
def test_a_word_has_sounds() -> None:
    assert voices.phonemes("snowboy", "en-us") == ("s", "n", "'oU", "b", "OI")


@needs_espeak
def test_what_sounds_like_a_word_is_known_however_it_is_spelled() -> None:
    several = ["four", "sicks", "garden", "sick", "jarvis"]
    assert voices.alike(several, ["4", "six", "jarvis"], "en-us") == {"four", "sicks", "jarvis"}
    assert voices.alike(several, ["St. John", "jarvis"], "en-us") == {"jarvis"}
    assert voices.alike(several, ["garden"], "no such language") == {"garden"}


@needs_espeak
def test_words_and_others_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "available", lambda: ("espeak-ng",))
    found = voices.spoken(["alexa", "jarvis"], 16000, 0, "en-us", each=2, others=3)
    labels = [each.label for each in found]
    assert labels == ["alexa", "alexa", "jarvis", "jarvis", "", "", ""]
    words, others = found[:4], found[4:]
    assert all(0.1 < each.wave.size / 16000 < 2 for each in words)
    assert all(0.1 < each.wave.size / 16000 < 10 for each in others)  # up to twelve words


@needs_espeak
def test_the_same_seed_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "available", lambda: ("espeak-ng",))
    first, again = (
        voices.spoken(["alexa"], 16000, 3, "en-us", each=1, others=2) for _ in range(2)
    )
    assert [each.name for each in first] == [each.name for each in again]

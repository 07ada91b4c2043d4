"""Two sides: nobody, and nothing, is on both."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DataError
from edgekit_converters.train.keywords.recordings import Recording
from edgekit_converters.train.keywords.sides import divide, divide_others


def recording(number: int, label: str = "yes", speaker: str = "", size: int = 50) -> Recording:
    wave = np.random.default_rng(number).normal(size=size).astype(np.float32)
    return Recording(f"{label}/{speaker}{number}.wav", label, speaker, wave)


@given(count=st.integers(2, 60), share=st.floats(0.05, 0.6), seed=st.integers(0, 99))
def test_every_recording_is_on_one_side(count: int, share: float, seed: int) -> None:
    every = [recording(n, label) for label in ("yes", "no") for n in range(count)]
    sides = divide(every, share, seed)
    names = [{each.name for each in side} for side in sides]
    assert not names[0] & names[1]
    assert len(names[0]) + len(names[1]) == 2 * count
    for label in ("yes", "no"):
        held = sum(each.label == label for each in sides[1])
        assert abs(held - share * count) <= 1


def test_a_speaker_is_on_one_side() -> None:
    every = [
        recording(n, label, speaker)
        for label in ("yes", "no")
        for speaker in ("anna", "bert", "cleo", "dora", "emil")
        for n in range(4)
    ]
    learned, held = divide(every, 0.2, 0)
    assert len({each.speaker for each in held}) == 1
    assert not {each.speaker for each in held} & {each.speaker for each in learned}


def test_few_speakers_are_on_both_sides_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    every = [recording(n, speaker=who) for who in ("anna", "bert") for n in range(10)]
    _, held = divide(every, 0.2, 0)
    assert len(held) == 4
    assert "The names tell 2 speakers" in caplog.text


def test_the_same_sound_under_two_names_is_on_one_side() -> None:
    every = [recording(n // 2) for n in range(20)]
    sides = divide(every, 0.3, 0)
    sounds = [{each.wave.tobytes() for each in side} for side in sides]
    assert not sounds[0] & sounds[1]


def test_one_recording_is_too_few() -> None:
    with pytest.raises(DataError, match=r"'yes' has 1 recordings"):
        divide([recording(0)], 0.2, 0)


def test_the_division_repeats() -> None:
    every = [recording(n) for n in range(20)]
    first, again = (divide(every, 0.2, 7) for _ in range(2))
    assert [each.name for each in first[1]] == [each.name for each in again[1]]


def test_few_long_recordings_are_cut_in_time() -> None:
    (learned,), (held,) = divide_others([recording(0, "", size=1000)], 0.2, 0)
    assert (learned.wave.size, held.wave.size) == (800, 200)


def test_many_others_are_divided_as_files() -> None:
    learned, held = divide_others([recording(n, "") for n in range(40)], 0.25, 0)
    assert (len(learned), len(held)) == (30, 10)

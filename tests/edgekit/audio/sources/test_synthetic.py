"""Spoken words that are where they are said to be, the same each time."""

import importlib.resources
import logging
from collections import Counter
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.audio.sources import open_sound
from edgekit.audio.sources.synthetic import WORDS, Synthetic

RATE = 16_000


def sound(source: Synthetic, seconds: float) -> NDArray[np.float32]:
    pieces = []
    for chunk in source.chunks():
        pieces.append(chunk.samples)
        if chunk.t >= seconds:
            source.close()
    return np.concatenate(pieces)


def test_the_same_seed_gives_the_same_samples() -> None:
    first, again, other = (sound(Synthetic(RATE, seed), 5) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[: 4 * RATE], other[: 4 * RATE])


def test_words_are_where_they_are_said_to_be_and_between_them_it_is_quiet() -> None:
    source = Synthetic(RATE)
    wave, last = sound(source, 30), 0
    for spoken in islice(source.spoken(), 12):
        begin, end = round(spoken.begin * RATE), round(spoken.end * RATE)
        assert np.abs(wave[begin:end]).max() > 0.1
        assert np.abs(wave[last:begin]).max() < 0.02
        assert 0.25 < spoken.end - spoken.begin < 1.2
        last = end
    assert np.abs(wave).max() <= 1


def test_each_round_has_all_words_and_as_many_others() -> None:
    rounds = list(islice(Synthetic(RATE).spoken(), 8 * 20))
    counts = Counter(spoken.word for spoken in rounds)
    assert {counts[word] for word in WORDS} == {20}
    assert len(counts) > 12
    assert len({spoken.voice for spoken in rounds if spoken.word == "alexa"}) == 4


def test_pieces_follow_one_another() -> None:
    source = Synthetic(RATE)
    chunks = list(islice(source.chunks(), 200))
    ends = [each.t + each.samples.size / RATE for each in chunks]
    assert [each.t for each in chunks] == pytest.approx([0.0, *ends[:-1]])
    assert min(each.samples.size for each in chunks) > 0
    assert {(each.lost, each.name) for each in chunks} == {(0, "")}


def test_the_log_tells_each_word_as_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    source = Synthetic(RATE)
    with caplog.at_level(logging.INFO):
        sound(source, 10)
    told = [record.getMessage() for record in caplog.records]
    for line, spoken in zip(told, source.spoken(), strict=False):
        assert line == f"{spoken.begin:.2f} s: {spoken.word}, spoken by {spoken.voice}"
    assert len(told) > 4


@pytest.mark.parametrize(("text", "seed"), [("synthetic", 0), ("synthetic:7", 7)])
def test_the_name_may_have_a_seed(text: str, seed: int) -> None:
    with open_sound(text, 8000) as source:
        assert isinstance(source, Synthetic)
        assert list(islice(source.spoken(), 9)) == list(
            islice(Synthetic(8000, seed).spoken(), 9)
        )
        assert (source.live, source.length_s, source.sample_rate_hz) == (False, None, 8000)


def test_the_clips_are_small() -> None:
    place = importlib.resources.files("edgekit.audio.sources")
    sizes = [len((place / f"speech.{suffix}").read_bytes()) for suffix in ("opus", "json")]
    assert sum(sizes) <= 60_000

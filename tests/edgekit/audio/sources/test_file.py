"""Recordings come in pieces that are the whole, and then a moment of silence."""

import logging
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from edgekit.audio.chunk import CHUNK_S, Chunk
from edgekit.audio.sources import open_sound
from edgekit.audio.sources.file import REST_S
from edgekit.data.sounds import read_sound
from edgekit.errors import DataError

RATE = 16_000


def noise(samples: int, channels: int = 1) -> NDArray[np.float32]:
    wave = np.random.default_rng(samples).uniform(-0.5, 0.5, (samples, channels))
    return wave.astype(np.float32)


def heard(path: Path) -> list[Chunk]:
    with open_sound(str(path), RATE) as source:
        return list(source.chunks())


def joined(chunks: list[Chunk]) -> NDArray[np.float32]:
    return np.concatenate([each.samples for each in chunks])


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_pieces_are_the_whole_file(
    tmp_path: Path, suffix: str, rate: int, channels: int
) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, noise(rate, channels), rate)
    found, whole = joined(heard(path)), read_sound(path, RATE)
    assert np.array_equal(found[: whole.size], whole)
    assert found.size - whole.size == REST_S * RATE
    assert not found[whole.size :].any()


def test_pieces_say_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(44_100), 44_100)
    chunks = heard(path)
    ends = [each.t + each.samples.size / RATE for each in chunks]
    assert [each.t for each in chunks] == pytest.approx([0, *ends[:-1]])
    assert max(each.samples.size for each in chunks) <= 1.5 * CHUNK_S * RATE
    assert min(each.samples.size for each in chunks) > 0
    assert {(each.name, each.lost) for each in chunks} == {(str(path), 0)}


def test_what_a_recording_is(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(8000), 8000)
    with open_sound(str(path), RATE) as source:
        assert (source.live, source.lost_s, source.sample_rate_hz) == (False, 0.0, RATE)
        assert source.length_s == 1 + REST_S
        assert source.description == str(path)


@pytest.mark.parametrize(
    "begun", [False, True], ids=["before the first piece", "in the middle"]
)
def test_a_closed_recording_gives_no_more(tmp_path: Path, begun: bool) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(RATE), RATE)
    source = open_sound(str(path), RATE)
    chunks = source.chunks()
    if begun:
        next(chunks)
    source.close()
    assert list(chunks) == []


def test_a_long_recording_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(120 * RATE, np.int16), RATE)
    with open_sound(str(path), RATE) as source:
        chunks, most = source.chunks(), 0
        tracemalloc.start()
        try:
            seconds = sum(each.samples.size for each in chunks) / RATE
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert seconds == 120 + REST_S
    assert most < 1e6


def test_what_follows_damage_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(4 * RATE), RATE)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle:] = bytes(len(data) - middle)
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        seconds = joined(heard(path)).size / RATE
    assert REST_S + 1 < seconds < REST_S + 2.2
    assert "a.flac cannot be read as sound" in caplog.text
    assert "s on, is left out" in caplog.text


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"RIFF", id="cut off at once"),
        pytest.param(b"no sound at all" * 99, id="text"),
    ],
)
def test_what_is_no_sound_is_refused_and_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a\.wav"):
        open_sound(str(path), RATE)


def test_a_recording_of_no_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0), RATE)
    with pytest.raises(DataError, match=r"a\.wav holds no sound"):
        open_sound(str(path), RATE)


@pytest.mark.data
@pytest.mark.parametrize("name", ["white_4.wav", "white_5.wav"])
def test_headers_that_claim_no_data_are_read_by_the_files_length(
    name: str, data_dir: Path
) -> None:
    path = data_dir / "keywords/noises" / name
    whole = read_sound(path, RATE)
    assert whole.size > RATE
    assert np.array_equal(joined(heard(path))[: whole.size], whole)

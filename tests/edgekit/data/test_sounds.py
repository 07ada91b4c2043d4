"""Sound files become mono at one rate, or one message."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.sounds import fit_length, read_sound
from edgekit.errors import DataError, MissingExtra

TONE = (0.5 * np.sin(np.arange(4000) / 5)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".aiff"])
def test_every_format_is_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, TONE, 8000)
    wave = read_sound(path, 8000)
    assert wave.dtype == np.float32
    assert wave.shape == (4000,)
    assert np.abs(wave - TONE).max() < (0.2 if suffix == ".ogg" else 1e-4)


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([TONE, -TONE], axis=1), 8000)
    assert np.abs(read_sound(path, 8000)).max() < 1e-4


def test_another_rate_is_resampled(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, TONE, 8000)
    assert read_sound(path, 16000).shape == (8000,)


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 10**6], ids=["zero", "streamed", "cut off"])
def test_a_header_that_was_never_finalised_is_read_to_the_end(
    claimed: int, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, TONE, 8000)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", claimed)
    data[4:8] = struct.pack("<I", claimed)
    path.write_bytes(data)
    assert read_sound(path, 8000).shape == (4000,)


@given(length=st.integers(1, 50), samples=st.integers(1, 50))
def test_the_centre_is_cut_or_zeros_are_put_around(length: int, samples: int) -> None:
    wave = np.arange(1, length + 1, dtype=np.float32)
    fitted = fit_length(wave, samples)
    assert fitted.shape == (samples,)
    kept = fitted[fitted > 0]
    assert kept.size == min(length, samples)
    assert (np.diff(kept) == 1).all()
    before, after = (kept[0] - 1, length - kept[-1]) if length >= samples else (
        np.flatnonzero(fitted)[0], samples - 1 - np.flatnonzero(fitted)[-1]
    )  # fmt: skip
    assert 0 <= after - before <= 1


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"RIFF", id="cut off at once"),
        pytest.param(b"\x00" * 4000, id="zeros"),
        pytest.param(b"fLaC" + bytes(range(256)) * 4, id="damaged FLAC"),
    ],
)
def test_what_is_no_sound_is_refused_and_named(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "hello.wav"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"hello\.wav"):
        read_sound(path, 16000)


def test_a_sound_without_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, TONE[:0], 8000)
    with pytest.raises(DataError, match="0 samples"):
        read_sound(path, 8000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    wave = TONE.copy()
    wave[7] = value
    path = tmp_path / "a.wav"
    soundfile.write(path, wave, 8000, subtype="FLOAT")
    with pytest.raises(DataError, match=r"a\.wav holds samples that are no numbers"):
        read_sound(path, 8000)


def test_a_file_of_endless_small_chunks_is_not_searched_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF\x00\x00\x00\x00WAVE" + b"junk\x00\x00\x00\x00" * 100_000)
    with pytest.raises(DataError, match=r"a\.wav"):
        read_sound(path, 8000)


def test_without_libsndfile_the_package_that_brings_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a 32-bit Raspberry Pi the wheel has no library of its own."""
    (tmp_path / "soundfile.py").write_text("raise OSError('no libsndfile.so')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "soundfile")
    with pytest.raises(MissingExtra, match=r"no libsndfile\.so(.|\n)*apt install libsndfile1"):
        read_sound(tmp_path / "sound.wav", 16_000)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.wav.*No such file"):
        read_sound(tmp_path / "gone.wav", 8000)


@given(changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6))
def test_damage_gives_sound_or_one_message(
    changes: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("sound") / "a.wav"
    soundfile.write(path, TONE, 8000)
    data = bytearray(path.read_bytes())
    for position, value in changes:
        data[position] = value
    path.write_bytes(data)
    try:
        wave = read_sound(path, 8000)
    except DataError:
        return
    assert wave.ndim == 1


@pytest.mark.data
@pytest.mark.parametrize("name", ["white_4.wav", "white_5.wav"])
def test_real_unfinalised_headers_are_read(name: str, data_dir: Path) -> None:
    path = data_dir / "keywords/noises" / name
    seconds = read_sound(path, 16000).size / 16000
    assert seconds == pytest.approx((path.stat().st_size - 44) / 2 / 44100, abs=0.01)

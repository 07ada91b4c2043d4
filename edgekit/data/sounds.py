"""Read sound from files: mono, at the sample rate asked for."""

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.data.resample import resample
from edgekit.errors import DataError

SUFFIXES = frozenset({".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"})
MAX_SAMPLES = 2**27  # 46 minutes at 48 kHz, 512 MB


def read_sound(path: Path, sample_rate_hz: int) -> NDArray[np.float32]:
    """Read a sound file as mono at a sample rate.

    Channels are averaged. A WAV file whose header was never finalised, so that it claims
    another length than it has, is read to the end of the file.

    Args:
        path: A file that libsndfile knows: WAV, FLAC, OGG, MP3, AIFF.
        sample_rate_hz: The rate wanted.

    Returns:
        Shape (samples,), in [-1, 1].

    Raises:
        DataError: The file is missing, empty, too long, or libsndfile cannot read it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise DataError(msg) from error
    wave, rate = _decode(_finalised(data), path)
    if not wave.size:
        msg = f"{path} holds no sound: it has 0 samples."
        raise DataError(msg)
    return resample(wave.mean(axis=1, dtype=np.float32), rate, sample_rate_hz)


def fit_length(wave: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Give a sound the model's length: its centre, or itself between zeros.

    Of an odd number of samples to cut or to add, the end gets one more.

    Args:
        wave: Shape (n,).
        samples: The length wanted.
    """
    if wave.size >= samples:
        start = (wave.size - samples) // 2
        return wave[start : start + samples]
    before = (samples - wave.size) // 2
    return np.pad(wave, (before, samples - wave.size - before))


def _decode(data: bytes, path: Path) -> tuple[NDArray[np.float32], int]:
    """Return the samples, shape (samples, channels), and their rate."""
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.frames * file.channels > MAX_SAMPLES:
                msg = f"{path} claims {file.frames} samples; at most {MAX_SAMPLES} are read."
                raise DataError(msg)
            wave: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
            return wave, int(file.samplerate)
    except soundfile.SoundFileError as error:
        msg = f"{path} cannot be read as sound: {error}"
        raise DataError(msg) from error


def _finalised(data: bytes) -> bytes:
    """Correct the length in the header of a WAV file that was never finalised."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return data
    position = 12
    while position + 8 <= len(data):
        (size,) = struct.unpack_from("<I", data, position + 4)
        rest = len(data) - position - 8
        if data[position : position + 4] == b"data":
            if 0 < size <= rest:
                return data
            whole = struct.pack("<I", len(data) - 8)
            return (
                data[:4] + whole + data[8 : position + 4] + struct.pack("<I", rest)
                + data[position + 8 :]
            )  # fmt: skip
        position += 8 + size + size % 2
    return data

"""Read sound from files: mono, at the sample rate asked for."""

import contextlib
import io
import struct
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgekit.data.resample import resample
from edgekit.errors import DataError, MissingExtra
from edgekit.live.closing import Closing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SUFFIXES = frozenset({".aif", ".aiff", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav"})
MAX_SAMPLES = 2**27  # 46 minutes at 48 kHz, 512 MB
_CHUNKS = 1000  # of a WAV file are looked through for its data
_MOST = 2**32 - 1  # that a length in a WAV file can be


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
    with SoundFile(path) as file:
        if file.samples * file.channels > MAX_SAMPLES:
            msg = f"{path} claims {file.samples} samples; at most {MAX_SAMPLES} are read."
            raise DataError(msg)
        wave = file.read(-1)
    if not wave.size:
        msg = f"{path} holds no sound: it has 0 samples."
        raise DataError(msg)
    return resample(wave, file.sample_rate_hz, sample_rate_hz)


class SoundFile(Closing):
    """A sound file that is read piece by piece, its channels averaged.

    Args:
        path: A file that libsndfile knows.

    Raises:
        DataError: The file is missing or empty, or libsndfile cannot read it.
        MissingExtra: There is no libsndfile.
    """

    def __init__(self, path: Path) -> None:
        soundfile = _library()
        self._path = path
        self._refused = soundfile.SoundFileError
        with contextlib.ExitStack() as stack:
            try:
                data = stack.enter_context(_Finalised(path))
                self._file = stack.enter_context(soundfile.SoundFile(data))
            except OSError as error:
                msg = f"Cannot read {path}: {error.strerror}."
                raise DataError(msg) from error
            except soundfile.SoundFileError as error:
                raise self._unreadable(error) from error
            self._stack = stack.pop_all()
        self.sample_rate_hz = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.samples = int(self._file.frames)  # as the file claims

    def read(self, samples: int) -> NDArray[np.float32]:
        """Return the next samples, shape (n,); fewer at the end, -1 for all.

        Raises:
            DataError: The file is damaged here, or its samples are no numbers.
        """
        try:
            wave = self._file.read(samples, dtype="float32", always_2d=True)
        except self._refused as error:
            raise self._unreadable(error) from error
        mono: NDArray[np.float32] = wave.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            msg = f"{self._path} holds samples that are no numbers (NaN or infinite)."
            raise DataError(msg)
        return mono

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def _unreadable(self, error: Exception) -> DataError:
        why = str(getattr(error, "error_string", error)).removeprefix("Error : ")
        return DataError(f"{self._path} cannot be read as sound: {why}")


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


def _library() -> ModuleType:
    """Load what reads sound; on some systems a part of it is a package of theirs."""
    try:
        import soundfile
    except OSError as error:
        msg = (
            f"soundfile is needed to read sound, and it cannot be loaded: {error}.\n"
            "Install its library with: sudo apt install libsndfile1"
        )
        raise MissingExtra(msg) from error
    loaded: ModuleType = soundfile
    return loaded


class _Finalised(io.FileIO):
    """A file; of a WAV file whose length was never written, with the true one in the header.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._patches = _patches(self, path.stat().st_size)

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        """Read, and put the corrected numbers in their places."""
        begin = self.tell()
        count = super().readinto(buffer)
        view = memoryview(buffer).cast("B")
        for place, value in self._patches.items():
            if count and begin <= place < begin + count:
                view[place - begin] = value
        return count


def _patches(file: BinaryIO, size: int) -> dict[int, int]:
    """Find out which bytes of a WAV file must be others; leaves the file at its beginning."""
    found: dict[int, int] = {}
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        position = 12
        for _ in range(_CHUNKS):
            if len(chunk := file.read(8)) < 8:
                break
            (claimed,) = struct.unpack_from("<I", chunk, 4)
            rest = size - position - 8
            if chunk[:4] == b"data":
                if not 0 < claimed <= rest:
                    whole = {4: size - 8, position + 4: rest}
                    for place, value in whole.items():
                        found.update(enumerate(struct.pack("<I", min(value, _MOST)), place))
                break
            position += 8 + claimed + claimed % 2
            file.seek(position)
    file.seek(0)
    return found

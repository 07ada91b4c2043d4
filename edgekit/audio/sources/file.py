"""Recordings: files that libsndfile reads, however long."""

import contextlib
import logging
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.chunk import CHUNK_S, Chunk
from edgekit.audio.sources.source import SoundSource
from edgekit.data.resample import Resampler
from edgekit.data.sounds import SoundFile
from edgekit.errors import DataError
from edgekit.live.closing import Closing

FORM = "speech.wav: a recording, in any format that libsndfile reads"
REST_S = 0.5  # of silence after a recording, so that a word at its very end is heard out

_LONGEST_S = 1e7  # a length that a file may claim

_log = logging.getLogger(__name__)


def accepts(text: str) -> bool:
    """Whether it is a file."""
    return Path(text).is_file()


def open_source(text: str, sample_rate_hz: int) -> SoundSource:
    """Open a recording.

    Args:
        text: Its path.
        sample_rate_hz: The rate wanted.

    Raises:
        DataError: It is no sound that libsndfile reads, or holds none.
    """
    return Recording(Path(text), sample_rate_hz)


class Recording(Closing):
    """A recording in pieces, and half a second of silence after it; memory does not grow.

    Args:
        path: The file.
        sample_rate_hz: The rate wanted.
        samples: That came before it, as the first place in the source.

    Raises:
        DataError: It is no sound that libsndfile reads, or holds none.
    """

    live = False
    lost_s = 0.0

    def __init__(self, path: Path, sample_rate_hz: int, samples: int = 0) -> None:
        self.description = str(path)
        self.sample_rate_hz = sample_rate_hz
        self._over = False
        self._began = self._samples = samples
        self.damaged = 0
        self._file = SoundFile(path)
        with contextlib.ExitStack() as undo:
            undo.enter_context(self._file)
            self._resampler = Resampler(self._file.sample_rate_hz, sample_rate_hz)
            self._first = self._beginning()
            undo.pop_all()

    @property
    def length_s(self) -> float | None:
        """As the file claims, and the silence."""
        claimed = self._file.samples / self._file.sample_rate_hz
        return claimed + REST_S if 0 < claimed < _LONGEST_S else None

    @property
    def ended(self) -> int:
        """How many samples there were up to the end, those that came before it included."""
        return self._samples

    def chunks(self) -> Generator[Chunk, None, None]:
        """Yield every piece."""
        try:
            for samples in self._resampled():
                if self._over:
                    return
                if samples.size:
                    t = self._samples / self.sample_rate_hz
                    self._samples += samples.size
                    yield Chunk(t, samples, name=self.description)
        finally:
            self._file.close()

    def close(self) -> None:
        """End the recording; `chunks` lets the file go if it has begun."""
        self._over = True
        if self._first.size:
            self._file.close()

    @property
    def _piece(self) -> int:
        return round(CHUNK_S * self._file.sample_rate_hz)

    def _beginning(self) -> NDArray[np.float32]:
        """Return the first piece.

        Raises:
            DataError: There is none.
        """
        samples = self._file.read(self._piece)
        if not samples.size:
            msg = f"{self.description} holds no sound: it has 0 samples."
            raise DataError(msg)
        return samples

    def _resampled(self) -> Iterator[NDArray[np.float32]]:
        samples, self._first = self._first, self._first[:0]
        while samples.size:
            yield self._resampler.push(samples)
            samples = self._next()
        yield self._resampler.finish()
        piece = round(CHUNK_S * self.sample_rate_hz)
        for _ in range(round(REST_S / CHUNK_S)):
            yield np.zeros(piece, np.float32)

    def _next(self) -> NDArray[np.float32]:
        """Return the next piece, none where the file is damaged: what follows is left out."""
        try:
            return self._file.read(self._piece)
        except DataError as error:
            self.damaged = 1
            seconds = (self._samples - self._began) / self.sample_rate_hz
            _log.warning("%s The rest, from %.1f s on, is left out.", error, seconds)
            return self._first

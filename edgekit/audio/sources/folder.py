"""Folders of recordings, and those that fit a pattern."""

import logging
from collections.abc import Generator, Iterator
from pathlib import Path

from edgekit.audio.chunk import Chunk
from edgekit.audio.sources.file import Recording
from edgekit.audio.sources.source import SoundSource
from edgekit.data.find import is_several, several
from edgekit.data.sounds import SUFFIXES
from edgekit.errors import DataError
from edgekit.live.closing import Closing

FORM = "words/ or 'words/*.wav': recordings, in the order of their names"

_MOST_NAMED = 5

_log = logging.getLogger(__name__)


def accepts(text: str) -> bool:
    """Whether it is a folder or a pattern."""
    return is_several(text)


def open_source(text: str, sample_rate_hz: int) -> SoundSource:
    """Open recordings.

    Args:
        text: A folder, read with all folders in it, or a pattern such as `words/*.wav`.
        sample_rate_hz: The rate wanted.

    Raises:
        DataError: There is none, or none can be read.
    """
    return Folder(text, several(text, SUFFIXES, "recording"), sample_rate_hz)


class Folder(Closing):
    """Recordings one after the other, silence between them; unreadable ones are left out.

    Args:
        text: What was asked for.
        files: The recordings.
        sample_rate_hz: The rate wanted.

    Raises:
        DataError: None of them can be read.
    """

    live = False
    lost_s = 0.0
    length_s = None

    def __init__(self, text: str, files: list[Path], sample_rate_hz: int) -> None:
        self.description = f"{text} ({len(files)} recordings)"
        self.sample_rate_hz = sample_rate_hz
        self.damaged = 0
        self._over = False
        self._recordings = self._open(files)
        self._current = next(self._recordings, None)
        if self._current is None:
            msg = f"None of the {len(files)} recordings in {text} can be read."
            raise DataError(msg)

    def chunks(self) -> Generator[Chunk, None, None]:
        """Yield every piece of every recording."""
        while self._current is not None:
            yield from self._current.chunks()
            self._current = None if self._over else next(self._recordings, None)

    def close(self) -> None:
        """Read no more."""
        self._over = True
        if self._current is not None:
            self._current.close()

    def _open(self, files: list[Path]) -> Iterator[Recording]:
        samples = 0
        for file in files:
            try:
                recording = Recording(file, self.sample_rate_hz, samples)
            except DataError as error:
                self.damaged += 1
                if self.damaged <= _MOST_NAMED:
                    _log.warning("Left out: %s", error)
                if self.damaged == _MOST_NAMED + 1:
                    _log.warning("Further recordings that cannot be read are only counted.")
            else:
                yield recording
                samples = recording.ended
                self.damaged += recording.damaged

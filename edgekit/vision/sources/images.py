"""Pictures: one, a folder of them, or those that fit a pattern."""

import logging
from collections.abc import Generator, Iterator
from pathlib import Path

from edgekit.data.find import is_several, several
from edgekit.data.images import SUFFIXES, read_image
from edgekit.data.opencv import Pixels
from edgekit.errors import DataError
from edgekit.live.closing import Closing
from edgekit.vision.frame import Frame
from edgekit.vision.sources.source import Source

FORM = "photos/ or 'photos/*.jpg': pictures, in the order of their names"

_SECONDS = 1.0  # each picture stands for
_MOST_NAMED = 5

_log = logging.getLogger(__name__)


def accepts(text: str) -> bool:
    """Whether it is a folder, a picture or a pattern."""
    path = Path(text)
    return is_several(text) or (path.is_file() and path.suffix.lower() in SUFFIXES)


def open_source(text: str) -> Source:
    """Open pictures.

    Args:
        text: A picture, a folder, read with all folders in it, or a pattern such as
            `photos/*.jpg`.

    Raises:
        DataError: There is none, or none can be read.
    """
    path = Path(text)
    return Images(text, [path] if path.is_file() else several(text, SUFFIXES, "picture"))


class Images(Closing):
    """Pictures as if they were a film of one frame a second; unreadable ones are left out.

    Args:
        text: What was asked for.
        files: The pictures.

    Raises:
        DataError: None of them can be read.
    """

    live = False
    dropped = 0

    def __init__(self, text: str, files: list[Path]) -> None:
        self.description = text if len(files) == 1 else f"{text} ({len(files)} pictures)"
        self.damaged = 0
        self._over = False
        self._pictures = self._read(files)
        self._first = next(self._pictures, None)
        if self._first is None:
            msg = f"None of the {len(files)} pictures in {text} can be read."
            raise DataError(msg)
        self.size = (int(self._first.shape[0]), int(self._first.shape[1]))

    def frames(self) -> Generator[Frame, None, None]:
        """Yield every picture."""
        index = 0
        pixels, self._first = self._first, None
        while pixels is not None and not self._over:
            yield Frame(index, index * _SECONDS, pixels, "rgb")
            pixels = next(self._pictures, None)
            index += 1

    def close(self) -> None:
        """Read no more."""
        self._over = True

    def _read(self, files: list[Path]) -> Iterator[Pixels]:
        for file in files:
            try:
                yield read_image(file)
            except DataError as error:
                self.damaged += 1
                if self.damaged <= _MOST_NAMED:
                    _log.warning("Left out: %s", error)

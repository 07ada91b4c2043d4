"""Pictures: one, a folder of them, or those that fit a pattern."""

import glob
import logging
from collections.abc import Generator, Iterator
from pathlib import Path

from edgekit.data.images import SUFFIXES, read_image
from edgekit.data.opencv import Pixels
from edgekit.errors import DataError
from edgekit.live.closing import Closing
from edgekit.vision.frame import Frame
from edgekit.vision.sources.source import Source

FORM = "photos/ or 'photos/*.jpg': pictures, in the order of their names"

_SECONDS = 1.0  # each picture stands for
_WILD = frozenset("*?[")
_MOST_NAMED = 5

_log = logging.getLogger(__name__)


def accepts(text: str) -> bool:
    """Whether it is a folder, a picture or a pattern."""
    path = Path(text)
    if text and path.is_dir():
        return True
    if path.is_file():
        return path.suffix.lower() in SUFFIXES
    return "://" not in text and not _WILD.isdisjoint(text)


def open_source(text: str) -> Source:
    """Open pictures.

    Args:
        text: A picture, a folder, read with all folders in it, or a pattern such as
            `photos/*.jpg`.

    Raises:
        DataError: There is none, or none can be read.
    """
    return Images(text, _found(text))


def _found(text: str) -> list[Path]:
    """List the pictures.

    Raises:
        DataError: There is none.
    """
    path = Path(text)
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES)
    else:
        found = sorted(Path(each) for each in glob.glob(text, recursive=True))  # noqa: PTH207 (takes absolute patterns)
    files = [each for each in found if each.is_file()]
    if not files:
        msg = f"There is no picture in {text}; known are {' '.join(sorted(SUFFIXES))}."
        raise DataError(msg)
    return files


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

"""Films: files that FFmpeg reads."""

import math
import os
from collections.abc import Generator
from pathlib import Path

from edgekit.data.opencv import Pixels
from edgekit.data.video import MAX_PIXELS, Capture, open_capture
from edgekit.errors import DataError
from edgekit.live.closing import Closing
from edgekit.vision.frame import Frame
from edgekit.vision.sources.source import Source

FORM = "film.mp4: a film, in any format that FFmpeg reads"

_USUAL_S = 1 / 25  # between frames, where the file says nothing that can be true
_LONGEST_S = 10.0


def accepts(text: str) -> bool:
    """Whether it is a file."""
    return Path(text).is_file()


def open_source(text: str) -> Source:
    """Open a film.

    Args:
        text: Its path.

    Raises:
        DataError: It is no film that OpenCV reads, or has no frame.
    """
    return Film(Path(text))


class Film(Closing):
    """All frames of a film, one after the other; neither their rate nor number is believed.

    Args:
        path: The file.

    Raises:
        DataError: It is no film that OpenCV reads, or has no frame.
    """

    live = False
    dropped = 0

    def __init__(self, path: Path) -> None:
        self.description = str(path)
        self.damaged = 0
        self._over = False
        # An absolute path cannot be taken for an address.
        # Half of the cores decode: the others have the model to run meanwhile.
        threads = max((os.cpu_count() or 1) // 2, 1)
        opened = open_capture(str(path.resolve()), settings={"N_THREADS": threads})
        if opened is None:
            msg = f"{path} is not a film that OpenCV can read, or it is damaged."
            raise DataError(msg)
        self._opened: Capture = opened
        too_large = _too_large(opened.size)
        self._first = None if too_large else self._next()
        if self._first is None:
            opened.close()
            why = too_large or "has no frame that can be read; is it cut off, or a sound?"
            msg = f"{path} {why}"
            raise DataError(msg)
        self.size = (int(self._first.shape[0]), int(self._first.shape[1]))

    def frames(self) -> Generator[Frame, None, None]:
        """Yield every frame."""
        index, t = 0, 0.0
        pixels, self._first = self._first, None
        try:
            while pixels is not None and not self._over:
                yield Frame(index, t, pixels, "bgr")
                pixels = self._next()
                index, t = index + 1, _later(t, self._opened.position_s)
        finally:
            self._opened.close()

    def close(self) -> None:
        """End the film; `frames` lets the file go if it has begun."""
        self._over = True
        if self._first is not None:
            self._opened.close()

    def _next(self) -> Pixels | None:
        while (pixels := self._opened.read()) is not None and not pixels.size:
            self.damaged += 1
        return pixels


def _too_large(size: tuple[int, int]) -> str:
    height, width = size
    if height * width <= MAX_PIXELS:
        return ""
    return f"has frames of {width} x {height}; at most {MAX_PIXELS} pixels are read."


def _later(before: float, position: float) -> float:
    """Return where the film is: as the file says, if that can be true."""
    if math.isfinite(position) and before < position <= before + _LONGEST_S:
        return position
    return before + _USUAL_S

"""The few OpenCV functions that reading and writing films takes, with types."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from edgekit.data.opencv import Pixels
from edgekit.errors import EdgekitError
from edgekit.extras import need

MAX_PIXELS = 2**26  # of a frame; 8K has half as many

_QUIET = {"OPENCV_FFMPEG_LOGLEVEL": "-8", "OPENCV_LOG_LEVEL": "SILENT"}


class Capture:
    """A film, camera or stream that OpenCV has opened. Made by `open_capture`.

    One thread at a time may use it.
    """

    def __init__(self, cv2: Any, opened: Any) -> None:
        self._cv2 = cv2
        self._opened = opened

    def read(self) -> Pixels | None:
        """Return the next picture, blue first; None at the end, or when it was lost."""
        try:
            found, pixels = self._opened.read()
        except self._cv2.error:
            return None
        return cast("Pixels", pixels) if found else None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width as the header has them; 0 where it says nothing."""
        sides = (self._cv2.CAP_PROP_FRAME_HEIGHT, self._cv2.CAP_PROP_FRAME_WIDTH)
        height, width = (int(max(self._opened.get(side), 0)) for side in sides)
        return height, width

    @property
    def position_s(self) -> float:
        """Where the film is, in seconds, as its packets say; any number, or none at all."""
        return float(self._opened.get(self._cv2.CAP_PROP_POS_MSEC)) / 1000

    def close(self) -> None:
        """Let the file, device or connection go."""
        self._opened.release()


def open_capture(
    what: str | int, *, backend: str = "FFMPEG", settings: Mapping[str, int] | None = None
) -> Capture | None:
    """Open a film, a stream by its address, or a camera by its number.

    Args:
        what: Path, address or number.
        backend: OpenCV's name of what reads it, e.g. `V4L2`; one that is not built in
            leaves the choice to OpenCV.
        settings: Values of OpenCV's properties by name, e.g. `READ_TIMEOUT_MSEC`; those that
            this OpenCV does not know are left out.

    Returns:
        None where OpenCV cannot open it, or would not before its time is over.
    """
    # What FFmpeg thinks of damaged packets would fill a log without end.
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    cv2 = need("cv2", "read films and cameras")
    builtin = {cv2.videoio_registry.getBackendName(each) for each in _backends(cv2)}
    api = getattr(cv2, f"CAP_{backend}") if backend in builtin else cv2.CAP_ANY
    pairs = {getattr(cv2, f"CAP_PROP_{k}", None): v for k, v in (settings or {}).items()}
    flat = [
        int(each) for key, value in pairs.items() if key is not None for each in (key, value)
    ]
    try:
        opened = cv2.VideoCapture(what, api, flat)
    except cv2.error:
        return None
    if not opened.isOpened():
        opened.release()
        return None
    return Capture(cv2, opened)


def _backends(cv2: Any) -> tuple[int, ...]:
    return tuple(cv2.videoio_registry.getBackends())


class Recorder:
    """Writes a film, MPEG-4 in an mp4 file.

    Args:
        path: The file.
        size: Height and width of the frames.
        fps: Frames a second.

    Raises:
        EdgekitError: This OpenCV cannot write such a film there.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        cv2 = need("cv2", "write films")
        height, width = size
        code = cv2.VideoWriter_fourcc(*"mp4v")
        self._film = cv2.VideoWriter(str(path), code, float(fps), (width, height))
        self._size = size
        if not self._film.isOpened():
            self._film.release()
            msg = (
                f"OpenCV cannot write a film of {width} x {height} at {path}.\n"
                "Is there space, and may you write there?"
            )
            raise EdgekitError(msg)

    def write(self, pixels: Pixels) -> None:
        """Add a frame of the film's size, blue first."""
        self._film.write(np.ascontiguousarray(pixels))

    def close(self) -> None:
        """Finish the file; without this it cannot be played."""
        self._film.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

"""Where frames come from: cameras, films, pictures, streams, or drawn on the spot."""

from typing import Protocol

from edgekit.errors import DataError
from edgekit.vision.sources import (
    camera,
    images,
    mjpeg,
    picamera,
    stream,
    synthetic,
    video,
)
from edgekit.vision.sources.source import Source

__all__ = ["SOURCES", "Source", "open_source"]


class SourceModule(Protocol):
    """One kind of source: a module.

    Attributes:
        FORM: How it is written, for messages.
    """

    FORM: str

    def accepts(self, text: str) -> bool:
        """Whether a text names a source of this kind."""

    def open_source(self, text: str) -> Source:
        """Open it and see its first frame."""


# In this order they are asked.
SOURCES: dict[str, SourceModule] = {
    "synthetic": synthetic,
    "camera": camera,
    "picamera": picamera,
    "mjpeg": mjpeg,
    "stream": stream,
    "images": images,
    "video": video,
}


def open_source(text: str) -> Source:
    """Open a source of frames and see its first one.

    Args:
        text: A camera's number, `/dev/videoN`, `picamera`, a film, a folder or pattern of
            pictures, an address (`http://`, `rtsp://`, `tcp://`, `udp://`), or `synthetic`.

    Raises:
        DeviceError: A camera or stream cannot be opened; the text says what was tried.
        DataError: There is no such file, or it cannot be read.
        MissingExtra: A library that it needs is not installed.
    """
    for kind in SOURCES.values():
        if kind.accepts(text):
            return kind.open_source(text)
    forms = "".join(f"\n  {kind.FORM}" for kind in SOURCES.values())
    msg = f"There is no source '{text}': no such file, and no name of this form:{forms}"
    raise DataError(msg)

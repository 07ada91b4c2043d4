"""Streams from the network that FFmpeg reads: RTSP, and MPEG-TS over TCP or UDP."""

from urllib.parse import urlsplit

from edgekit.data.opencv import Pixels
from edgekit.data.video import open_capture
from edgekit.errors import DeviceError
from edgekit.vision.sources.address import without_password
from edgekit.vision.sources.live import Live
from edgekit.vision.sources.source import Source

FORM = "rtsp://..., tcp://host:port, udp://host:port: a stream from the network"
SETTINGS = {"OPEN_TIMEOUT_MSEC": 10_000, "READ_TIMEOUT_MSEC": 5_000}

_SCHEMES = frozenset({"rtsp", "rtsps", "tcp", "udp"})
_REMEDIES = {
    "udp": "Does anybody send to this port? Nothing came within 10 s.",
    "tcp": "Does a server listen there, and does it send MPEG-TS?",
}


def accepts(text: str) -> bool:
    """Whether it is the address of such a stream."""
    scheme, colon, _ = text.partition("://")
    return bool(colon) and scheme.lower() in _SCHEMES


def open_source(text: str) -> Source:
    """Open a stream.

    Args:
        text: Its address.

    Raises:
        DeviceError: It cannot be reached, or gives no picture.
    """
    return Live(lambda: Stream(text), without_password(text), "bgr")


class Stream:
    """A connection to a stream.

    Args:
        address: Where it is.

    Raises:
        DeviceError: It cannot be opened.
    """

    def __init__(self, address: str) -> None:
        opened = open_capture(address, settings=SETTINGS)
        if opened is None:
            scheme = urlsplit(address).scheme
            remedy = _REMEDIES.get(scheme, "Are the address, the name and the password right?")
            msg = f"{without_password(address)} cannot be opened as a stream.\n{remedy}"
            raise DeviceError(msg)
        self._opened = opened

    def read(self) -> Pixels | None:
        """Wait for the next picture."""
        return self._opened.read()

    def interrupt(self) -> None:
        """Do nothing: a read ends after its time is over."""

    def close(self) -> None:
        """End the connection."""
        self._opened.close()

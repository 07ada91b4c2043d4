"""Motion JPEG over HTTP: what most network cameras and streamers offer.

An answer of type multipart/x-mixed-replace goes on for ever, one JPEG a part. Every part,
line and wait has a limit, so that a server cannot fill the memory or hold the reader.
"""

import contextlib
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from edgekit.data.images import decode_image
from edgekit.data.opencv import Pixels
from edgekit.errors import DeviceError
from edgekit.vision.sources.address import without_password
from edgekit.vision.sources.live import Live
from edgekit.vision.sources.source import Source

if TYPE_CHECKING:  # they take a while, and other sources need none of them
    from email.message import Message
    from http.client import HTTPResponse

FORM = "http://host:port/path: Motion JPEG over HTTP"
TIMEOUT_S = 5.0
MAX_PART = 2**25  # bytes; a JPEG of 8K has about a third
MAX_HEADERS = 2**14

_CHUNK = 2**16
_SPACE = b"\r\n \t"


def accepts(text: str) -> bool:
    """Whether it is an address of the web."""
    return text.lower().startswith(("http://", "https://"))


def open_source(text: str) -> Source:
    """Open a stream.

    Args:
        text: Its address; a name and a password may stand in it.

    Raises:
        DeviceError: It cannot be reached, or is no stream of pictures.
    """
    return Live(lambda: Mjpeg(text), without_password(text), "rgb")


class Parts:
    """The parts of a multipart answer, one after the other.

    Args:
        read: Returns some bytes, at least one, at most as many as asked; none at the end.
        boundary: What stands between the parts.
    """

    def __init__(self, read: Callable[[int], bytes], boundary: bytes) -> None:
        self._read = read
        self._mark = b"--" + boundary
        self._buffer = bytearray()

    def next(self) -> bytes | None:
        """Return the content of the next part; None at the end.

        Raises:
            ValueError: A part or its headers exceed their limits.
        """
        if self._until(self._mark, MAX_PART) is None:
            return None
        headers = self._headers()
        if headers is None:
            return None
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and len(length) < 12:
            return self._exactly(int(length))
        content = self._until(self._mark, MAX_PART)
        if content is not None:
            self._buffer[:0] = self._mark  # where the next part begins
            return content.rstrip(b"\r\n")
        return None

    def _headers(self) -> dict[str, str] | None:
        headers: dict[str, str] = {}
        for _ in range(100):
            line = self._until(b"\n", MAX_HEADERS)
            if line is None:
                return None
            name, colon, value = line.decode("latin-1").partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
            elif headers and not line.strip(_SPACE):
                return headers
        msg = "a part has more than 100 headers"
        raise ValueError(msg)

    def _until(self, mark: bytes, limit: int) -> bytes | None:
        """Return what stands before a mark, and go behind it; None if it never comes."""
        begin = 0
        while (place := self._buffer.find(mark, begin)) < 0:
            begin = max(len(self._buffer) - len(mark) + 1, 0)
            if begin > limit:
                msg = f"a part is longer than {limit} bytes"
                raise ValueError(msg)
            if not self._more():
                return None
        before = bytes(self._buffer[:place])
        del self._buffer[: place + len(mark)]
        return before

    def _exactly(self, count: int) -> bytes | None:
        if count > MAX_PART:
            msg = f"a part claims {count} bytes; at most {MAX_PART} are read"
            raise ValueError(msg)
        while len(self._buffer) < count:
            if not self._more():
                return None
        content = bytes(self._buffer[:count])
        del self._buffer[:count]
        return content

    def _more(self) -> bool:
        chunk = self._read(_CHUNK)
        self._buffer += chunk
        return bool(chunk)


class Mjpeg:
    """A connection to a server of Motion JPEG.

    Args:
        address: Where it is.

    Raises:
        DeviceError: It cannot be reached, or answers with something else.
    """

    def __init__(self, address: str) -> None:
        self._name = without_password(address)
        self._answer = _ask(address, self._name)
        boundary = _boundary(self._answer.headers)
        if boundary is None:
            self._answer.close()
            msg = (
                f"{self._name} answers with {self._answer.headers.get_content_type()}, "
                "which is no Motion JPEG (multipart/x-mixed-replace).\n"
                "Which path of this server is the stream?"
            )
            raise DeviceError(msg)
        self._parts = Parts(self._answer.read1, boundary)

    def read(self) -> Pixels | None:
        """Wait for the next picture.

        Raises:
            DataError: A part is no picture.
        """
        try:
            content = self._parts.next()
        except _failures():
            return None
        return None if content is None else decode_image(content, f"a part of {self._name}")

    def interrupt(self) -> None:
        """End the connection under a waiting read."""
        # The answer's own `close` waits for the read that it is to end.
        with (
            contextlib.suppress(OSError, ValueError),
            socket.socket(fileno=os.dup(self._answer.fileno())) as same,
        ):
            same.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection."""
        self._answer.close()


def _ask(address: str, name: str) -> "HTTPResponse":
    """Open an address, without a proxy: cameras are near."""
    import urllib.error
    import urllib.request

    try:
        parts = urlsplit(address)
        plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if parts.username is not None:
            who = unquote(parts.username), unquote(parts.password or "")
            passwords.add_password(None, plain, *who)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPDigestAuthHandler(passwords),
            urllib.request.HTTPBasicAuthHandler(passwords),
        )
        answer: HTTPResponse = opener.open(plain, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            msg = (
                f"{name} answers with {error.code} {error.reason}.\n"
                "Are the path, the name and the password right?"
            )
            raise DeviceError(msg) from error
    except _failures() as error:
        why = getattr(error, "reason", error)
        msg = f"{name} cannot be reached: {why}.\nIs the server on, and the address right?"
        raise DeviceError(msg) from error
    return answer


def _failures() -> tuple[type[Exception], ...]:
    """What the library raises where a server, or the way to it, does not do its part."""
    from http.client import HTTPException

    return OSError, HTTPException, ValueError


def _boundary(headers: "Message") -> bytes | None:
    """Return what stands between the parts; None if it is no answer of many parts.

    Servers write it with and without the two dashes that belong before it.
    """
    if headers.get_content_maintype() != "multipart":
        return None
    boundary = headers.get_boundary("")
    plain = boundary.strip().removeprefix("--")
    return plain.encode("latin-1", "replace") or None

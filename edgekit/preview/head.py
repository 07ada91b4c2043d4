"""Read the head of a request: bounded in size and in time, whatever a viewer sends."""

import socket
import time

LARGEST_HEAD = 16 * 1024
_CHUNK = 4096


class TooLargeError(Exception):
    """A head does not end where heads end."""


class HeadReader:
    """Reads one head after another from a connection.

    Args:
        connection: A connected socket.
        idle_s: How long a viewer may send nothing before a request.
        head_s: How long it may take for one, from the first byte to the empty line.
    """

    def __init__(self, connection: socket.socket, idle_s: float, head_s: float) -> None:
        self._connection = connection
        self._idle_s = idle_s
        self._head_s = head_s
        self._rest = b""

    def read(self) -> bytes:
        """Return the next head with its empty line; nothing at the end of the connection.

        Raises:
            TooLargeError: There is no empty line within `LARGEST_HEAD` bytes.
            TimeoutError: The viewer took too long.
            OSError: The connection broke.
        """
        data = self._rest or self._receive(self._idle_s)
        deadline = time.monotonic() + self._head_s
        while data and (end := _end(data)) < 0:
            if len(data) > LARGEST_HEAD:
                raise TooLargeError
            more = self._receive(deadline - time.monotonic())
            if not more:
                return b""
            data += more
        self._rest = data[end:] if data else b""
        return data[:end] if data else b""

    def _receive(self, patience_s: float) -> bytes:
        if patience_s <= 0:
            raise TimeoutError
        self._connection.settimeout(patience_s)
        return self._connection.recv(_CHUNK)


def _end(data: bytes) -> int:
    """Return where the head ends, after its empty line; -1 if it does not yet."""
    for empty in (b"\r\n\r\n", b"\n\n"):
        place = data.find(empty)
        if place >= 0:
            return place + len(empty)
    return -1

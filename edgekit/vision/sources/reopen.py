"""Open a live source, and open it again when it is lost."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from edgekit.data.opencv import Pixels
from edgekit.errors import DataError, DeviceError
from edgekit.live.reopen import reopen

_MOST_DAMAGED = 100  # in a row; then it is no stream of pictures any more

_log = logging.getLogger(__name__)


class Connection(Protocol):
    """One open way to a camera or a stream."""

    def read(self) -> Pixels | None:
        """Wait for the next picture; None when the connection is lost.

        Raises:
            DataError: What came is no picture; the next one may be.
        """

    def interrupt(self) -> None:
        """Make a waiting `read` return soon, if that can be done; any thread may."""

    def close(self) -> None:
        """Let the device or the network go."""


class Reopening:
    """The pictures of a live source, through all its interruptions.

    Args:
        connect: Opens it; DeviceError where that is not possible.
        name: What it is, for messages.
    """

    def __init__(self, connect: Callable[[], Connection], name: str) -> None:
        self.damaged = 0
        self._connect = connect
        self._name = name
        self._over = threading.Event()
        self._connection: Connection | None = None

    def first(self) -> Pixels:
        """Open it and wait for its first picture.

        Raises:
            DeviceError: It cannot be opened, or gives none.
        """
        self._connection = self._connect()
        pixels = self._next(self._connection)
        if pixels is None:
            self.close()
            msg = (
                f"{self._name} was opened, and gave no picture.\n"
                "Is it in use by another program, or does it give something else than video?"
            )
            raise DeviceError(msg)
        return pixels

    def pictures(self) -> Iterator[Pixels]:
        """Yield the pictures after the first until `interrupt`.

        Raises:
            DeviceError: It was lost, and did not come back within `PATIENCE_S`.
        """
        while self._connection is not None:
            while (pixels := self._next(self._connection)) is not None:
                yield pixels
            if self._over.is_set() or (pixels := self._again()) is None:
                return
            yield pixels

    def interrupt(self) -> None:
        """Make `pictures` end; any thread may."""
        self._over.set()
        if (connection := self._connection) is not None:
            connection.interrupt()

    def close(self) -> None:
        """Let the device or the network go, when no thread uses it any more."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _next(self, connection: Connection) -> Pixels | None:
        """Return the next sound picture; None when the connection is lost."""
        for _ in range(_MOST_DAMAGED):
            if self._over.is_set():
                return None
            try:
                pixels = connection.read()
            except DataError as error:
                self._note_damaged(str(error))
                continue
            if pixels is None or pixels.size:
                return pixels
            self._note_damaged("it is empty.")
        return None

    def _note_damaged(self, why: str) -> None:
        self.damaged += 1
        if self.damaged == 1:
            _log.warning("%s gave a damaged picture, which is left out: %s", self._name, why)

    def _again(self) -> Pixels | None:
        """Open it again, with longer and longer waits; None if nobody wants it any more."""
        self.close()
        return reopen(self.first, self._name, self._over)

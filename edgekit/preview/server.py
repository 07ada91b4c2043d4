"""A small web server: a thread for each of a few viewers, none left when it closes."""

import errno
import logging
import os
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from socketserver import TCPServer
from typing import Any

from edgekit.errors import DeviceError
from edgekit.preview.access import Access
from edgekit.preview.address import Address, is_loopback, resolve
from edgekit.preview.handler import Handler
from edgekit.preview.scene import Scene

_log = logging.getLogger(__name__)

MOST_CONNECTIONS = 32
_LOOK_EVERY_S = 0.2  # how soon the listening thread sees that it shall end
_JOIN_S = 5.0
_FULL = (
    f"HTTP/1.1 {HTTPStatus.SERVICE_UNAVAILABLE.value} Full\r\nContent-Length: 0\r\n"
    "Retry-After: 2\r\nConnection: close\r\n\r\n"
).encode()


class Server(TCPServer):
    """Listens from the moment it is made.

    Args:
        address: Where to listen.
        scene: What there is to see.

    Attributes:
        access: Who may look.
        scene: What there is to see.

    Raises:
        DeviceError: The port is in use, or the address is none of this machine's.
    """

    # On Windows the option would let two servers share a port.
    allow_reuse_address = os.name != "nt"
    request_queue_size = 16

    def __init__(self, address: Address, scene: Scene) -> None:
        self.address_family, place = resolve(address)
        self.scene = scene
        self._viewers: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        try:
            super().__init__(place, Handler)
        except OSError as error:
            raise _explained(address, error) from error
        self.host, self.port = str(self.server_address[0]), int(self.server_address[1])
        self.access = Access(loopback=is_loopback(self.host), port=self.port)
        self._listener = threading.Thread(
            target=self.serve_forever, args=[_LOOK_EVERY_S], name="preview", daemon=True
        )
        self._listener.start()

    def close(self) -> None:
        """Stop listening, send all viewers away and wait for their threads."""
        self.scene.close()
        self.shutdown()
        self._listener.join(_JOIN_S)
        self.server_close()
        with self._lock:
            viewers = dict(self._viewers)
        for connection, thread in viewers.items():
            _hang_up(connection)
            thread.join(_JOIN_S)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a viewer a thread, or say that there are enough of them."""
        with self._lock:
            full = len(self._viewers) >= MOST_CONNECTIONS
            if not full:
                thread = threading.Thread(
                    target=self._serve,
                    args=[request, client_address],
                    name="preview-viewer",
                    daemon=True,
                )
                self._viewers[request] = thread
                thread.start()
        if full:
            with suppress(OSError):
                request.settimeout(0)
                request.send(_FULL)
            self.shutdown_request(request)

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError as error:
            _log.debug("A viewer went away: %s", error)
        finally:
            with self._lock:
                del self._viewers[request]
            self.shutdown_request(request)


def _hang_up(connection: socket.socket) -> None:
    """Wake a thread that waits for a viewer."""
    with suppress(OSError):  # it may be gone already
        connection.shutdown(socket.SHUT_RDWR)


def _explained(address: Address, error: OSError) -> DeviceError:
    """Say why a port cannot be had, and what to do."""
    reasons = {
        "EADDRINUSE": "another program listens there already",
        "EACCES": "this user may not take such a low port",
        "EADDRNOTAVAIL": f"{address.host} is none of this machine's addresses",
    }
    why = reasons.get(errno.errorcode.get(error.errno or 0, ""), error.strerror or str(error))
    return DeviceError(
        f"No preview at {address}: {why}.\n"
        "Name another port, e.g. 8081, or port 0 for any that is free."
    )

"""What the page's server answers."""

import io
import json
import logging
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from edgekit.preview.head import HeadReader, TooLargeError
from edgekit.preview.page import Page, door, viewer

if TYPE_CHECKING:
    from edgekit.preview.server import Server

_log = logging.getLogger(__name__)

_IDLE_S = 20.0  # a page asks again within two seconds
_HEAD_S = 5.0
_SEND_S = 10.0  # who has not read an answer by then is gone
_LINGER_S, _LINGER_CHUNKS, _LARGEST_CHUNK = 0.2, 16, 8192
_PATIENCE_S = 1.0  # with nothing to see, a viewer hears so after this
_FIELDS = 8
_SEND_BUFFER = 256 * 1024  # what waits in it is late
_BOUNDARY = "frame"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Handler(BaseHTTPRequestHandler):
    """One connection of one viewer, in a thread of its own."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    # What an answer needs of a request, for those that were never read to the end.
    command = requestline = path = ""
    request_version = protocol_version

    def setup(self) -> None:
        """Prepare to read heads within bounds."""
        super().setup()
        self._heads = HeadReader(self.connection, _IDLE_S, _HEAD_S)

    def handle_one_request(self) -> None:
        """Read one head within bounds; the rest is as the base class does it."""
        self.close_connection = True
        try:
            head = self._heads.read()
            self.connection.settimeout(_SEND_S)
            self.rfile = io.BufferedReader(io.BytesIO(head))
            super().handle_one_request()
        except TooLargeError:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            self._linger()
        except TimeoutError:
            _log.debug("A viewer took too long.")

    def _linger(self) -> None:
        """Read on for a little: a connection cut at once may take the answer with it."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_LINGER_S)
        for _ in range(_LINGER_CHUNKS):
            if not self.connection.recv(_LARGEST_CHUNK):
                break

    def do_GET(self) -> None:
        """Answer, if the viewer may look and asks for something that there is."""
        try:
            url = urlsplit(self.path)
            fields = parse_qs(url.query, max_num_fields=_FIELDS)
        except ValueError:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        asked = {name: values[0] for name, values in fields.items()}
        if self._may_look(url.path, asked.get("token", "")):
            self._answer(url.path, asked)

    def _may_look(self, path: str, offered: str) -> bool:
        """Tell whether the request is answered; if not, say why."""
        access = self.server.access
        if (
            self.headers.get("Content-Length", "0") != "0"
            or "Transfer-Encoding" in self.headers
        ):
            self.send_error(HTTPStatus.BAD_REQUEST, "A body is not expected here.")
        elif not access.knows(self.headers.get("Host", "")):
            self.send_error(
                HTTPStatus.FORBIDDEN,
                "This preview is for its own machine: open it as http://localhost:PORT.",
            )
        elif access.admits(offered=offered, cookies=self.headers.get("Cookie", "")):
            return True
        elif path == "/":
            self._send_page(door(), HTTPStatus.UNAUTHORIZED)
        else:
            self.send_error(HTTPStatus.UNAUTHORIZED, "Give the token that edgekit printed.")
        return False

    def _answer(self, path: str, asked: dict[str, str]) -> None:
        if path == "/" and "token" in asked:
            self._let_in()
        elif path == "/":
            self._send_page(viewer())
        elif path == "/next":
            self._send_next(asked.get("seen", ""))
        elif path == "/stream.mjpg" and self.server.scene.has_frames:
            self._stream()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _let_in(self) -> None:
        """Keep the token in a cookie, and out of the address."""
        headers = {"Location": "/"}
        if self.server.access.token is not None:
            headers["Set-Cookie"] = self.server.access.keep()
        self._send(b"", "text/plain", HTTPStatus.SEE_OTHER, headers)

    def _send_page(self, page: Page, status: HTTPStatus = HTTPStatus.OK) -> None:
        headers = {"Content-Security-Policy": page.policy}
        self._send(page.content, "text/html; charset=utf-8", status, headers)

    def _send_next(self, seen: str) -> None:
        """Send what there is to see: a line of JSON, then a picture if there is an unseen one.

        The page asks for each picture when it has drawn the one before: so a slow viewer
        skips pictures by itself, and none waits in a buffer of the way between.
        """
        view = self.server.scene.next(seen, _PATIENCE_S)
        picture = view.picture.encoded() if view else b""
        state = json.dumps(self.server.scene.state(view), separators=(",", ":"), default=str)
        self._send(state.encode() + b"\n" + picture, "application/octet-stream")

    def _stream(self) -> None:
        """Send pictures until the viewer goes, for programs that know MJPEG."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self._send_head(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.close_connection = True
        seen = ""
        while not self.server.scene.closed:
            view = self.server.scene.next(seen, _PATIENCE_S)
            if view is None:
                continue
            seen, jpeg = view.mark, view.picture.encoded()
            if jpeg:
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                head += f"Content-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")

    def _send(
        self,
        content: bytes,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._send_head(kind, status, {"Content-Length": str(len(content)), **(headers or {})})
        self.wfile.write(content)

    def _send_head(
        self,
        kind: str,
        status: HTTPStatus = HTTPStatus.OK,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in {**_HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        """Refuse a request in one line of text, and end the connection."""
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:  # the base class's word for a method
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self.close_connection = True
        text = f"{status.value} {message or explain or status.phrase}\n"
        headers = {"Connection": "close"}
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = "GET"
        self._send(text.encode(errors="replace"), "text/plain; charset=utf-8", status, headers)

    def version_string(self) -> str:
        """Return what the Server header says: no version, of Python neither."""
        return "edgekit"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say what is going on to those who debug."""
        _log.debug("%s: " + format, self.client_address[0], *args)

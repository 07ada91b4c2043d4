"""A publisher of one file on this machine, who may also behave badly."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from edgekit.known.table import KnownModel

Answer = Callable[[BaseHTTPRequestHandler], None]


class Publisher:
    """Answers each request with the next of its answers, and with the last from then on.

    Attributes:
        url: Address of the file.
        asked: How often it was asked for.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        publisher = self
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = answers[min(publisher.asked, len(answers) - 1)]
                publisher.asked += 1
                with suppress(OSError):  # who asked may have heard enough
                    answer(self)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/model.tflite"


@contextmanager
def published(*answers: Answer) -> Iterator[Publisher]:
    """Publish meanwhile."""
    publisher = Publisher(answers)
    thread = Thread(target=publisher.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield publisher
    finally:
        publisher.server.shutdown()
        publisher.server.server_close()
        thread.join()


def whole(content: bytes, *, said: int | None = None, length: bool = True) -> Answer:
    """Send all of it; `said` is another length than it has, as of a connection that is cut."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if length:
            handler.send_header("Content-Length", str(len(content) if said is None else said))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def status(code: int) -> Answer:
    """Refuse with a status."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def elsewhere(url: str) -> Answer:
    """Send on to another address."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Send for as long as somebody listens."""
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(1 << 16))


def small_model(content: bytes, source: str = "http://127.0.0.1:9/model.tflite") -> KnownModel:
    """Return the record of a model that is this content."""
    return KnownModel(
        name="small",
        task="classify",
        file="small.tflite",
        about="a file",
        licence="MIT",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        source=source,
    )

"""Films and streams for tests: drawn, encoded and served on this machine."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from edgekit.data.opencv import Pixels
from edgekit.data.video import Recorder

cv2 = pytest.importorskip("cv2")
SIZE = (48, 64)  # height and width


def picture(number: int, size: tuple[int, int] = SIZE) -> Pixels:
    """Draw a picture, blue first, that tells its number by its gray."""
    pixels = np.full((*size, 3), gray(number), np.uint8)
    pixels[: size[0] // 4] = (255, 0, 0)  # a blue sky
    return pixels


def gray(number: int) -> int:
    """Gray of a picture; it repeats after 24."""
    return 30 + 8 * (number % 24)


def number_of(pixels: Pixels) -> int:
    """Read the number off a picture."""
    height, width = pixels.shape[:2]
    return round((float(pixels[height // 2 :, : width // 2].mean()) - 30) / 8)


def jpeg(number: int, size: tuple[int, int] = SIZE) -> bytes:
    """Encode a picture."""
    done, encoded = cv2.imencode(".jpg", picture(number, size))
    assert done
    return bytes(encoded)


def write_film(path: Path, frames: int, size: tuple[int, int] = SIZE, fps: float = 10) -> Path:
    """Write a film of numbered pictures."""
    with Recorder(path, size, fps) as film:
        for number in range(frames):
            film.write(picture(number, size))
    return path


Send = Callable[[Callable[[bytes], None]], None]


def part(content: bytes, boundary: bytes = b"frame", *, length: bool = True) -> bytes:
    """Wrap a picture as servers of Motion JPEG do."""
    header = b"--" + boundary + b"\r\nContent-Type: image/jpeg\r\n"
    if length:
        header += f"Content-Length: {len(content)}\r\n".encode()
    return header + b"\r\n" + content + b"\r\n"


class Camera:
    """A network camera that sends what it is told, once for each who connects.

    Args:
        scripts: What each connection sends, one after the other; the last serves all others.
        content_type: What the answer says it is.
        password: What must be given, as `name:password`.
    """

    def __init__(
        self,
        *scripts: Send,
        content_type: str = "multipart/x-mixed-replace; boundary=frame",
        password: str = "",
    ) -> None:
        self.connections = 0
        self.over = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                import base64

                wanted = f"Basic {base64.b64encode(password.encode()).decode()}"
                if password and self.headers.get("Authorization") != wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                script = scripts[min(camera.connections, len(scripts) - 1)]
                camera.connections += 1
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                with contextlib.suppress(OSError):
                    script(self._send)

            def _send(self, content: bytes) -> None:
                self.wfile.write(content)
                self.wfile.flush()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/stream"

    def close(self) -> None:
        """Switch it off."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def pictures(count: int, *, begin: int = 0, wait_s: float = 0.0, length: bool = True) -> Send:
    """Send so many numbered pictures, then hang up."""

    def send(write: Callable[[bytes], None]) -> None:
        for number in range(begin, begin + count):
            write(part(jpeg(number), length=length))
            threading.Event().wait(wait_s)

    return send


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def ffmpeg(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run FFmpeg meanwhile."""
    child = subprocess.Popen(
        ["ffmpeg", "-nostdin", "-loglevel", "error", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def open_descriptors() -> int:
    """How many files, sockets and devices this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))

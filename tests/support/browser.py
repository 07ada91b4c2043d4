"""LiteRT.js, the client of web pages, run in a headless browser."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

PAGE = """\
<!doctype html><body><script type="importmap">{"imports": {
  "@litertjs/core": "/modules/@litertjs/core/dist/index.js",
  "@litertjs/wasm-utils": "/modules/@litertjs/wasm-utils/dist/index.js"}}</script>
<script type="module">
const kinds = {float32: Float32Array, uint8: Uint8Array, int32: Int32Array};
async function work() {
  const {loadLiteRt, loadAndCompile, Tensor} = await import('@litertjs/core');
  await loadLiteRt('/modules/@litertjs/core/wasm/');
  const model = await loadAndCompile('/model.tflite', {accelerator: 'wasm'});
  const answers = [];
  for (const inputs of await (await fetch('/inputs.json')).json()) {
    const tensors = inputs.map(
      ({dtype, shape, values}) => new Tensor(new kinds[dtype](values), shape));
    const outputs = await model.run(tensors);
    answers.push(await Promise.all(outputs.map(async each => Array.from(await each.data()))));
    for (const each of [...tensors, ...outputs]) each.delete();
  }
  return {answers, inputs: model.getInputDetails().map(each => [each.dtype, [...each.shape]])};
}
const found = await work().catch(error => ({error: `${error}`}));
await fetch('/answer', {method: 'POST', body: JSON.stringify(found)});
</script>
"""
_TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json"}
_PATIENCE_S = 120.0


class PageError(Exception):
    """What LiteRT.js says when it refuses a model."""


def in_browser(
    model: Path, samples: list[list[NDArray[Any]]]
) -> tuple[list[list[NDArray[Any]]], list[Any]]:
    """Run a model in a page, or skip where there is no browser or no LiteRT.js.

    Args:
        model: A .tflite file.
        samples: For each run the inputs of the model, as its tensors hold them.

    Returns:
        answers: For each run the outputs, flat.
        inputs: Type and shape of each input, as LiteRT.js sees them.

    Raises:
        PageError: LiteRT.js refuses the model or its inputs.
    """
    chromium = next(filter(None, map(shutil.which, ["chromium", "google-chrome"])), None)
    modules = Path(os.environ.get("EDGEKIT_LITERTJS", ""))
    if chromium is None or not (modules / "@litertjs/core").is_dir():
        pytest.skip("no chromium, or EDGEKIT_LITERTJS names no node_modules with LiteRT.js")
    inputs = [
        [
            {"dtype": each.dtype.name, "shape": each.shape, "values": each.ravel().tolist()}
            for each in sample
        ]
        for sample in samples
    ]
    pages = {
        "/": PAGE.encode(),
        "/model.tflite": model.read_bytes(),
        "/inputs.json": json.dumps(inputs).encode(),
    }
    with _served(pages, modules) as (address, answer), _open(chromium, address):
        assert answer.wait(_PATIENCE_S), "the page gave no answer"
    found = answer.content
    if "error" in found:
        raise PageError(found["error"])
    return [[np.asarray(each) for each in run] for run in found["answers"]], found["inputs"]


class _Answer(threading.Event):
    """What the page sent back, once it did."""

    content: dict[str, Any]


class _Handler(BaseHTTPRequestHandler):
    def __init__(
        self, pages: dict[str, bytes], modules: Path, answer: _Answer, *rest: Any
    ) -> None:
        self._pages, self._modules, self._answer = pages, modules, answer
        super().__init__(*rest)

    def do_GET(self) -> None:
        content = self._pages.get(self.path)
        if content is None and self.path.startswith("/modules/"):
            file = self._modules / self.path.removeprefix("/modules/")
            content = file.read_bytes() if file.is_file() else None
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", _TYPES.get(Path(self.path).suffix, "text/html"))
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self._answer.content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()
        self._answer.set()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _served(pages: dict[str, bytes], modules: Path) -> Iterator[tuple[str, _Answer]]:
    answer = _Answer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, pages, modules, answer))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", answer
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _open(chromium: str, address: str) -> Iterator[None]:
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
        "--disable-background-networking --disable-component-update --disable-dev-shm-usage "
        "--remote-debugging-port=0"
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [chromium, *flags.split(), f"--user-data-dir={profile}", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
        finally:
            browser.terminate()
            try:
                browser.wait(10)
            except subprocess.TimeoutExpired:
                browser.kill()
                browser.wait()

"""Claim: a page that is watched, or never read, leaves the processor to the model.

    python benchmarks/preview.py [--seconds 6] [--rounds 3] [--json FILE]

Shows drawn cards, 1280 x 720, 60 times a second, to nobody, to two viewers that take every
picture (in processes of their own), and to eight that ask for the stream and never read. For
each: the processor time that the preview takes, as a share of one core, and what a call of
`Preview.show` takes, at which the pipeline would wait. Claims: at most 3 % of a core where
nobody watches or nobody reads, at most 30 % with viewers (encoding may take 25 %); 99 of
100 calls take less than 1 ms. Only this process's time counts, so that other work on the
machine changes little.
"""

import argparse
import contextlib
import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.files import atomic_write
from edgekit.preview import Preview
from edgekit.vision.sources.synthetic import Synthetic

SCHEMA = 1
LONGEST_MS = 1.0
RATE, FRAMES = 60.0, 20
READERS, STUCK = 2, 8
FOUND = [{"label": "ace", "score": 0.9, "box": [1, 2, 300, 400], "id": 1}] * 4
READER = """
import http.client, sys
asked = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
mark = ""
while True:
    asked.request("GET", "/next?seen=" + mark)
    told = asked.getresponse().read().partition(b'"mark":"')[2]
    mark = told.partition(b'"')[0].decode() or mark
"""


@contextlib.contextmanager
def reading(port: int) -> Iterator[None]:
    """Watch with programs that take every picture."""
    command = [sys.executable, "-c", READER, str(port)]
    viewers = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(READERS)]
    time.sleep(1.0)
    try:
        yield
    finally:
        for each in viewers:
            each.kill()
            each.wait()


@contextlib.contextmanager
def stuck(port: int) -> Iterator[None]:
    """Ask for the stream, and never read."""
    with contextlib.ExitStack() as stack:
        for _ in range(STUCK):
            viewer = stack.enter_context(socket.socket())
            viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            viewer.connect(("127.0.0.1", port))
            viewer.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield


# How they watch, and the share of a core that this may take.
VIEWERS: dict[str, tuple[Callable[[int], Any], float]] = {
    "nobody": (contextlib.nullcontext, 0.03),
    f"{READERS} viewers": (reading, 0.30),
    f"{STUCK} that never read": (stuck, 0.03),
}


def measure(watch: Callable[[int], Any], seconds: float) -> dict[str, float]:
    """Show frames for a while."""
    frames = [frame.pixels for frame in itertools.islice(Synthetic().frames(), FRAMES)]
    calls: list[float] = []
    with Preview(source="synthetic") as preview, watch(preview.port):
        used, ends = time.process_time(), time.monotonic() + seconds
        while time.monotonic() < ends:
            begun = time.perf_counter()
            preview.show(frames[len(calls) % FRAMES], detections=FOUND, ms={"inference": 9.0})
            calls.append(1e3 * (time.perf_counter() - begun))
            time.sleep(1 / RATE)
        used = time.process_time() - used
    p50, p99 = np.percentile(calls, [50, 99])
    return {"share_of_a_core": used / seconds, "show_p50_ms": p50, "show_p99_ms": p99}


def compare(seconds: float, rounds: int) -> dict[str, Any]:
    """Let all take turns; medians over the rounds."""
    runs = [[measure(watch, seconds) for watch, _ in VIEWERS.values()] for _ in range(rounds)]
    rows: list[dict[str, Any]] = []
    for (name, (_, limit)), found in zip(VIEWERS.items(), zip(*runs, strict=True), strict=True):
        row = {key: float(np.median([each[key] for each in found])) for key in found[0]}
        fits = row["share_of_a_core"] <= limit and row["show_p99_ms"] < LONGEST_MS
        rounded = {key: round(value, 3) for key, value in row.items()}
        rows.append({"viewers": name, **rounded, "limit": limit, "holds": fits})
    return {"schema": SCHEMA, "seconds": seconds, "rounds": rounds, "rows": rows}


def main() -> None:
    """Compare, and print or write the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    text = json.dumps(compare(options.seconds, options.rounds), indent=2)
    if options.json:
        atomic_write(options.json, text + "\n")
    print(text)


if __name__ == "__main__":
    main()

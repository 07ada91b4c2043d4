"""Claim: the light half is small and starts at once.

    python benchmarks/first_detection.py [--model MODEL.tflite] [--rounds 5]

`edgekit demo detect --source synthetic --headless --jsonl -` is started without a model of
its own, TensorFlow out of reach. Until its first line stands on standard output it takes at
most 1.2 s of wall time, and its two processes, the command and the guarded child with
OpenCV, the interpreter, the model and the frames, hold at most 220 MiB together, each at its
peak. The first round, which reads files from the disk, is left out; the median of the others
counts. Processor time is told beside it: where it is much less than the wall time, the
machine was doing something else.

Prints JSON, exit code 1 if a claim does not hold. Needs Linux.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from edgekit.measure import machine
from edgekit.records import to_json

SCHEMA = 1
LIMIT_S, LIMIT_MB = 1.2, 220.0

_HEAVY = ("tensorflow", "keras", "tf_keras", "ai_edge_quantizer")
_BLOCK = f"import sys; sys.modules.update(dict.fromkeys({_HEAVY}))"  # None: not to be had


def one_start(model: str | None, folder: Path) -> dict[str, float]:
    """Start the demo, and measure until its first line."""
    path = [str(folder), *filter(None, sys.path)]
    chosen = ("--model", model) if model else ()
    begun = time.perf_counter()
    demo = subprocess.Popen(
        [
            *(sys.executable, "-m", "edgekit", "demo", "detect", *chosen),
            *("--source", "synthetic", "--headless", "--jsonl", "-", "-q"),
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        stdout=subprocess.PIPE,
    )
    try:
        line = demo.stdout.readline() if demo.stdout else b""
        seconds = time.perf_counter() - begun
        if not line:
            sys.exit("The demo gave no line.")
        processes = [demo.pid, *_children(demo.pid)]
        peaks = [_peak_mb(each) for each in processes]
        processor = sum(_processor_s(each) for each in processes)
    finally:
        demo.kill()
        demo.communicate()
    return {
        "seconds": seconds,
        "processor_s": processor,
        "memory_mb": sum(peaks),
        "child_mb": peaks[-1],
    }


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(model: str | None, rounds: int) -> dict[str, Any]:
    """Start it again and again."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "sitecustomize.py").write_text(_BLOCK)
        rows = [one_start(model, folder) for _ in range(rounds + 1)][1:]
    middle = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    holds = {
        "seconds": middle["seconds"] <= LIMIT_S,
        "memory_mb": middle["memory_mb"] <= LIMIT_MB,
    }
    return {**middle, "holds": holds, "rounds": rows}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", help="a .tflite, or a carried model; the card detector")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = measure(options.model, options.rounds)
    print(json.dumps(to_json({"schema": SCHEMA, "machine": machine(), **found}), indent=2))
    sys.exit(0 if all(found["holds"].values()) else 1)


if __name__ == "__main__":
    main()

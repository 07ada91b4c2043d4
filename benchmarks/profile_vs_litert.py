"""Claim: `edgekit profile` and `litert-benchmark` agree within 5 % on models of 1 ms and more.

    EDGEKIT_DATA=... python benchmarks/profile_vs_litert.py [MODEL.tflite...] [--rounds 20]

Each round starts a process of either, one after the other, in turns as to which comes first;
the medians of the processes' medians are compared. litert-benchmark comes with
ai-edge-litert. Without models those of `MODELS` that EDGEKIT_DATA holds; a model that takes
less than 1 ms is measured and not judged. Prints JSON; needs an idle machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.measure import machine
from edgekit.records import to_json

SCHEMA = 1
LIMIT, LEAST_MS = 0.05, 1.0
MODELS = (
    "deeplabv3_mnv2_dm05_pascal_quant",
    "face_detection_back",
    "face_detection_front",
    "face_detection_full_range",
    "mobilenet_v1_0.25_224_1_default_1",
    "mobilenet_v1_0.25_224_quant",
    "mobilenet_v1_0.5_160_quant",
    "model_conv_128x128x3x32x7x10",
    "movenet_single_pose_lightning_ptq",
    "pretrainedResnet_large_float",
)
_TIMEOUT_S = 600
Measure = Callable[[Path, int, int], float]


def edgekit(path: Path, threads: int, runs: int) -> float:
    """Median of one process of `edgekit profile`, in milliseconds."""
    command = [sys.executable, "-m", "edgekit", "profile", str(path), "--json", "--quiet"]
    document = _output([*command, "--threads", str(threads), "--runs", str(runs)])
    median: float = json.loads(document)["latency_ms"]["median"]
    return median


def litert(path: Path, threads: int, runs: int) -> float:
    """Median of one process of `litert-benchmark`, in milliseconds."""
    program = Path(sys.executable).with_name("litert-benchmark")
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        result = Path(folder, "result.json")
        options = {"model": path, "num_threads": threads, "num_runs": runs,
                   "warmup_runs": max(10, runs // 10), "result_json": result}  # fmt: skip
        _output([str(program), *(f"--{name}={value}" for name, value in options.items())])
        median: float = json.loads(result.read_text())["latency"]["median_ms"]
    return median


def compare(path: Path, rounds: int, threads: int, runs: int) -> dict[str, Any]:
    """Alternate processes of both."""
    ours: list[float] = []
    theirs: list[float] = []
    both: list[tuple[Measure, list[float]]] = [(edgekit, ours), (litert, theirs)]
    for number in range(rounds):
        for measure, found in both if number % 2 == 0 else reversed(both):
            found.append(measure(path, threads, runs))
    mine, other = statistics.median(ours), statistics.median(theirs)
    difference = mine / other - 1
    return {
        "model": path.name,
        "edgekit_ms": mine,
        "litert_ms": other,
        "difference": difference,
        "judged": other >= LEAST_MS,
        "holds": other < LEAST_MS or abs(difference) <= LIMIT,
        "edgekit_all_ms": ours,
        "litert_all_ms": theirs,
    }


def models() -> list[Path]:
    """Return the models of the list that are here."""
    data = os.environ.get("EDGEKIT_DATA")
    if not data:
        sys.exit("Name models, or a folder that holds them in EDGEKIT_DATA.")
    here = {path.stem: path for path in Path(data).rglob("*.tflite")}
    return [here[name] for name in MODELS if name in here]


def _output(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    """Compare on each model."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    before = machine()
    rows = []
    for path in options.models or models():
        row = compare(path, options.rounds, options.threads, options.runs)
        print(
            f"{path.name}: {row['edgekit_ms']:.3f} and {row['litert_ms']:.3f} ms, "
            f"{row['difference']:+.1%}",
            file=sys.stderr,
            flush=True,
        )
        rows.append(row)
    judged = [row for row in rows if row["judged"]]
    found = {
        "schema": SCHEMA,
        "judged": len(judged),
        "claim": bool(judged) and all(row["holds"] for row in judged),
        "machine": to_json(before),
        "load_after": machine().load,
        "results": rows,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

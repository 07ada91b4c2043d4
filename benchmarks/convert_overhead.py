"""Claim: `edgekit convert` costs at most 1.15 x the time and memory of a plain script.

Both convert the same Keras 3 file with the same samples to full int8, in alternating
processes. edgekit's check of the import and its verification have no counterpart in the
plain script; their time is measured apart and shown. Peak memory is that of the largest
process.

    python benchmarks/convert_overhead.py [--rounds 5] [--json FILE]
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

import numpy as np

HERE = Path(__file__).resolve().parent
SAMPLES = 200


def measured(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall time in seconds and its peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    noise = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(noise.decode(errors="replace"))
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def plain(model: Path, samples: Path, folder: Path) -> dict[str, float]:
    """Convert with the plain script."""
    script = HERE / "plain_converter.py"
    seconds, memory = measured(
        [sys.executable, str(script), str(model), str(samples), str(folder / "plain.tflite")]
    )
    return {"seconds": seconds, "peak_memory_mb": memory}


def ours(model: Path, samples: Path, folder: Path) -> dict[str, float]:
    """Convert with edgekit, and take out what the plain script does not do."""
    out = folder / "edgekit"
    options = ["--calibrate", str(samples), "--samples", str(SAMPLES), "--io", "int8"]
    options += ["--no-equalize", "--no-bias-correction"]  # the plain script does neither
    command = [sys.executable, "-m", "edgekit", "convert", str(model), *options, "-o", str(out)]
    seconds, memory = measured(command)
    run = json.loads((out / "run.json").read_text())
    apart = run["seconds"]["check"] + run["seconds"]["verify"]
    return {
        "seconds": seconds - apart,
        "seconds_apart": apart,
        "peak_memory_mb": max(memory, run["peak_memory_mb"]),
    }


def main() -> None:
    """Alternate both and print the ratios of the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, default=None, help="Keras 3 file")
    parser.add_argument("--json", type=Path, default=None)
    wishes = parser.parse_args()
    from edgekit_demos.models import model_path

    model = wishes.model or model_path("shapes")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = folder / "samples.npy"
        rng = np.random.default_rng(0)
        np.save(samples, rng.uniform(0, 1, (SAMPLES, 64, 64, 3)).astype(np.float32))
        rounds = [
            (plain(model, samples, folder), ours(model, samples, folder))
            for _ in range(wishes.rounds)
        ]
    document = summary(rounds)
    print(table(document))
    if wishes.json:
        wishes.json.write_text(json.dumps(document, indent=2))


def summary(rounds: list[tuple[dict[str, float], dict[str, float]]]) -> dict[str, Any]:
    """Return medians and their ratios."""
    found: dict[str, Any] = {"schema": 1, "rounds": len(rounds)}
    for key in ("seconds", "peak_memory_mb"):
        theirs, mine = (statistics.median(each[i][key] for each in rounds) for i in (0, 1))
        found[key] = {"plain": theirs, "edgekit": mine, "ratio": mine / theirs}
    found["seconds_apart"] = statistics.median(each[1]["seconds_apart"] for each in rounds)
    return found


def table(document: dict[str, Any]) -> str:
    """Return a Markdown table."""
    lines = ["| median | plain script | edgekit | ratio |", "|---|---|---|---|"]
    for key, name in (("seconds", "wall time, s"), ("peak_memory_mb", "peak memory, MiB")):
        row = document[key]
        lines.append(
            f"| {name} | {row['plain']:.1f} | {row['edgekit']:.1f} | {row['ratio']:.2f} |"
        )
    lines.append(f"\nImport check and verification, apart: {document['seconds_apart']:.1f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

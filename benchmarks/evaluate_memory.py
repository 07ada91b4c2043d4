"""Claim: memory does not grow with the data.

Evaluating 10,000 pictures takes at most 50 MiB more than evaluating 100.

    python benchmarks/evaluate_memory.py [--model MODEL.tflite] [--pictures 10000] [--json]

The pictures are generated, in two forms: a folder for each class, and one .npz of uint8.
Each evaluation runs in a process of its own, whose peak memory is read at its end. Without
--model the pictures are 32 x 32 and the model tells their colour.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import guard
from edgekit.measure import machine, peak_rss_mb
from edgekit.records import to_json

SCHEMA = 1
LIMIT_MB = 50.0
FEW = 100
_CLASSES = 10
_SIZE = 32


def write_folder(folder: Path, count: int) -> Path:
    """Write pictures of noise, as PPM, in ten class folders."""
    rng = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"{number % _CLASSES:02d}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (_SIZE, _SIZE, 3), np.uint8)
        header = f"P6 {_SIZE} {_SIZE} 255\n".encode()
        (place / f"{number}.ppm").write_bytes(header + pixels.tobytes())
    return folder


def write_arrays(path: Path, count: int) -> Path:
    """Write pictures of noise as `x` and `y`, compressed."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (count, _SIZE, _SIZE, 3), np.uint8)
    np.savez_compressed(path, x=x, y=np.arange(count) % _CLASSES)
    return path


def write_model(path: Path) -> Path:
    """Write a float model with ten classes that takes pictures of 32 x 32."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
    import tiny_models

    weights = np.random.default_rng(0).normal(0, 0.01, (_CLASSES, _SIZE * _SIZE * 3))
    path.write_bytes(tiny_models.dense(weights.astype(np.float32), (1, _SIZE, _SIZE, 3)))
    return path


def evaluate_here(path: str, data: str) -> dict[str, Any]:
    """Evaluate in this process, as the guarded child of `edgekit evaluate` does."""
    from edgekit.evaluation.evaluate import _worker
    from edgekit.evaluation.request import DataRequest
    from edgekit.evaluation.subject import Interpreter

    found = _worker(
        path=path,
        request=to_json(DataRequest(path=data)),
        metric=None,
        reference=None,
        interpreter=to_json(Interpreter()),
    )
    return {"samples": found.samples, "peak_mb": round(peak_rss_mb(), 1)}


def measure(model: Path, folder: Path, many: int) -> Iterator[dict[str, Any]]:
    """Evaluate few and many pictures of each form."""
    forms = {"folder": write_folder, "npz": write_arrays}
    for form, write in forms.items():
        suffix = ".npz" if form == "npz" else ""
        peaks = {}
        for count in (FEW, many):
            data = write(folder / f"{form}{count}{suffix}", count)
            found = guard.call(
                f"{Path(__file__).stem}:evaluate_here",
                doing="evaluating",
                path=str(model),
                data=str(data),
            )
            peaks[found["samples"]] = found["peak_mb"]
        growth = round(peaks[many] - peaks[FEW], 1)
        yield {
            "form": form,
            "peak_mb": peaks,
            "growth_mb": growth,
            "within": growth <= LIMIT_MB,
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = options.model or write_model(folder / "made.tflite")
        rows = list(measure(model, folder, options.pictures))
    if options.json:
        print(json.dumps({"schema": SCHEMA, "rows": rows, "machine": to_json(machine())}))
    else:
        print(f"{'data':<8} {FEW:>10} {options.pictures:>10} {'growth':>10} {'limit':>10}")
        for row in rows:
            peaks = [f"{each:.1f} MiB" for each in row["peak_mb"].values()]
            growth, limit = f"{row['growth_mb']:.1f} MiB", f"{LIMIT_MB:g} MiB"
            print(f"{row['form']:<8} {peaks[0]:>10} {peaks[1]:>10} {growth:>10} {limit:>10}")
    sys.exit(0 if all(row["within"] for row in rows) else 1)


if __name__ == "__main__":
    main()

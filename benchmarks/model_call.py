"""What `model(x)` costs over a loop by hand: set_tensor, invoke, get_tensor, conversion.

    python benchmarks/model_call.py [MODEL.tflite...] [--calls 2000]

The two take turns call by call. Prints JSON: for the fastest call, which the machine's other
work does not touch, and for the median, the microseconds of both, the difference, and
whether it is within 5 % or 20 microseconds, whichever is larger.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.runtime import Model, load, open_backend
from edgekit_demos.models import model_path

SCHEMA = 1


def by_hand(model: Model) -> Callable[[np.ndarray], Any]:
    """Make the loop that a person would write for a model of one input.

    It uses the model's own interpreter: two of them differ by more than is measured here.
    """
    interpreter = model._interpreter  # noqa: SLF001
    given = interpreter.get_input_details()[0]
    got = interpreter.get_output_details()
    limits = np.iinfo(given["dtype"]) if given["quantization"][0] else None

    def run(x: np.ndarray) -> list[np.ndarray]:
        if limits:
            scale, zero = given["quantization"]
            x = np.clip(np.rint(x / scale) + zero, limits.min, limits.max).astype(
                given["dtype"]
            )
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        results = []
        for output in got:
            values = interpreter.get_tensor(output["index"])
            scale, zero = output["quantization"]
            results.append(scale * (values.astype(np.float32) - zero) if scale else values)
        return results

    return run


def compare(path: Path, calls: int) -> dict[str, Any]:
    """Time both on one model."""
    model: Model = load(path, threads=1)
    loop = by_hand(model)
    x = np.random.default_rng(0).random(model.inputs[0].shape, np.float32)
    hand, call = [], []
    for _ in range(calls):
        hand.append(_microseconds(loop, x))
        call.append(_microseconds(model, x))
    return {
        "model": path.name,
        "fastest": _beside(min(call), min(hand)),
        "median": _beside(float(np.median(call)), float(np.median(hand))),
    }


def _beside(ours: float, theirs: float) -> dict[str, Any]:
    return {
        "by_hand_us": round(theirs, 2),
        "model_us": round(ours, 2),
        "overhead_us": round(ours - theirs, 2),
        "within_limit": ours - theirs <= max(20.0, 0.05 * theirs),
    }


def _microseconds(run: Callable[[np.ndarray], Any], x: np.ndarray) -> float:
    start = time.perf_counter()
    run(x)
    return (time.perf_counter() - start) * 1e6


def main() -> None:
    """Compare on each model that was named."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    carried = [model_path(name) for name in ("shapes.raspberry-pi-4", "shapes.coral-usb")]
    parser.add_argument("models", nargs="*", type=Path, default=carried)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    found = [compare(path, options.calls) for path in options.models]
    print(
        json.dumps(
            {"schema": SCHEMA, "runtime": open_backend().name, "results": found}, indent=2
        )
    )


if __name__ == "__main__":
    main()

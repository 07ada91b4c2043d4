"""Claim: a model of 60 layers is diagnosed in at most 60 s, given 500 samples.

The model is one of inverted residuals with 60 layers that have weights, made here with
random ones; others may be given. Each is quantized by the second engine on random inputs.

    python benchmarks/diagnosis.py [--samples 500] [--model FLOAT.tflite] [--json FILE]
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import measure
from edgekit.flatbuffer.graph import Graph
from edgekit.records import to_json
from edgekit_converters.quantize.chain.diagnosis import diagnose
from edgekit_converters.quantize.second_engine import quantize_tflite
from edgekit_converters.sources import fix_batch, load_source, write_float

LAYERS = 60
LIMIT_S = 60.0


def drawn(path: Path) -> None:
    """Write a float .tflite of 60 layers with weights: inverted residuals at 96 x 96."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    start = keras.Input((96, 96, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu6")(start)
    width = 16
    for block in range((LAYERS - 2) // 3):
        strides = 2 if block % 6 == 3 else 1
        out = 2 * width if strides == 2 else width
        y = layers.Conv2D(4 * width, 1, activation="relu6")(x)
        y = layers.DepthwiseConv2D(3, strides=strides, padding="same", activation="relu6")(y)
        y = layers.Conv2D(out, 1)(y)
        x = layers.Add()([x, y]) if strides == 1 else y
        width = out
    x = layers.Dense(100)(layers.Dense(64)(layers.GlobalAveragePooling2D()(x)))
    model = keras.Model(start, layers.Softmax()(x))
    model.save(path.with_suffix(".keras"))
    write_float(fix_batch(load_source(path.with_suffix(".keras"))), path)


def measured(path: Path, count: int, folder: Path) -> dict[str, Any]:
    """Quantize a float model and diagnose the pair."""
    shape = Graph(path).inputs[0].shape[1:]
    rng = np.random.default_rng(0)
    samples = [{"x": rng.uniform(-1, 1, shape).astype(np.float32)} for _ in range(count)]
    integer = folder / "integer.tflite"
    quantize_tflite(path, integer, scheme="int8", samples=samples[:50])
    start = time.perf_counter()
    layers = diagnose(path.read_bytes(), integer.read_bytes(), samples, folder)
    return {
        "model": path.name,
        "layers": len(layers),
        "macs": sum(each.macs for each in layers),
        "samples_given": count,
        "samples_used": layers[0].samples,
        "seconds": time.perf_counter() - start,
        "worst": layers[0].name,
        "cause": layers[0].cause,
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--model", type=Path, action="append", help="float .tflite")
    parser.add_argument("--json", type=Path, default=None)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = folder / "drawn.tflite"
        drawn(made)
        models = [made, *(wishes.model or [])]
        rows = [measured(each, wishes.samples, folder) for each in models]
    document = {"schema": 1, "limit_s": LIMIT_S, "machine": measure.machine(), "models": rows}
    print("| model | layers | MMACs | samples given / used | seconds |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['model']} | {row['layers']} | {row['macs'] / 1e6:.0f} | "
            f"{row['samples_given']} / {row['samples_used']} | {row['seconds']:.1f} |"
        )
    if wishes.json:
        wishes.json.write_text(json.dumps(to_json(document), indent=2))


if __name__ == "__main__":
    main()

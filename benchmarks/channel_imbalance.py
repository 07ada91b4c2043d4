"""Claim: channels that differ in size by any factors do not hurt an equalised int8 model.

Rescales the channels between the layers of ResNet8 by exp(N(0, 1)), function unchanged, and
quantizes the result: as it is, and after exact equalisation with bias correction or with
covariance rounding; with one scale a channel and with one scale a tensor. Agreement is the
share of cifar images, unseen in calibration, where the int8 file and the float model choose
the same class. The plain rows come from the second engine, whose ranges and rounding are
those of the TFLiteConverter. The first column is the net before it was rescaled: what int8
costs it without any imbalance.

    EDGEKIT_DATA=... python benchmarks/channel_imbalance.py [--json FILE]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data import open_dataset
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.tables import pack
from edgekit.manifest import Preprocessing
from edgekit.runtime import load
from edgekit_converters.quantize.chain.biases import correct
from edgekit_converters.quantize.chain.channels import find_channels
from edgekit_converters.quantize.chain.equalize import equalize
from edgekit_converters.quantize.chain.pair import Pair
from edgekit_converters.quantize.chain.patching import rescale
from edgekit_converters.quantize.chain.rounding import round_weights
from edgekit_converters.quantize.float_graph import prepare
from edgekit_converters.quantize.second_engine import quantize_tflite

MODEL = "models/tflite/mlperf_tiny/image_classification/trained_models/pretrainedResnet.tflite"
PICTURES = "classification/cifar10/train"
CALIBRATION, EVALUATION, SEEDS = 200, 3000, 5
WANTED = {"per channel": 0.98, "per tensor": 0.97}
MENDS: dict[str, Callable[..., object] | None] = {
    "plain": None,
    "equalised, biases corrected": correct,
    "equalised, covariance rounding": round_weights,
}

Array = NDArray[Any]


def pictures(folder: Path) -> tuple[Array, Array]:
    """Return calibration and evaluation samples, each of shape (n, 1, 32, 32, 3)."""
    data = open_dataset(
        folder,
        shapes={"image": (32, 32, 3)},
        preprocessing=Preprocessing.from_range(0, 255),
        labelled=False,
    ).subset(CALIBRATION + EVALUATION, seed=0)
    found = np.stack([sample.inputs["image"][None] for sample in data])
    chosen = np.random.default_rng(0).permutation(len(found))
    return found[chosen[:CALIBRATION]], found[chosen[CALIBRATION:]]


def imbalanced(model: bytes, seed: int, deviation: float) -> bytes:
    """Multiply every free channel by exp(N(0, deviation))."""
    graph = Graph(model)
    channels = find_channels(graph)
    logs = np.random.default_rng(seed).standard_normal(channels.count) * deviation
    logs[list(channels.frozen)] = 0.0
    rescale(graph, channels, np.exp(logs))
    return pack(graph.file.model)


def classes(path: Path, inputs: Array) -> Array:
    """Return the class that a file chooses for each sample."""
    model = load(path, probe=False, threads=1)
    return np.array([int(np.argmax(np.asarray(model(each)))) for each in inputs])


def quantized(
    model: bytes, inputs: Array, folder: Path, mend: Callable[..., object] | None, *, scope: str
) -> Path:
    """Quantize a float model and let a step of the chain mend the result."""
    source, made = folder / "float.tflite", folder / "int8.tflite"
    source.write_bytes(model)
    quantize_tflite(
        source,
        made,
        scheme="int8",
        samples=[{"image": each} for each in inputs],
        per_tensor=scope == "per tensor",
    )
    if mend is not None:
        pair = Pair(model, made.read_bytes())
        first, float_first = pair.graph.main.inputs[0], pair.float_graph.main.inputs[0]
        mend(pair, {first: inputs}, {float_first: inputs})
        made.write_bytes(pair.pack())
    return made


def measure(
    model: bytes, method: str, teaching: Array, fresh: Array, folder: Path
) -> dict[str, float]:
    """Return the agreement of each variant with the float model."""
    source = folder / "start.tflite"
    source.write_bytes(model)
    wanted = classes(source, fresh)
    even = equalize(model, {Graph(model).main.inputs[0]: teaching}, method=method).model
    found = {}
    for scope in WANTED:
        for name, mend in MENDS.items():
            start = model if name == "plain" else even
            made = quantized(start, teaching, folder, mend, scope=scope)
            found[f"{scope}, {name}"] = float((classes(made, fresh) == wanted).mean())
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="Also write the numbers here.")
    parser.add_argument("--method", default="activations", help="Of equalisation.")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"How many ({SEEDS}).")
    asked = parser.parse_args()
    data = Path(os.environ["EDGEKIT_DATA"])
    teaching, fresh = pictures(data / PICTURES)
    healthy = prepare(data / MODEL).data
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rows.append(measure(healthy, asked.method, teaching, fresh, Path(folder)))
        for seed in range(asked.seeds):
            model = imbalanced(healthy, seed, 1.0)
            rows.append(measure(model, asked.method, teaching, fresh, Path(folder)))
            print(
                f"seed {seed}:", {name: round(v, 4) for name, v in rows[-1].items()}, flush=True
            )
    print(f"\n| agreement, {len(fresh):,} images | healthy | imbalanced, mean | worst |")
    print("|---|---:|---:|---:|")
    for name, value in rows[0].items():
        each = [row[name] for row in rows[1:]]
        print(f"| {name} | {value:.3f} | {np.mean(each):.3f} | {min(each):.3f} |")
    for scope, least in WANTED.items():
        mean = np.mean([row[f"{scope}, equalised, covariance rounding"] for row in rows[1:]])
        print(f"{scope}: {mean:.3f}, wanted {least}: {'yes' if mean >= least else 'no'}")
    if asked.json:
        asked.json.write_text(json.dumps({"schema": 1, "healthy": rows[0], "seeds": rows[1:]}))


if __name__ == "__main__":
    main()

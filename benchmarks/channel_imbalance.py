"""Claim: channels that differ in size by any factors do not hurt an int8 model of edgekit.

Rescales the channels between the layers of a net by exp(N(0, 1)), function unchanged, and
quantizes the result with one scale a channel and with one scale a tensor: plainly, and with
edgekit's chain as `edgekit convert` runs it, by default and with --round. Agreement is the
share of cifar pictures, unseen in calibration, where the int8 file and the float model choose
the same class. The first column is the net before it was rescaled: what int8 costs it
without any imbalance.

* `own`: depthwise separable, trained here on 2,400 of the pictures. That takes about five
  minutes on two cores; with --work the net is kept, and training that was stopped goes on.
* `large`: ResNet8 with four times the filters, published by the authors of MLPerf Tiny.
* `small`: the ResNet8 of MLPerf Tiny. int8 costs it 3 points without any imbalance.

The plain rows of `own` come from the TFLiteConverter; those of the others, which are
.tflite, from the second engine, whose ranges and rounding are those of the TFLiteConverter.

    EDGEKIT_DATA=... python benchmarks/channel_imbalance.py [--nets large own small]
        [--seeds 5] [--epochs 60] [--work FOLDER] [--json FILE]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from mlperf_tiny import Array, cifar, outputs
from plain_converter import convert as convert_plainly

from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.tables import pack
from edgekit_converters.quantize.chain.channels import find_channels
from edgekit_converters.quantize.chain.improve import Wishes, improve
from edgekit_converters.quantize.chain.patching import rescale
from edgekit_converters.quantize.float_graph import prepare
from edgekit_converters.quantize.second_engine import quantize_tflite
from edgekit_converters.sources import fix_batch, load_source, write_float

TRAINED = "models/tflite/mlperf_tiny/image_classification/trained_models"
FILES = {"large": "pretrainedResnet_large_float.tflite", "small": "pretrainedResnet.tflite"}
CALIBRATION, TRAINING, SEEDS = 200, 2400, 5
EPOCHS, BATCH, RATE, SHIFT = 60, 64, 4e-3, 4
ABOUT = {
    "own": f"depthwise separable, trained here on {TRAINING:,} pictures",
    "large": "ResNet8 with four times the filters, published beside MLPerf Tiny's",
    "small": "ResNet8 of MLPerf Tiny, published",
}
HEALTHY, ACCURATE = {"own", "large"}, 0.8
WANTED = {"per channel": 0.98, "per tensor": 0.97}
WAYS = ("plain", "edgekit", "edgekit --round")
ACCURACY, UNSEEN = "float accuracy", "float accuracy, pictures unseen in training"


@dataclass(frozen=True)
class Subject:
    """A float model and how it is quantized plainly.

    Attributes:
        model: The float .tflite.
        plain: Makes an int8 .tflite; says whether it has one scale a tensor.
        learned: From how many of the pictures it learned, the first ones; 0 for all.
    """

    model: bytes
    plain: Callable[[bool], bytes]
    learned: int = 0


def published(name: str, data: Path, teaching: Array, folder: Path) -> Iterator[Subject]:
    """Yield a published net as it is, and rescaled with one seed after another."""
    healthy = prepare(data / TRAINED / FILES[name]).data
    source, made = folder / "plain-of.tflite", folder / "plain.tflite"
    for factors in (None, *range(SEEDS)):
        model = healthy if factors is None else imbalanced(healthy, factors)

        def plain(per_tensor: bool, model: bytes = model) -> bytes:
            source.write_bytes(model)
            samples = [{"image": each[None]} for each in teaching]
            quantize_tflite(source, made, scheme="int8", samples=samples, per_tensor=per_tensor)
            return made.read_bytes()

        yield Subject(model, plain)


def imbalanced(model: bytes, seed: int) -> bytes:
    """Multiply every free channel of a .tflite by exp(N(0, 1))."""
    graph = Graph(model)
    channels = find_channels(graph)
    logs = np.random.default_rng(seed).standard_normal(channels.count)
    logs[list(channels.frozen)] = 0.0
    rescale(graph, channels, np.exp(logs))
    return pack(graph.file.model)


def own(path: Path, teaching: Array, folder: Path) -> Iterator[Subject]:
    """Yield the net trained here, likewise."""
    source = folder / "own.keras"
    for seed in (None, *range(SEEDS)):
        net = keras.models.load_model(path, compile=False)
        if seed is not None:
            make_uneven(net, seed)
        net.save(source)
        write_float(fix_batch(load_source(source)), folder / "own.tflite")

        def plain(per_tensor: bool, net: Any = net) -> bytes:
            return convert_plainly(net, teaching, per_tensor=per_tensor, io=tf.float32)

        yield Subject((folder / "own.tflite").read_bytes(), plain, TRAINING)


def make_uneven(net: Any, seed: int) -> None:
    """Multiply what each normalisation of a chain gives by exp(N(0, 1))."""
    rng = np.random.default_rng(seed)
    layers = [each for each in net.layers if hasattr(each, "kernel")]
    norms = [each for each in net.layers if hasattr(each, "gamma")]
    for norm, reader in zip(norms, layers[1:], strict=True):
        factors = np.exp(rng.standard_normal(norm.gamma.shape))
        norm.gamma.assign(norm.gamma * factors)
        norm.beta.assign(norm.beta * factors)
        reader.kernel.assign(reader.kernel / factors[:, None])


def trained(folder: Path, inputs: Array, labels: Array, epochs: int) -> Path:
    """Return the file of a net trained for so many epochs; it is trained if it is not there.

    Args:
        folder: Where it is kept, and how far training has come.
        inputs: Pictures to learn from.
        labels: Their classes.
        epochs: How long to train.
    """
    path = folder / f"own-{epochs}-epochs.keras"
    if not path.exists():
        net = build()
        train(net, inputs, labels, epochs, path.with_suffix(".backup"))
        partial = folder / f"partial-{path.name}"
        net.save(partial)
        partial.rename(path)
    return path


def build() -> Any:
    """Return a small net of depthwise separable layers, BatchNorm and ReLU."""
    keras.utils.set_random_seed(0)
    layers = keras.layers

    def end() -> list[Any]:
        return [layers.BatchNormalization(), layers.ReLU()]

    stack = [
        keras.Input((32, 32, 3)),
        layers.Rescaling(1 / 127.5, -1),
        layers.Conv2D(32, 3, padding="same", use_bias=False),
        *end(),
    ]
    for filters, strides in ((64, 2), (64, 1), (128, 2), (128, 1), (128, 1)):
        apart = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)
        stack += [apart, *end(), layers.Conv2D(filters, 1, use_bias=False), *end()]
    classes = layers.Dense(10, activation="softmax")
    return keras.Sequential(
        [*stack, layers.GlobalAveragePooling2D(), layers.Dropout(0.2), classes]
    )


def train(net: Any, inputs: Array, labels: Array, epochs: int, backup: Path) -> None:
    """Train a net on moved pictures; what was stopped goes on from the backup."""
    rng, steps = np.random.default_rng(0), len(inputs) // BATCH

    def batches() -> Iterator[tuple[Array, Array]]:
        while True:
            chosen = rng.integers(0, len(inputs), BATCH)
            yield moved(inputs[chosen], rng), labels[chosen]

    net.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, epochs * steps)),
        "sparse_categorical_crossentropy",
        jit_compile=False,  # takes half as long again on a CPU, and long to compile
    )
    kept = keras.callbacks.BackupAndRestore(str(backup))
    net.fit(
        batches(),
        steps_per_epoch=steps,
        epochs=epochs,
        verbose=2,
        shuffle=False,
        callbacks=[kept],
    )


def moved(pictures: Array, rng: np.random.Generator) -> Array:
    """Shift pictures a little, and mirror half of them."""
    edges = [(0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)]
    found, wide = pictures.copy(), np.pad(pictures, edges, mode="edge")
    size = pictures.shape[1]
    for i, (y, x) in enumerate(rng.integers(0, 2 * SHIFT + 1, (len(pictures), 2))):
        found[i] = wide[i, y : y + size, x : x + size][:, :: rng.choice([-1, 1])]
    return found


def measure(subject: Subject, inputs: Array, labels: Array, folder: Path) -> dict[str, float]:
    """Return the accuracy of a float model, and the agreement with it of each int8 file."""
    path, (teaching, fresh) = folder / "model.tflite", np.split(inputs, [CALIBRATION])

    def classes(model: bytes) -> Array:
        path.write_bytes(model)
        found: Array = outputs(path, fresh).argmax(-1)
        return found

    wanted = classes(subject.model)
    right = wanted == labels[CALIBRATION:]
    found = {ACCURACY: float(right.mean())}
    if subject.learned:
        found[UNSEEN] = float(right[subject.learned - CALIBRATION :].mean())
    samples = [{"image": each[None]} for each in teaching]
    for scope in WANTED:
        per_tensor = scope == "per tensor"
        plain = subject.plain(per_tensor)
        for way in WAYS:
            model = plain
            if way != "plain":
                wishes = Wishes(per_tensor=per_tensor, rounding=way.endswith("--round"))
                model = improve(subject.model, plain, samples, folder, wishes).model
            found[f"{scope}, {way}"] = float((classes(model) == wanted).mean())
    return found


def table(name: str, rows: list[dict[str, float]]) -> Iterator[str]:
    """Write the rows of one net: before it was rescaled, and after."""
    for what, value in rows[0].items():
        each = [row[what] for row in rows[1:]] or [value]
        yield f"| {name} | {what} | {value:.3f} | {np.mean(each):.3f} | {min(each):.3f} |"


def report(found: dict[str, list[dict[str, float]]], about: dict[str, str], count: int) -> None:
    """Print which nets were measured, on how much, and their rows."""
    print()
    for name, rows in found.items():
        first = rows[0].items()
        accuracy = ", ".join(f"{what} {value:.3f}" for what, value in first if ACCURACY in what)
        print(f"{name}: {about[name]}; {accuracy}; rescaled with {len(rows) - 1} seeds")
    what = f"{count:,} pictures, {CALIBRATION} others calibrate"
    print(f"\n| net | {what} | as it is | rescaled, mean | worst |")
    print("|---|---|---:|---:|---:|")
    for name, rows in found.items():
        print("\n".join(table(name, rows)))


def verdict(found: dict[str, list[dict[str, float]]]) -> bool:
    """Print what was wanted, and say whether the healthy nets reached it."""
    held = True
    for name, rows in found.items():
        for scope, least in WANTED.items():
            mean = np.mean([row[f"{scope}, edgekit --round"] for row in rows[1:] or rows])
            print(f"{name}, {scope}, --round: {mean:.3f}, wanted {least}")
            held &= bool(mean >= least) or name not in HEALTHY
        if name in HEALTHY and rows[0][ACCURACY] < ACCURATE:
            print(
                f"{name}: not healthy, float accuracy below {ACCURATE}; nothing is shown by it"
            )
            held = False
    return held


def main() -> int:
    """Measure, print, and say whether the claim holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nets", nargs="+", choices=("own", *FILES), default=["own", *FILES])
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"At most {SEEDS}.")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="Training of `own`.")
    parser.add_argument("--work", type=Path, help="Keep `own` here, and go on.")
    parser.add_argument("--json", type=Path, help="Also write the numbers here.")
    asked = parser.parse_args()
    data = Path(os.environ["EDGEKIT_DATA"])
    inputs, labels = cifar(data)
    order = np.random.default_rng(0).permutation(len(inputs))
    inputs, labels = inputs[order], labels[order]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in asked.nets}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in asked.nets:
            if name == "own":
                work = asked.work or folder
                work.mkdir(parents=True, exist_ok=True)
                path = trained(work, inputs[:TRAINING], labels[:TRAINING], asked.epochs)
                subjects = own(path, inputs[:CALIBRATION], folder)
            else:
                subjects = published(name, data, inputs[:CALIBRATION], folder)
            for subject in islice(subjects, asked.seeds + 1):
                found[name].append(measure(subject, inputs, labels, folder))
                print(name, {k: round(v, 4) for k, v in found[name][-1].items()}, flush=True)
    about = {name: ABOUT[name] for name in found}
    if "own" in about:
        about["own"] += f" for {asked.epochs} epochs"
    count = len(inputs) - CALIBRATION
    report(found, about, count)
    if asked.json:
        document = {"schema": 2, "pictures": count, "calibration": CALIBRATION}
        asked.json.write_text(json.dumps(document | {"about": about, "nets": found}))
    return int(not verdict(found))


if __name__ == "__main__":
    raise SystemExit(main())

"""Claim: a model trained for integers and the file made from it are equally right.

Trains some models with fake quantization for a short while and compares, on samples that it
was not trained on: the float model, the plain TFLiteConverter after training, edgekit's
default (`edgekit quantize`), the model with fake quantization, and the int8 file made from
it. `balanced` models are as they come; in `uneven` ones the channels between layers are
rescaled by exp(N(0, 1)), which leaves the function as it is; `per tensor` has one scale a
kernel. The gap is fake quantization minus file; it must stay within 0.3 points.

Both round in the same places, but a value that falls between two steps may go either way, and
later layers make more of it: two interpreters' kernels disagree on as many samples of one file
as the file and fake quantization do. `agree` is how many samples these two class alike. So it
takes many samples to see a gap. ResNet8's pictures are those that its authors trained it on;
each one to judge by is shown in ten views, mirrored and shifted. Shapes are drawn afresh.

    EDGEKIT_DATA=... python benchmarks/qat.py [--json FILE] [--epochs N] [--samples N]
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

import edgekit
from edgekit.data import open_dataset
from edgekit.data.images import read_image
from edgekit.files import atomic_write
from edgekit.runtime import load
from edgekit_converters.prune.graph import Graph
from edgekit_converters.quantize.qat import fold
from edgekit_converters.quantize.qat.export import convert_trained
from edgekit_converters.quantize.qat.train import train
from edgekit_converters.sources import fix_batch, load_source
from edgekit_converters.sources.libraries import keras
from edgekit_converters.sources.source import Source
from edgekit_demos.shapes import draw

GAP = 0.003  # largest difference of fake quantization and file
SCHEMA = 2
CALIBRATION = 200
RESNET8 = "models/keras/mlperf_tiny/image_classification/trained_models/pretrainedResnet.h5"
CIFAR = "classification/cifar10/train"


@dataclass(frozen=True)
class Row:
    """Accuracy of one model in each form, as fractions.

    Attributes:
        noise: Standard error of the gap.
        agree: Share of the samples that fake quantization and file class alike.
        samples: How many the accuracies are over.
    """

    model: str
    variant: str
    original: float
    plain: float
    default: float
    fake: float
    file: float
    noise: float
    agree: float
    samples: int
    train_s: float
    untreated: tuple[str, ...]

    @property
    def gap(self) -> float:
        """Fake quantization minus file."""
        return self.fake - self.file


@dataclass(frozen=True)
class Data:
    """Inputs as the model takes them, and classes: to learn from, and to judge by."""

    x: Any
    y: Any
    held_x: Any
    held_y: Any


def cifar(count: int) -> Data:
    """Read pictures of all classes, as many to judge by as to learn from."""
    folder = Path(os.environ["EDGEKIT_DATA"]) / CIFAR
    names = sorted(each.name for each in folder.iterdir())
    rng = np.random.default_rng(0)
    pairs = [
        (path, i) for i, name in enumerate(names) for path in sorted((folder / name).iterdir())
    ]
    order = rng.permutation(len(pairs))[: 2 * count]
    chosen = [pairs[i] for i in order]
    x = np.stack([read_image(path) for path, _ in chosen]).astype(np.float32)
    y = np.array([label for _, label in chosen])
    half = len(y) // 2
    views = [
        np.roll(pictures, shift, (1, 2))
        for pictures in (x[half:], x[half:, :, ::-1])
        for shift in ((0, 0), (0, 2), (0, -2), (2, 0), (-2, 0))
    ]
    return Data(x[:half], y[:half], np.concatenate(views), np.tile(y[half:], len(views)))


def shapes(count: int) -> Data:
    """Draw shapes."""
    (x, y), (held_x, held_y) = draw(count, seed=11), draw(5 * count, seed=12)
    return Data(np.float32(x / 255), y, np.float32(held_x / 255), held_y)


def uneven(model: Any, seed: int = 0) -> Any:
    """Rescale the channels between two convolutions; ReLU lets positive factors through."""
    model = fold(model).model
    graph = Graph(model)
    rng = np.random.default_rng(seed)
    for first, second in _neighbours(graph):
        factor = np.exp(rng.normal(size=first.filters)).astype(np.float32)
        first.kernel.assign(first.kernel * factor)
        first.bias.assign(first.bias * factor)
        second.kernel.assign(second.kernel / factor[:, None])
    return model


def _neighbours(graph: Graph) -> Iterator[tuple[Any, Any]]:
    """Find two convolutions with nothing but a ReLU between them."""
    layers = keras().layers
    users: dict[int, list[Any]] = {}
    for call in graph.calls:
        for key in call.inputs:
            users.setdefault(key, []).append(call)
    for call in graph.calls:
        behind = users.get(call.outputs[0], [])
        if type(call.layer) is layers.Conv2D and len(behind) == 1:
            last = users.get(behind[0].outputs[0], [])
            relu = isinstance(behind[0].layer, layers.ReLU | layers.Activation)
            if relu and len(last) == 1 and type(last[0].layer) is layers.Conv2D:
                yield call.layer, last[0].layer


def classes(model: Any, data: Data) -> Any:
    """Classes that a Keras model gives."""
    scores = [
        np.asarray(model(data.held_x[i : i + 100], training=False))
        for i in range(0, len(data.held_x), 100)
    ]
    return np.concatenate(scores).argmax(-1)


def file_classes(path: Path, data: Data) -> Any:
    """The same of a file, in the installed interpreter."""
    return np.asarray(load(path)(data.held_x)).argmax(-1)


def plain_file(model: Any, data: Data, path: Path, *, per_tensor: bool) -> Path:
    """Convert as TensorFlow's own guide shows."""
    import tensorflow as tf

    library = keras()
    inputs = library.Input(batch_shape=(1, *model.input_shape[1:]))
    converter = tf.lite.TFLiteConverter.from_keras_model(library.Model(inputs, model(inputs)))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None]] for x in data.x[:CALIBRATION])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel = per_tensor  # noqa: SLF001 (the only switch)
    path.write_bytes(converter.convert())
    return path


def measure(
    source: Source, variant: str, data: Data, epochs: int, folder: Path, *, per_tensor: bool
) -> Row:
    """Measure one model in every form."""
    model = source.model
    model.save(folder / "model.keras")
    np.savez(folder / "data.npz", x=data.x, y=data.y)
    default = edgekit.quantize(
        folder / "model.keras",
        folder / "default.tflite",
        calibrate=str(folder / "data.npz"),
        samples=CALIBRATION,
        per_tensor=per_tensor,
    )
    dataset = open_dataset(
        folder / "data.npz",
        shapes={source.inputs[0].name: tuple(data.x.shape[1:])},
        preprocessing=None,
        labelled=True,
    )
    start = time.perf_counter()
    trained = train(model, dataset, epochs, per_tensor=per_tensor)
    seconds = time.perf_counter() - start
    fake = classes(trained.model, data)
    single = fix_batch(Source(**{**_fields(source), "model": trained.model})).model
    content, problem = convert_trained(single, per_tensor=per_tensor)
    if problem:
        raise SystemExit(problem)
    atomic_write(folder / "qat.tflite", content)
    plain = plain_file(model, data, folder / "plain.tflite", per_tensor=per_tensor)
    file = file_classes(folder / "qat.tflite", data)
    right = [found == data.held_y for found in (fake, file)]

    def share(found: Any) -> float:
        return float(np.mean(found == data.held_y))

    return Row(
        model=source.path.stem,
        variant=f"{variant}{', per tensor' if per_tensor else ''}",
        original=share(classes(model, data)),
        plain=share(file_classes(plain, data)),
        default=share(file_classes(Path(default.path), data)),
        fake=share(fake),
        file=share(file),
        noise=float(np.std(np.subtract(*right, dtype=float)) / np.sqrt(len(fake))),
        agree=float(np.mean(fake == file)),
        samples=len(fake),
        train_s=round(seconds, 1),
        untreated=trained.untreated,
    )


def _fields(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in source.__dataclass_fields__}


def sources(count: int) -> Iterator[tuple[Source, Data]]:
    """Load the models with their data."""
    with as_file(files("edgekit_demos") / "models" / "shapes.keras") as path:
        yield load_source(path), shapes(count)
    if "EDGEKIT_DATA" in os.environ:
        yield load_source(Path(os.environ["EDGEKIT_DATA"]) / RESNET8), cifar(count)


def main() -> int:
    """Measure, print, and say whether the claim holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--samples", type=int, default=2000)
    wishes = parser.parse_args()
    rows = []
    heads = ("model", "variant", "float", "plain", "default", "fake", "file", "gap", "noise")
    print(("{:16} {:20}" + " {:>7}" * 9).format(*heads, "agree", "train s"))
    for source, data in sources(wishes.samples):
        for variant, per_tensor in (("balanced", False), ("uneven", False), ("uneven", True)):
            model = source.model if variant == "balanced" else uneven(source.model)
            changed = Source(**{**_fields(source), "model": model})
            with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
                row = measure(
                    changed, variant, data, wishes.epochs, Path(folder), per_tensor=per_tensor
                )
            rows.append(row)
            shares = (row.original, row.plain, row.default, row.fake, row.file, row.gap)
            points = [f"{100 * share:7.2f}" for share in (*shares, row.noise, row.agree)]
            print(
                f"{row.model:16} {row.variant:20}", *points, f"{row.train_s:7.1f}", flush=True
            )
    document = {"schema": SCHEMA, "rows": [asdict(each) | {"gap": each.gap} for each in rows]}
    if wishes.json:
        wishes.json.write_text(json.dumps(document, indent=2))
    worst = max(rows, key=lambda row: abs(row.gap))
    print(
        f"Largest gap {100 * worst.gap:.2f} points, give or take "
        f"{100 * worst.noise:.2f} ({worst.samples:,} samples); "
        f"allowed {100 * GAP:.2f}."
    )
    return int(abs(worst.gap) > GAP)


if __name__ == "__main__":
    raise SystemExit(main())

"""Claim: a model trained for integers and the file made from it are equally right.

Trains some models with fake quantization for a short while and compares, on samples that it
was not trained on: the float model, the plain TFLiteConverter after training, edgekit's
default (`edgekit quantize`), the model with fake quantization, and the int8 file made from
it. `balanced` models are as they come; in `uneven` ones the channels between layers are
rescaled by exp(N(0, 1)), which leaves the function as it is; `per tensor` has one scale a
kernel. A seed chooses the factors and the order of training.

Two claims, on every row: the gap, fake quantization minus file, is within 0.3 points either
way; and what `--qat` keeps, the file or the default, judged on a tenth of the samples that it
learns from, is not worse than the default by more than two standard errors. `agree` is how many
samples fake quantization and file class alike.

ResNet8's pictures are those that its authors trained it on; each one to judge by is shown in
ten views, mirrored and shifted, which count as one sample where errors are estimated. Shapes
are drawn afresh. With `--work` each row is kept there, and a run that was stopped goes on.

    EDGEKIT_DATA=... python benchmarks/qat.py [--json FILE] [--seeds N] [--work FOLDER]
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

import edgekit
from edgekit.data import Sample, open_dataset
from edgekit.data.images import read_image
from edgekit.files import atomic_write
from edgekit.records import from_json
from edgekit.runtime import load
from edgekit_converters.prune.graph import Graph
from edgekit_converters.quantize.qat import Trained, choose, fold, hold_out, train
from edgekit_converters.quantize.qat.export import convert_trained
from edgekit_converters.sources import fix_batch, load_source
from edgekit_converters.sources.libraries import keras
from edgekit_converters.sources.source import Source
from edgekit_demos.shapes import draw

GAP = 0.003  # largest difference of fake quantization and file
ERRORS = 2  # standard errors that what is kept may be below the default
SCHEMA = 3
CALIBRATION = 200
RESNET8 = "models/keras/mlperf_tiny/image_classification/trained_models/pretrainedResnet.h5"
CIFAR = "classification/cifar10/train"


@dataclass(frozen=True)
class Row:
    """Accuracy of one model in each form, as fractions.

    Attributes:
        noise: Standard error of the gap.
        kept: What `--qat` writes: file, or default.
        noise_of_gain: Standard error of kept minus default.
        agree: Share of the samples that fake quantization and file class alike.
        samples: How many the accuracies are over.
    """

    model: str
    variant: str
    seed: int
    original: float
    plain: float
    default: float
    fake: float
    file: float
    kept: float
    noise: float
    noise_of_gain: float
    agree: float
    samples: int
    train_s: float
    untreated: tuple[str, ...]

    @property
    def gap(self) -> float:
        """Fake quantization minus file."""
        return self.fake - self.file

    @property
    def gain(self) -> float:
        """What is kept minus default."""
        return self.kept - self.default

    @property
    def holds(self) -> bool:
        """Whether both claims do."""
        return abs(self.gap) <= GAP and self.gain >= -ERRORS * self.noise_of_gain


@dataclass(frozen=True)
class Data:
    """Inputs as the model takes them, and classes: to learn from, and to judge by.

    Attributes:
        views: How often each sample to judge by is there, in turns.
    """

    x: Any
    y: Any
    held_x: Any
    held_y: Any
    views: int = 1

    def error(self, difference: Any) -> float:
        """Standard error of a mean over the samples to judge by."""
        single = np.reshape(difference, (self.views, -1)).mean(axis=0)
        return float(single.std() / np.sqrt(len(single)))


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
    shown, classes = np.concatenate(views), np.tile(y[half:], len(views))
    return Data(x[:half], y[:half], shown, classes, len(views))


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


@dataclass(frozen=True)
class Case:
    """What is trained, and how."""

    source: Source
    data: Data
    variant: str
    seed: int
    epochs: int

    @property
    def per_tensor(self) -> bool:
        """Whether kernels have one scale."""
        return self.variant.endswith("per tensor")

    @property
    def name(self) -> str:
        """Name of the file that its row is kept in."""
        words = (self.source.path.stem, *self.variant.split(", "), self.seed, self.epochs)
        return f"{'-'.join(str(each).replace(' ', '_') for each in words)}.json"

    def model(self) -> Any:
        """The model to be trained."""
        even = self.variant.startswith("balanced")
        return self.source.model if even else uneven(self.source.model, self.seed)


def measure(case: Case, folder: Path) -> Row:
    """Measure one model in every form."""
    data, model, per_tensor = case.data, case.model(), case.per_tensor
    model.save(folder / "model.keras")
    np.savez(folder / "data.npz", x=data.x, y=data.y)
    default = edgekit.quantize(
        folder / "model.keras",
        folder / "default.tflite",
        calibrate=str(folder / "data.npz"),
        samples=CALIBRATION,
        per_tensor=per_tensor,
    )
    start = time.perf_counter()
    trained, held = trained_file(case, model, folder)
    seconds = time.perf_counter() - start
    plain = plain_file(model, data, folder / "plain.tflite", per_tensor=per_tensor)
    found = {
        "original": classes(model, data),
        "plain": file_classes(plain, data),
        "default": file_classes(Path(default.path), data),
        "fake": classes(trained.model, data),
        "file": file_classes(folder / "qat.tflite", data),
    }
    found["kept"] = found["file" if better(trained, held, folder) else "default"]
    right = {name: np.float64(each == data.held_y) for name, each in found.items()}
    return Row(
        model=case.source.path.stem,
        variant=case.variant,
        seed=case.seed,
        **{name: float(each.mean()) for name, each in right.items()},
        noise=data.error(right["fake"] - right["file"]),
        noise_of_gain=data.error(right["kept"] - right["default"]),
        agree=float(np.mean(found["fake"] == found["file"])),
        samples=len(data.held_y),
        train_s=round(seconds, 1),
        untreated=trained.untreated,
    )


def better(trained: Trained, held: Sequence[Sample], folder: Path) -> bool:
    """Whether `--qat` keeps the trained model, as the worker decides it."""
    mine, other = ((folder / f"{name}.tflite").read_bytes() for name in ("qat", "default"))
    # The samples have labels, so that the float model is not asked.
    return trained.learned and choose(b"", mine, other, held, folder).trained


def trained_file(case: Case, model: Any, folder: Path) -> tuple[Trained, tuple[Sample, ...]]:
    """Train, write the file beside the data, and return what was held out."""
    source = case.source
    dataset = open_dataset(
        folder / "data.npz",
        shapes={source.inputs[0].name: tuple(case.data.x.shape[1:])},
        preprocessing=None,
        labelled=True,
    )
    samples, held = hold_out(dataset, case.seed)
    trained = train(model, samples, case.epochs, per_tensor=case.per_tensor, seed=case.seed)
    single = fix_batch(Source(**{**_fields(source), "model": trained.model})).model
    content, problem = convert_trained(single, per_tensor=case.per_tensor)
    if problem:
        raise SystemExit(problem)
    atomic_write(folder / "qat.tflite", content)
    return trained, held


def kept_row(case: Case, work: Path | None) -> Row:
    """Measure, or read what was measured before."""
    path = work / case.name if work else None
    if path and path.exists():
        return from_json(Row, json.loads(path.read_text()), path.name)
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        row = measure(case, Path(folder))
    if path:
        atomic_write(path, json.dumps(asdict(row), indent=2))
    return row


def _fields(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in source.__dataclass_fields__}


def sources(count: int) -> Iterator[tuple[Source, Data]]:
    """Load the models with their data."""
    if "EDGEKIT_DATA" in os.environ:
        yield load_source(Path(os.environ["EDGEKIT_DATA"]) / RESNET8), cifar(count)
    with as_file(files("edgekit_demos") / "models" / "shapes.keras") as path:
        yield load_source(path), shapes(count)


def cases(count: int, seeds: int, epochs: int) -> Iterator[Case]:
    """All that is to be measured."""
    loaded = list(sources(count))
    for seed in range(seeds):
        for source, data in loaded:
            for variant in ("balanced", "uneven", "uneven, per tensor"):
                yield Case(source, data, variant, seed, epochs)


def show(row: Row) -> None:
    """Print one line, in points."""
    shares = (row.original, row.plain, row.default, row.fake, row.file, row.kept)
    rest = (row.gap, row.noise, row.agree, row.gain)
    points = [f"{100 * share:7.2f}" for share in (*shares, *rest)]
    noise = f"{100 * row.noise_of_gain:7.2f}"
    said = "" if row.holds else "  MISSED"
    head = f"{row.model:16} {row.variant:20} {row.seed:4}"
    print(head, *points, noise, f"{row.train_s:7.1f}{said}", flush=True)


def main() -> int:
    """Measure, print, and say whether the claims hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder of finished rows")
    wishes = parser.parse_args()
    if wishes.work:
        wishes.work.mkdir(parents=True, exist_ok=True)
    heads = ("float", "plain", "default", "fake", "file", "kept", "gap", "noise", "agree")
    print(
        ("{:16} {:20} {:>4}" + " {:>7}" * 12).format(
            "model", "variant", "seed", *heads, "gain", "noise", "train s"
        )
    )
    rows = []
    for case in cases(wishes.samples, wishes.seeds, wishes.epochs):
        rows.append(kept_row(case, wishes.work))
        show(rows[-1])
    more = [{"gap": each.gap, "gain": each.gain} for each in rows]
    document = {
        "schema": SCHEMA,
        "rows": [asdict(each) | extra for each, extra in zip(rows, more, strict=True)],
    }
    if wishes.json:
        wishes.json.write_text(json.dumps(document, indent=2))
    worst = max(rows, key=lambda row: abs(row.gap))
    print(
        f"Largest gap {100 * worst.gap:.2f} points, give or take {100 * worst.noise:.2f}; "
        f"allowed {100 * GAP:.2f}. {sum(row.holds for row in rows)} of {len(rows)} rows hold."
    )
    return int(not all(row.holds for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())

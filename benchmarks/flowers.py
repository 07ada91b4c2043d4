"""Flowers, and a net that tells them apart: what the benchmarks of pruning share.

The pictures are the 5 x 150 photographs of `classification/flowers`. The net is MobileNetV1
at 0.75 of its width, 64 x 64 pixels; its convolutions are those of a published detector. They
are read out of the .tflite, get BatchNormalization again, and are taught the flowers.
"""

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekit.data import Dataset, open_dataset
from edgekit.data.images import read_image
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Preprocessing
from edgekit.runtime import load
from edgekit_converters.prune import finetune
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.sources import fix_batch, write_float
from edgekit_converters.sources.describe import input_specs, output_names
from edgekit_converters.sources.libraries import keras
from edgekit_converters.sources.source import Source

PICTURES = "classification/flowers"
BACKBONE = (
    "models/tflite/tflite_support/cc/test/testdata/task/vision/"
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
)
CONVOLUTIONS = 27  # of MobileNetV1; those that make boxes come after them
SIZE = 64
SHAPE = (SIZE, SIZE, 3)
EPOCHS = 15
KINDS = ("float", "int8")
EPSILON = 1e-3
STUDENT_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365}

Array = NDArray[Any]


class Flowers:
    """One split of the pictures, and the models that are made with it.

    Every model is kept in the working folder, so that a run that was stopped goes on.

    Args:
        work: Working folder.
        seed: Which split, and the order of the pictures.
    """

    def __init__(self, work: Path, seed: int) -> None:
        self._work, self.seed = work / f"seed-{seed}", seed
        self._work.mkdir(parents=True, exist_ok=True)
        x, y, self._labels = pictures(work)
        held = _held_out(y, seed)
        for name, chosen in (("train", ~held), ("test", held)):
            np.savez(self._work / f"{name}.npz", x=x[chosen], y=y[chosen])
        self._typical, self._held, self._classes = _real(x[~held][::4]), _real(x[held]), y[held]

    @property
    def training(self) -> Dataset:
        """What nets learn from."""
        return open_dataset(
            self._work / "train.npz",
            shapes={"image": SHAPE},
            preprocessing=Preprocessing.from_range(-1.0, 1.0),
            labelled=True,
            labels=self._labels,
        )

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """Load a model of this split, or make it."""
        path = self._work / f"{name}.keras"
        if path.exists():
            return keras().saving.load_model(path, compile=False)
        model = make()
        partial = path.with_name(f"partial-{path.name}")
        model.save(partial)
        partial.rename(path)
        return model

    def original(self) -> Any:
        """The net that is pruned."""
        return self.kept("original", self._taught)

    def files(self, name: str, model: Any) -> dict[str, Path]:
        """Write the float and the int8 file of a model."""
        paths = {kind: self._work / f"{name}.{kind}.tflite" for kind in KINDS}
        if not all(path.exists() for path in paths.values()):
            write_files(model, paths, self._batches)
        return paths

    def accuracy(self, path: Path) -> float:
        """Share of the pictures held out that a file has right."""
        scores = np.asarray(load(path, probe=False)(self._held))
        return float(np.mean(scores.argmax(-1) == self._classes))

    def _taught(self) -> Any:
        keras().utils.set_random_seed(self.seed)
        model = classifier(self._typical, len(self._labels))
        finetune(model, self.training, EPOCHS, seed=self.seed, augment=True)
        return model

    def _batches(self) -> Iterator[dict[str, Any]]:
        for picture in self._typical:
            yield {"image": picture[None]}


def write_files(
    model: Any, paths: dict[str, Path], typical: Callable[[], Iterator[dict[str, Any]]]
) -> None:
    """Write the float and the int8 file of a model.

    Args:
        model: A Keras model.
        paths: The files by kind.
        typical: Inputs to calibrate on.
    """
    source = fix_batch(
        Source(
            kind="keras",
            model=model,
            path=Path(model.name),
            loaded_by="keras",
            inputs=input_specs(model),
            outputs=output_names(model),
        )
    )
    write_float(source, paths["float"])
    atomic_write(paths["int8"], convert_keras(source.model, "int8", typical))


def pictures(work: Path) -> tuple[Array, Array, list[str]]:
    """Read all photographs: the square in the middle, as uint8; kept in a file."""
    folder = Path(os.environ["EDGEKIT_DATA"]) / PICTURES
    labels = sorted(each.name for each in folder.iterdir() if each.is_dir())
    path = work / f"flowers-{SIZE}.npz"
    if not path.exists():
        files = [
            (file, label)
            for label, name in enumerate(labels)
            for file in sorted((folder / name).iterdir())
        ]
        x = np.stack([_square(read_image(file)) for file, _ in files])
        np.savez(path, x=x, y=np.array([label for _, label in files]))
    with np.load(path) as stored:
        return stored["x"], stored["y"], labels


def _square(picture: Array) -> Array:
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    cut = picture[top : top + side, left : left + side]
    return np.asarray(cv2.resize(cut, (SIZE, SIZE), interpolation=cv2.INTER_AREA))


def _real(x: Array) -> Array:
    """Scale pixels as the net takes them."""
    return np.asarray(x / 127.5 - 1, np.float32)


def _held_out(y: Array, seed: int) -> NDArray[np.bool_]:
    """Draw a third of each class."""
    rng = np.random.default_rng(seed)
    held = np.zeros(len(y), np.bool_)
    for label in np.unique(y):
        (places,) = np.nonzero(y == label)
        held[rng.permutation(places)[: len(places) // 3]] = True
    return held


def classifier(typical: Array, classes: int) -> Any:
    """Put an untrained layer behind the backbone."""
    library = keras()
    base = backbone(Path(os.environ["EDGEKIT_DATA"]) / BACKBONE, typical)
    x = library.layers.GlobalAveragePooling2D(name="pool")(base.outputs[0])
    x = library.layers.Dropout(0.2, name="dropout")(x)
    x = library.layers.Dense(classes, activation="softmax", name="classes")(x)
    return library.Model(base.inputs[0], x, name="flowers")


def backbone(path: Path, typical: Array) -> Any:
    """Read a MobileNetV1 out of a .tflite and give it BatchNormalization.

    The statistics of each BatchNormalization are those of `typical` pictures, and its scale
    and offset undo them: the net computes what the file does, and can be trained.
    """
    graph = Graph(path)
    convolutions = [op for op in graph.ops if op.op.endswith("CONV_2D")][:CONVOLUTIONS]
    image = keras().layers.Input(SHAPE, name="image")
    x, seen = image, typical
    for place, op in enumerate(convolutions):
        kernel, bias = (_values(graph, graph.main.tensors[index]) for index in op.inputs[1:3])
        layer, norm, relu = _block(place, op, kernel.shape)
        x = relu(norm(layer(x)))
        layer.set_weights([kernel.transpose(1, 2, 3, 0)])
        seen = np.asarray(layer(seen))
        mean, variance = seen.mean((0, 1, 2)), seen.var((0, 1, 2))
        norm.set_weights([np.sqrt(variance + EPSILON), mean + bias, mean, variance])
        seen = np.asarray(relu(norm(seen)))
    return keras().Model(image, x, name="backbone")


def _block(place: int, op: Any, shape: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Make the layers of one convolution, whose kernel is (outputs, height, width, inputs)."""
    layers = keras().layers
    shared = {"strides": op.options["stride_w"], "padding": "same", "use_bias": False}
    if op.op == "CONV_2D":
        layer = layers.Conv2D(shape[0], shape[1], name=f"conv_{place}", **shared)
    else:
        layer = layers.DepthwiseConv2D(shape[1], name=f"depthwise_{place}", **shared)
    norm = layers.BatchNormalization(epsilon=EPSILON, name=f"norm_{place}")
    return layer, norm, layers.ReLU(6.0, name=f"relu_{place}")


def _values(graph: Graph, tensor: Any) -> Array:
    """Return what the integers of a constant stand for."""
    values = graph.constant(tensor).astype(np.float32)
    return (values - np.float32(tensor.zero_point[0])) * np.float32(tensor.scale[0])


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean, and between what it lies with 95 % by Student's t."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    width = STUDENT_T[len(values) - 1] * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - width, mean + width

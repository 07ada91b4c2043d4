"""Train a classifier: a backbone, an average over the picture, one layer of classes.

With weights to begin with, the layer learns first, while the backbone stays as it is; then
everything learns.
"""

import dataclasses
import functools
import logging
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import write_keras_manifest
from edgekit.data import find
from edgekit.data.annotations import Annotated
from edgekit.data.boxes import Detections
from edgekit.data.images import SUFFIXES, read_image
from edgekit.data.preprocess import apply
from edgekit.errors import DataError, UsageError
from edgekit.manifest import Manifest, Output, Preprocessing
from edgekit.measure import library_versions
from edgekit.progress import track
from edgekit.records import to_json
from edgekit_converters.train.backbones import build, load_weights
from edgekit_converters.train.detect.augment import Meaning, Views
from edgekit_converters.train.loop import Batch, Plan, Training
from edgekit_converters.train.pictures import Pictures
from edgekit_converters.train.request import TrainRequest, TrainResult

MODEL = "model.keras"
OUTPUT = "probabilities"
_FROZEN = 5  # epochs in which only the last layer learns
_FROZEN_RATE = 5e-3
_SMOOTHING = 0.1
_DROPOUT = 0.2

_PREPROCESSING = Preprocessing.from_range(-1, 1)
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Pictures on one side.

    Attributes:
        files: The pictures.
        classes: Shape (N,), their class numbers.
    """

    files: tuple[Path, ...]
    classes: NDArray[np.intp]


def train_classifier(wishes: TrainRequest, folder: Path, checkpoint: Path) -> TrainResult:
    """Train a classifier and write it.

    Args:
        wishes: What is asked.
        folder: Gets the model.
        checkpoint: File in which a run that was killed goes on.

    Raises:
        DataError: The pictures cannot be used.
        UsageError: The size or the backbone makes no sense.
        SourceError: The weights fit nothing.
    """
    began = time.perf_counter()
    if wishes.size % 32 or wishes.size < 32:
        msg = f"--size is a multiple of 32; found {wishes.size}."
        raise UsageError(msg)
    labels, training, held = _sides(wishes)
    keras.utils.set_random_seed(wishes.seed)
    model = classifier(wishes.backbone, wishes.size, len(labels))
    batches = _Batches(training, len(labels), wishes)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=_SMOOTHING)
    if wishes.weights:
        load_weights(model, Path(wishes.weights))
        if not checkpoint.exists():
            _learn_last(model, loss, batches)
    plan = Plan(
        epochs=wishes.epochs,
        steps=batches.steps,
        rate=wishes.rate,
        average=0.99,
        patience=wishes.patience,
    )
    epochs = Training(
        model,
        lambda outputs, targets: loss(targets, outputs),
        batches,
        plan,
        look=lambda: float(_right(model, held).mean()),
        checkpoint=checkpoint,
        label=f"Training on {len(training.files)} pictures",
    ).run()
    right = _right(model, held)
    result = TrainResult(
        path="",
        metric="accuracy",
        value=float(right.mean()),
        others={},
        per_class={
            name: float(right[held.classes == number].mean())
            for number, name in enumerate(labels)
        },
        labels=labels,
        epochs=epochs,
        seconds=round(time.perf_counter() - began, 1),
        parameters=model.count_params(),
        trained_on=len(training.files),
        held_out=tuple(_name(file) for file in held.files),
        picture=None,
    )
    model.save(folder / MODEL)
    manifest = Manifest(
        name="classifier",
        task="classify",
        labels=labels,
        preprocessing=_PREPROCESSING,
        outputs=(Output(name=OUTPUT, role="probabilities"),),
        versions=library_versions(("edgekit", "keras", "tensorflow")),
        evidence={"train": {**to_json(result), "wishes": wishes.told()}},
    )
    write_keras_manifest(folder / MODEL, manifest)
    return result


def classifier(backbone: str, size: int, classes: int) -> Any:
    """Build a classifier of square pictures, its pixels from -1 to 1.

    Args:
        backbone: Name of the backbone, see `backbones.build`.
        size: Side of the input.
        classes: How many classes it tells apart.
    """
    picture = keras.Input((size, size, 3), name="image")
    x = build(backbone, picture).top
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = keras.layers.Dropout(_DROPOUT, name="drop")(x)
    x = keras.layers.Dense(classes, activation="softmax", name=OUTPUT)(x)
    return keras.Model(picture, x, name="classifier")


def _learn_last(model: Any, loss: Any, batches: "_Batches") -> None:
    """Let the last layer learn alone."""
    for layer in model.layers[:-1]:
        layer.trainable = False
    Training(
        model,
        lambda outputs, targets: loss(targets, outputs),
        batches,
        Plan(epochs=_FROZEN, steps=batches.steps, rate=_FROZEN_RATE, average=0.9),
        label="Training the last layer",
    ).run()
    for layer in model.layers:
        layer.trainable = True


def _sides(wishes: TrainRequest) -> tuple[tuple[str, ...], _Side, _Side]:
    """Find the pictures and hold the same share of each class out.

    Raises:
        DataError: There are no two classes with two pictures each.
    """
    root = Path(wishes.data)
    names = find.class_folders(root, SUFFIXES) if root.is_dir() else ()
    rng = np.random.default_rng(wishes.seed)
    sides: tuple[list[tuple[Path, int]], ...] = ([], [])
    for number, name in enumerate(names):
        files = _without(find.files_below(root / name, SUFFIXES), wishes.skip)
        order = rng.permutation(len(files)).tolist()
        cut = max(1, round(wishes.hold_out * len(files)))
        for side, places in zip(sides, (order[cut:], order[:cut]), strict=True):
            side.extend((files[place], number) for place in sorted(places))
        if len(files) < 2:
            msg = f"{root / name} holds {len(files)} pictures; a class needs two or more."
            raise DataError(msg)
    if len(names) < 2:
        msg = (
            f"{root} holds {len(names)} folders of pictures; found {find.what_is_in(root)}.\n"
            "Give a folder that has one folder of pictures for each class."
        )
        raise DataError(msg)
    training, held = (
        _Side(tuple(file for file, _ in side), np.array([n for _, n in side], np.intp))
        for side in sides
    )
    return tuple(names), training, held


def _without(files: list[Path], skip: tuple[str, ...]) -> list[Path]:
    left_out = set(skip)
    return [file for file in files if not left_out & {file.name, file.stem, _name(file)}]


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"


class _Batches:
    """Makes the batch of each step from the seed and its number alone."""

    def __init__(self, side: _Side, classes: int, wishes: TrainRequest) -> None:
        self._seed, self._size = wishes.seed, min(wishes.batch, len(side.files))
        self._targets = np.eye(classes, dtype=np.float32)[side.classes]
        self.steps = max(1, len(side.files) // self._size)
        none = Detections.none()
        items = [
            Annotated(
                name=_name(file),
                path=file,
                boxes=none.boxes,
                classes=none.classes,
                difficult=np.zeros(0, np.bool_),
                crowd=np.zeros(0, np.bool_),
            )
            for file in side.files
        ]
        readers = [functools.partial(read_image, file) for file in side.files]
        pictures = Pictures(readers, wishes.size)
        meaning = Meaning(mirror=wishes.mirror, turn=wishes.turn)
        self._views = Views(items, pictures, wishes.size, meaning, mosaic=0.0)

    def __call__(self, step: int) -> Batch:
        """Make one."""
        epoch, index = divmod(step, self.steps)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._targets))
        rng = np.random.default_rng([self._seed, epoch, index])
        places = order[index * self._size : (index + 1) * self._size]
        pixels = np.stack([self._views(int(place), rng).pixels for place in places])
        inputs = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
        return inputs, self._targets[places]


def _right(model: Any, held: _Side) -> NDArray[np.float64]:
    """Say of each held-out picture whether its class is found."""
    size = model.input_shape[1:3]
    found = [
        int(
            np.argmax(
                model.predict_on_batch(apply(read_image(file), _PREPROCESSING, size, 3)[None])
            )
        )
        for file in track(held.files, "Judging", len(held.files), "picture")
    ]
    return np.asarray(np.array(found) == held.classes, np.float64)

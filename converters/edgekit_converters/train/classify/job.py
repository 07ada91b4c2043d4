"""Train a classifier: a backbone, an average over the picture, one layer of classes.

With weights to begin with, the layer learns first, while the backbone stays as it is; then
everything learns.
"""

import dataclasses
import logging
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import write_keras_manifest
from edgekit.data import find
from edgekit.data.annotations import Annotated, Annotations
from edgekit.data.images import SUFFIXES
from edgekit.data.preprocess import apply
from edgekit.errors import DataError, UsageError
from edgekit.evaluation.detection import Pictures as Readable
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
        items: The pictures.
        classes: Shape (N,), their class numbers.
    """

    items: tuple[Annotated, ...]
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
    course = Training(
        model,
        lambda outputs, targets: loss(targets, outputs),
        batches,
        plan,
        look=lambda: float(_right(model, held).mean()),
        checkpoint=checkpoint,
        label=f"Training on {len(training.items)} pictures",
    )
    epochs = course.run()
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
        seconds=round(course.before_s + time.perf_counter() - began, 1),
        parameters=model.count_params(),
        trained_on=len(training.items),
        held_out=tuple(item.name for item in held.items),
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

    Every picture is read once before: one that is damaged shall not end a long training.

    Raises:
        DataError: There are no two classes with two pictures each, or more than 5 % of the
            pictures cannot be read.
    """
    names, classes = _readable(wishes)
    rng = np.random.default_rng(wishes.seed)
    sides: tuple[list[tuple[Annotated, int]], ...] = ([], [])
    for number, items in enumerate(classes):
        if len(items) < 2:
            msg = (
                f"{Path(wishes.data) / names[number]} holds {len(items)} pictures; a class "
                "needs two or more."
            )
            raise DataError(msg)
        order = rng.permutation(len(items)).tolist()
        cut = max(1, round(wishes.hold_out * len(items)))
        for side, places in zip(sides, (order[cut:], order[:cut]), strict=True):
            side.extend((items[place], number) for place in sorted(places))
    training, held = (
        _Side(tuple(item for item, _ in side), np.array([n for _, n in side], np.intp))
        for side in sides
    )
    return names, training, held


def _readable(wishes: TrainRequest) -> tuple[tuple[str, ...], list[list[Annotated]]]:
    """Find the classes, and the pictures of each that can be read."""
    root = Path(wishes.data)
    names = find.class_folders(root, SUFFIXES) if root.is_dir() else ()
    if len(names) < 2:
        msg = (
            f"{root} holds {len(names)} folders of pictures; found {find.what_is_in(root)}.\n"
            "Give a folder that has one folder of pictures for each class."
        )
        raise DataError(msg)
    every = [
        Annotated.bare(f"{name}/{file.relative_to(root / name).as_posix()}", file)
        for name in names
        for file in find.files_below(root / name, SUFFIXES)
    ]
    items = tuple(
        item
        for item in every
        if not {*wishes.skip} & {item.name, item.path.name, item.path.stem}
    )
    found = Annotations(
        labels=names, items=items, description=f"{root.name}: {len(items)} pictures"
    )
    good = [item for item, _ in Readable(found, "Looking at the pictures")]
    return names, [
        [item for item in good if item.name.startswith(f"{name}/")] for name in names
    ]


class _Batches:
    """Makes the batch of each step from the seed and its number alone."""

    def __init__(self, side: _Side, classes: int, wishes: TrainRequest) -> None:
        self._seed, self._size = wishes.seed, min(wishes.batch, len(side.items))
        self._targets = np.eye(classes, dtype=np.float32)[side.classes]
        self.steps = max(1, len(side.items) // self._size)
        pictures = Pictures([item.read for item in side.items], wishes.size)
        meaning = Meaning(mirror=wishes.mirror, turn=wishes.turn)
        self._views = Views(side.items, pictures, wishes.size, meaning, mosaic=0.0)

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
            np.argmax(model.predict_on_batch(apply(item.read(), _PREPROCESSING, size, 3)[None]))
        )
        for item in track(held.items, "Judging", len(held.items), "picture")
    ]
    return np.asarray(np.array(found) == held.classes, np.float64)

"""Train a detector: from annotated pictures to a Keras file that says what it is."""

import dataclasses
import functools
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edgekit.artifact import write_keras_manifest
from edgekit.data import opencv
from edgekit.data.annotations import Annotated, Annotations, open_annotations
from edgekit.data.images import read_image
from edgekit.errors import DataError, UsageError
from edgekit.evaluation.boxes import MeanPrecision, MeanPrecision50
from edgekit.evaluation.detection import LOWEST, detect, plain_pictures
from edgekit.evaluation.detection import Pictures as Readable
from edgekit.evaluation.request import DataRequest
from edgekit.manifest import Manifest, Output, Preprocessing
from edgekit.measure import library_versions
from edgekit.progress import track
from edgekit.records import to_json
from edgekit.runtime import TensorSpec
from edgekit.vision.detector import Detector
from edgekit.vision.drawing import draw
from edgekit.vision.outputs.find import open_decoder
from edgekit.vision.outputs.ssd import Coding, anchors
from edgekit_converters.train.backbones import load_weights
from edgekit_converters.train.detect.augment import Meaning, View, Views
from edgekit_converters.train.detect.network import BOXES, INPUT, SCORES, detector
from edgekit_converters.train.detect.sizes import choose
from edgekit_converters.train.detect.teaching import detection_loss
from edgekit_converters.train.loop import Batch, Plan, Training
from edgekit_converters.train.pictures import Pictures
from edgekit_converters.train.request import TrainRequest, TrainResult
from edgekit_converters.train.split import histogram, hold_out, shootings

MODEL, SHEET = "model.keras", "detections.jpg"
_HELD_OUT_SETS = ("test", "val")
_MOSAICS = 0.6  # share of the epochs; in the end, pictures are as those to come
_PRECISION = 0.95  # of what is found in the held-out pictures, unless asked otherwise
_THRESHOLDS = (0.5, 0.8)
_SHOWN = 12  # pictures of the sheet
_TILE = 320
_FEW, _ROOM = 20, 1.5  # boxes of a picture; times those of the fullest one
_SPREAD = 0.35  # of the logarithm of their sizes
_SHAPES = 20_000  # boxes that anchors are found from

_PREPROCESSING = Preprocessing.from_range(-1, 1)
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Pictures on both sides.

    Attributes:
        labels: Names of the classes.
        training: Pictures to learn from, with background behind those with boxes.
        held: Pictures to judge by.
        objects: How many of those to learn from have boxes.
    """

    labels: tuple[str, ...]
    training: tuple[Annotated, ...]
    held: tuple[Annotated, ...]
    objects: int


def train_detector(wishes: TrainRequest, folder: Path, checkpoint: Path) -> TrainResult:
    """Train a detector and write it.

    Args:
        wishes: What is asked.
        folder: Gets the model and the picture of sample detections.
        checkpoint: File in which a run that was killed goes on.

    Raises:
        DataError: The pictures cannot be used.
        UsageError: The size or the backbone makes no sense.
        SourceError: The weights fit nothing.
    """
    began = time.perf_counter()
    if wishes.size % 32 or wishes.size < 64:
        msg = f"--size is a multiple of 32 from 64 on; found {wishes.size}."
        raise UsageError(msg)
    data = _data(wishes)
    keras.utils.set_random_seed(wishes.seed)
    levels = choose(_shapes(data, wishes), wishes.anchors, wishes.seed)
    model = detector(wishes.backbone, wishes.size, levels, len(data.labels), wishes.width)
    if wishes.weights:
        load_weights(model, Path(wishes.weights))
    coding = Coding(levels=levels, max_detections=_most(data))
    manifest = _manifest(data, coding)
    judge = functools.partial(_judged, model, manifest, data)
    batches = _Batches(data, wishes)
    training = Training(
        model,
        detection_loss(anchors(levels, (wishes.size, wishes.size)), coding.scales),
        batches,
        Plan(
            epochs=wishes.epochs,
            steps=batches.steps,
            rate=wishes.rate,
            patience=wishes.patience,
        ),
        look=lambda: float(judge().score().value or 0.0),
        checkpoint=checkpoint,
        label=f"Training on {len(data.training)} pictures",
    )
    epochs = training.run()
    judged = judge()
    score = judged.score()
    coding = dataclasses.replace(coding, threshold=_threshold(judged))
    manifest = dataclasses.replace(manifest, decoding=to_json(coding))
    result = TrainResult(
        path="",
        metric="map50",
        value=score.others["map50"],
        others={"map": score.value},
        per_class=judge(MeanPrecision50).score().per_class,
        labels=data.labels,
        epochs=epochs,
        seconds=round(training.before_s + time.perf_counter() - began, 1),
        parameters=model.count_params(),
        trained_on=len(data.training),
        held_out=tuple(each.name for each in data.held),
        picture=SHEET,
    )
    said = {key: value for key, value in to_json(result).items() if key != "picture"}
    evidence = {**said, "wishes": wishes.told()}
    model.save(folder / MODEL)
    write_keras_manifest(
        folder / MODEL, dataclasses.replace(manifest, evidence={"train": evidence})
    )
    (folder / SHEET).write_bytes(_sheet(_opened(model, manifest), data.held))
    return result


def _data(wishes: TrainRequest) -> _Data:
    """Open the pictures and choose the sides."""
    found = _without(open_annotations(Path(wishes.data)), wishes.skip)
    training, held = _sides(found, wishes)
    background = _background(wishes.background) if wishes.background else []
    return _Data(found.labels, (*training, *background), tuple(held), len(training))


def _without(found: Annotations, skip: Sequence[str]) -> Annotations:
    """Leave out what is named, with or without its ending.

    Raises:
        DataError: A name is that of no picture.
    """
    left = list(found.items)
    for name in skip:
        rest = [
            item for item in left if name not in {item.name, item.path.name, item.path.stem}
        ]
        if len(rest) == len(left):
            msg = f"{found.description}: --skip {name} is none of the pictures."
            raise DataError(msg)
        left = rest
    return dataclasses.replace(found, items=tuple(left))


def _sides(found: Annotations, wishes: TrainRequest) -> tuple[list[Annotated], list[Annotated]]:
    """Take the sets that the data are divided into, else hold some shootings out.

    Every picture is read once before: one that is damaged shall not end a long training.

    Raises:
        DataError: More than 5 % of the pictures cannot be read.
    """
    items, colours = [], []
    for item, pixels in Readable(found, "Looking at the pictures"):
        items.append(item)
        colours.append(histogram(pixels))
    name = next((each for each in _HELD_OUT_SETS if each in found.sets), None)
    if name is not None:
        held = [item for item in items if name in item.sets]
        training = [item for item in items if not item.sets & {*_HELD_OUT_SETS} and item.sets]
        _log.warning(
            "%s: learned from %d pictures; judged by the %d of '%s'.",
            found.description.partition(":")[0],
            len(training),
            len(held),
            name,
        )
        return training, held
    groups = shootings([item.name for item in items], colours)
    kept, held_places = hold_out(
        groups, [item.classes for item in items], wishes.hold_out, wishes.seed
    )
    return [items[place] for place in kept], [items[place] for place in held_places]


def _background(path: str) -> list[Annotated]:
    """Open pictures without objects.

    Raises:
        DataError: There are none, or more than 5 % of them cannot be read.
    """
    found = plain_pictures(DataRequest(path=path))
    return [item for item, _ in Readable(found, "Looking at the background")]


def _most(data: _Data) -> int:
    """Return how many boxes a picture may have: more than any that was learned from."""
    most = max(len(item.boxes) for item in data.training)
    return max(_FEW, math.ceil(_ROOM * most))


def _shapes(data: _Data, wishes: TrainRequest) -> Any:
    """Draw widths and heights of boxes as the views will show them."""
    rng = np.random.default_rng(wishes.seed)
    sides = np.concatenate(
        [
            (item.boxes[:, 2:] - item.boxes[:, :2]) / np.array((item.size or (1, 1))[::-1])
            for item in data.training[: data.objects]
        ]
    )
    shapes = sides[rng.integers(len(sides), size=_SHAPES)] * wishes.size
    turned = rng.random(len(shapes)) < (0.5 if wishes.turn else 0.0)
    shapes[turned] = shapes[turned, ::-1]
    shapes *= np.exp(rng.uniform(-_SPREAD, _SPREAD, (len(shapes), 1)))
    shapes[rng.random(len(shapes)) < 0.5] *= 0.6  # of mosaics
    return np.clip(shapes, 8.0, wishes.size * 0.95)


class _Batches:
    """Makes the batch of each step from the seed and its number alone."""

    def __init__(self, data: _Data, wishes: TrainRequest) -> None:
        self._seed, self._size = wishes.seed, min(wishes.batch, len(data.training))
        self._count = len(data.training)
        self._mosaics = round(_MOSAICS * wishes.epochs)
        self.steps = max(1, self._count // self._size)
        pictures = Pictures([item.read for item in data.training], wishes.size)
        meaning = Meaning(mirror=wishes.mirror, turn=wishes.turn)
        self._views = Views(data.training, pictures, wishes.size, meaning)

    def __call__(self, step: int) -> Batch:
        """Make one."""
        epoch, index = divmod(step, self.steps)
        order = np.random.default_rng([self._seed, epoch]).permutation(self._count)
        rng = np.random.default_rng([self._seed, epoch, index])
        places = order[index * self._size : (index + 1) * self._size]
        alone = epoch >= self._mosaics
        return collated([self._views(int(place), rng, alone=alone) for place in places])


def collated(views: Sequence[View]) -> Batch:
    """Put views into arrays; unused places have the class -1 and boxes without area."""
    most = max(1, *(len(view.boxes) for view in views))
    doubts = max(1, *(len(view.doubtful) for view in views))
    boxes = np.zeros((len(views), most, 4), np.float32)
    classes = np.full((len(views), most), -1, np.int32)
    doubtful = np.zeros((len(views), doubts, 4), np.float32)
    for place, view in enumerate(views):
        boxes[place, : len(view.boxes)] = view.boxes
        classes[place, : len(view.classes)] = view.classes
        doubtful[place, : len(view.doubtful)] = view.doubtful
    pixels = np.stack([view.pixels for view in views])
    inputs = pixels.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return inputs, {"boxes": boxes, "classes": classes, "doubtful": doubtful}


def _manifest(data: _Data, coding: Coding) -> Manifest:
    return Manifest(
        name="detector",
        task="detect",
        labels=data.labels,
        preprocessing=_PREPROCESSING,
        outputs=(Output(name=BOXES, role="boxes"), Output(name=SCORES, role="scores")),
        decoding=to_json(coding),
        versions=library_versions(("edgekit", "keras", "tensorflow")),
    )


class _Live:
    """A model that learns, with the face of one that was opened."""

    def __init__(self, model: Any, manifest: Manifest) -> None:
        self.manifest = manifest
        self.inputs = (TensorSpec(INPUT, (1, *model.input_shape[1:]), "float32"),)
        self.outputs = tuple(
            TensorSpec(name, (1, *tensor.shape[1:]), "float32")
            for name, tensor in model.output.items()
        )
        self._model = model

    def __call__(self, x: Any) -> Any:
        """Compute."""
        given = self._model.predict_on_batch(np.asarray(x))
        return {name: np.asarray(each) for name, each in given.items()}


def _opened(model: Any, manifest: Manifest) -> Detector:
    live = _Live(model, manifest)
    side = live.inputs[0].shape[1]
    decoder = open_decoder(live.outputs, (side, side), manifest)
    return Detector(live, decoder, _PREPROCESSING, labels=manifest.labels)


def _judged(
    model: Any, manifest: Manifest, data: _Data, metric: type[MeanPrecision] = MeanPrecision
) -> MeanPrecision:
    """Look at the held-out pictures."""
    opened, judge = _opened(model, manifest), metric(data.labels)
    for item in track(data.held, "Judging", len(data.held), "picture"):
        judge.add(detect(opened, item.read(), LOWEST), item)
    return judge


def _threshold(judged: MeanPrecision) -> float:
    """Choose the score from which on something counts as found."""
    lowest, highest = _THRESHOLDS
    found = judged.lowest_score(_PRECISION)
    return lowest if found is None else round(min(max(found, lowest), highest), 2)


def _sheet(opened: Detector, held: Sequence[Annotated]) -> bytes:
    """Draw what is found in some held-out pictures, side by side."""
    step = max(1, len(held) // _SHOWN)
    tiles = []
    for item in held[::step][:_SHOWN]:
        pixels = read_image(item.path)
        found = opened.describe(detect(opened, pixels))
        scale = _TILE / max(pixels.shape[:2])
        small = opencv.resize(
            pixels, round(pixels.shape[1] * scale), round(pixels.shape[0] * scale)
        )
        bgr = np.ascontiguousarray(small[..., ::-1])
        shown = [
            {**to_json(each), "box": [side * scale for side in each.box]} for each in found
        ]
        draw(bgr, shown, labels=opened.labels)
        tile = np.full((_TILE, _TILE, 3), 32, np.uint8)
        tile[: bgr.shape[0], : bgr.shape[1]] = bgr
        tiles.append(tile)
    columns = min(4, len(tiles))
    while len(tiles) % columns:
        tiles.append(np.full((_TILE, _TILE, 3), 32, np.uint8))
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return opencv.encode_jpeg(np.vstack(rows), order="bgr", quality=90)

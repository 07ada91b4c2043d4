"""Raw heads of an SSD: one box code and one score a class for each anchor.

Anchors stand in the manifest: level by level, cell by cell in rows, size by size. A box
with centre (x, y) and size (w, h) is coded against its anchor (ax, ay, aw, ah) as in
TFLite_Detection_PostProcess:

    ty = sy (y - ay) / ah    tx = sx (x - ax) / aw    th = sh ln(h / ah)    tw = sw ln(w / aw)

and stands in that order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Boxes, Detections, nms
from edgekit.errors import RecordError, TargetError
from edgekit.records import from_json
from edgekit.vision.outputs.decoder import Decoder, Look, Outputs, Role, logit, sigmoid

KIND = "ssd"
_MAX_ANCHORS = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The anchors of one feature map.

    Attributes:
        stride: Pixels of the model's input from cell to cell, > 0.
        sizes: Width and height of the anchors in each cell, in pixels of the input, > 0.
    """

    stride: int
    sizes: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if self.stride < 1 or min((min(size) for size in self.sizes), default=0) <= 0:
            msg = f"A level of anchors needs a stride and sizes above 0; found {self}."
            raise RecordError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How boxes and scores of an SSD are coded; `decoding` of its manifest.

    Attributes:
        kind: Always `ssd`.
        levels: The anchors.
        scales: (y, x, h, w) of the box code.
        score: `sigmoid`: scores are logits; `none`: they are probabilities.
        background: The first score is that of no object.
        threshold: Score from which on something counts as found.
        iou: Overlap above which two boxes are one object.
        max_detections: Most boxes in a picture.
        per_class: Each anchor may give several classes, and only boxes of one class
            suppress each other; else an anchor gives its best class, and the best of boxes
            that overlap is kept, whatever their classes.
    """

    levels: tuple[Level, ...]
    kind: Literal["ssd"] = "ssd"
    scales: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)
    score: Literal["sigmoid", "none"] = "sigmoid"
    background: bool = False
    threshold: float = 0.5
    iou: float = 0.5
    max_detections: int = 20
    per_class: bool = False

    def __post_init__(self) -> None:
        if min(self.scales) <= 0 or self.max_detections < 1:
            msg = f"scales and max_detections must be above 0; found {self}."
            raise RecordError(msg)


def anchors(levels: Sequence[Level], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the anchors of a model.

    A level has ceil(height / stride) rows and ceil(width / stride) columns of cells.

    Args:
        levels: The feature maps, in order.
        size: Height and width of the model's input.

    Returns:
        Shape (A, 4) as (x, y, width, height), centres and sizes in pixels of the input.

    >>> anchors([Level(stride=16, sizes=((8, 4),))], (16, 32)).tolist()
    [[8.0, 8.0, 8.0, 4.0], [24.0, 8.0, 8.0, 4.0]]
    """
    return np.concatenate([_of_level(level, size) for level in levels])


def _of_level(level: Level, size: tuple[int, int]) -> NDArray[np.float32]:
    rows, columns = (-(-length // level.stride) for length in size)
    y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    centres = (np.stack([x, y], axis=-1).reshape(-1, 1, 2) + 0.5) * level.stride
    sizes = np.asarray(level.sizes).reshape(1, -1, 2)
    shape = (len(centres), sizes.shape[1], 2)
    whole = [np.broadcast_to(centres, shape), np.broadcast_to(sizes, shape)]
    places: NDArray[np.float32] = np.concatenate(whole, axis=2).astype(np.float32)
    return places.reshape(-1, 4)


def encode(
    boxes: Boxes, places: NDArray[np.float32], scales: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """Code boxes against anchors, one each; see `decode`.

    Args:
        boxes: Shape (N, 4), in pixels of the model's input, with an area.
        places: Anchors, shape (N, 4) as `anchors` gives them.
        scales: (y, x, h, w).

    Returns:
        Shape (N, 4) as (ty, tx, th, tw).
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    offsets = ((boxes[:, :2] + boxes[:, 2:]) / 2 - places[:, :2]) / places[:, 2:]
    growth = np.log(sides / places[:, 2:])
    codes: Boxes = np.concatenate([offsets[:, ::-1], growth[:, ::-1]], axis=1)
    return codes * np.asarray(scales, np.float32)


def decode(
    codes: NDArray[np.float32],
    places: NDArray[np.float32],
    scales: tuple[float, float, float, float],
) -> Boxes:
    """Turn box codes into boxes, in pixels of the model's input.

    Args:
        codes: Shape (N, 4) as (ty, tx, th, tw).
        places: Anchors, shape (N, 4) as `anchors` gives them.
        scales: (y, x, h, w).
    """
    plain = codes / np.asarray(scales, np.float32)
    centres = plain[:, 1::-1] * places[:, 2:] + places[:, :2]
    halves = np.exp(plain[:, :1:-1]) * places[:, 2:] / 2
    boxes: Boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    return boxes


def open_ssd(look: Look) -> Decoder | None:
    """Return the decoder of a model whose manifest has anchors; None if it has none.

    Raises:
        RecordError: The manifest's decoding is damaged.
        TargetError: The outputs are not those of the anchors.
    """
    if look.decoding.get("kind") != KIND:
        return None
    coding = from_json(Coding, dict(look.decoding), "the manifest's decoding")
    cells = sum(
        -(-look.size[0] // each.stride) * -(-look.size[1] // each.stride) * len(each.sizes)
        for each in coding.levels
    )
    if not 0 < cells <= _MAX_ANCHORS:
        msg = f"The manifest's decoding describes {cells} anchors; is it damaged?"
        raise RecordError(msg)
    boxes, scores = _roles(look, cells)
    shape = next(each.shape for each in look.outputs if each.name == scores.name)
    places = anchors(coding.levels, look.size)
    return Decoder(
        kind=KIND,
        roles=(boxes, scores),
        read=_Reader(coding, places, boxes.name, scores.name),
        classes=shape[-1] - coding.background,
        threshold=coding.threshold,
    )


def _roles(look: Look, cells: int) -> tuple[Role, Role]:
    """Tell box codes from scores: as the manifest says, else by their shapes.

    Raises:
        TargetError: The outputs have other shapes, or the same.
    """
    said = look.said()
    if {"boxes", "scores"} <= said.keys():
        pair = (said["boxes"], said["scores"])
    else:
        codes = [each for each in look.outputs if each.shape == (1, cells, 4)]
        rest = [
            each
            for each in look.outputs
            if each.shape[:2] == (1, cells) and len(each.shape) == 3 and each not in codes
        ]
        if len(codes) != 1 or len(rest) != 1 or len(look.outputs) != 2:
            raise TargetError(_misfit(look, cells))
        pair = (Role(codes[0].name, "boxes", "shapes"), Role(rest[0].name, "scores", "shapes"))
    shapes = {each.name: each.shape for each in look.outputs}
    fits = [len(shapes[each.name]) == 3 and shapes[each.name][1] == cells for each in pair]
    if not all(fits) or shapes[pair[0].name][2] != 4:
        raise TargetError(_misfit(look, cells))
    return pair


def _misfit(look: Look, cells: int) -> str:
    shapes = ", ".join(f"{each.name} {each.shape}" for each in look.outputs)
    return (
        f"The manifest describes a detector with {cells} anchors, whose outputs are box codes "
        f"(1, {cells}, 4) and scores (1, {cells}, classes); found {shapes}.\n"
        "Was the model changed after its manifest was written? Convert it again."
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Reads the outputs: decodes only what reaches the threshold, then suppresses."""

    coding: Coding
    places: NDArray[np.float32]
    boxes: str
    scores: str

    def __call__(self, outputs: Outputs, threshold: float) -> Detections:
        coding = self.coding
        values = outputs[self.scores][0][:, coding.background :]
        limit = logit(threshold) if coding.score == "sigmoid" else threshold
        if coding.per_class:
            rows, classes = np.nonzero(values >= limit)
        else:
            rows = np.flatnonzero(values.max(axis=1) >= limit)
            classes = values[rows].argmax(axis=1)
        chosen = values[rows, classes]
        found = Detections(
            decode(outputs[self.boxes][0][rows], self.places[rows], coding.scales),
            sigmoid(chosen) if coding.score == "sigmoid" else chosen,
            classes,
        )
        return nms(found, coding.iou, per_class=coding.per_class, limit=coding.max_detections)

"""Boxes: what a detector finds, overlap, non-maximum suppression.

Boxes are `(x_min, y_min, x_max, y_max)` as float32, in pixels; edges are lines between
pixels, so that a box of one pixel is 1 wide.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Boxes = NDArray[np.float32]  # shape (N, 4)
Reals = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a detector found in one picture, the highest score first.

    Whatever order they are given in, they are sorted; equal scores keep their order.

    Attributes:
        boxes: Shape (N, 4).
        scores: Shape (N,), in [0, 1].
        classes: Shape (N,), class numbers.
    """

    boxes: Boxes
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, np.float32).reshape(-1)
        order = np.argsort(-scores, kind="stable")
        boxes = np.asarray(self.boxes, np.float32).reshape(-1, 4)
        classes = np.asarray(self.classes, np.intp).reshape(-1)
        object.__setattr__(self, "scores", scores[order])
        object.__setattr__(self, "boxes", boxes[order])
        object.__setattr__(self, "classes", classes[order])

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[tuple[Boxes, float, int]]:
        """Yield box, score and class of each."""
        yield from zip(self.boxes, self.scores.tolist(), self.classes.tolist(), strict=True)

    @classmethod
    def none(cls) -> Self:
        """Nothing was found.

        >>> len(Detections.none())
        0
        """
        return cls(np.empty((0, 4)), np.empty(0), np.empty(0))  # type: ignore[arg-type] # made float32

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Self:
        """Return some of them, by place or by a mask."""
        return type(self)(self.boxes[which], self.scores[which], self.classes[which])

    def without(self, which: NDArray[np.intp]) -> Self:
        """Return all but those at some places."""
        return self.take(np.delete(np.arange(len(self)), which))

    def moved(self, boxes: Boxes) -> Self:
        """Return the same findings with other boxes, e.g. taken to the frame."""
        return type(self)(boxes, self.scores, self.classes)


def as_boxes(values: ArrayLike) -> Boxes:
    """Return boxes as an array of shape (N, 4), also where there are none."""
    return np.asarray(values, np.float32).reshape(-1, 4)


def area(boxes: Reals) -> Reals:
    """Return the area of each box, 0 for one that is upside down.

    >>> area(as_boxes([[0, 0, 2, 3], [5, 5, 4, 9]])).tolist()
    [6.0, 0.0]
    """
    sides: Reals = np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(0))
    return sides[:, 0] * sides[:, 1]


def intersection(a: Reals, b: Reals) -> Reals:
    """Return the area that each box of one set shares with each of another.

    Args:
        a: Shape (N, 4).
        b: Shape (M, 4).

    Returns:
        Shape (N, M).
    """
    left_top = np.maximum(a[:, np.newaxis, :2], b[:, :2])
    right_bottom = np.minimum(a[:, np.newaxis, 2:], b[:, 2:])
    sides: Reals = np.maximum(right_bottom - left_top, np.float32(0))
    return sides[..., 0] * sides[..., 1]


def iou(a: Reals, b: Reals) -> Reals:
    """Return intersection over union of each box of one set with each of another.

    Args:
        a: Shape (N, 4).
        b: Shape (M, 4).

    Returns:
        Shape (N, M), in [0, 1]; 0 where both boxes are empty.

    >>> iou(as_boxes([0, 0, 2, 2]), as_boxes([[1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.3330000042915344, 0.0]]
    """
    shared = intersection(a, b)
    union = area(a)[:, np.newaxis] + area(b) - shared
    ratio = np.zeros_like(shared)
    np.divide(shared, union, out=ratio, where=union > 0)
    return ratio


def nms(
    detections: Detections,
    iou_threshold: float,
    *,
    per_class: bool = True,
    limit: int | None = None,
) -> Detections:
    """Keep the best of boxes that overlap: greedy non-maximum suppression.

    From the highest score on, a box is kept unless it overlaps one that was kept before.

    Args:
        detections: What was found.
        iou_threshold: Boxes with an intersection over union above it are one object.
        per_class: Only boxes of one class suppress each other.
        limit: Keep no more than so many; None keeps all.
    """
    left = np.ones(len(detections), np.bool_)
    kept: list[int] = []
    most = len(detections) if limit is None else limit
    place = 0
    while len(kept) < most and left.any():
        place += int(left[place:].argmax())
        kept.append(place)
        left[place] = False
        near = iou(detections.boxes[place : place + 1], detections.boxes[place:])[0]
        gone = near > iou_threshold
        if per_class:
            gone &= detections.classes[place:] == detections.classes[place]
        left[place:] &= ~gone
    return detections.take(np.array(kept, np.intp))


def clip(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    """Cut boxes at the edges of a picture; one that lies outside becomes empty.

    Args:
        boxes: Shape (N, 4).
        size: Height and width of the picture.
    """
    height, width = size
    limits = np.array([width, height, width, height], np.float32)
    return np.clip(boxes, np.float32(0), limits)

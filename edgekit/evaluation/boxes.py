"""What detectors are worth: mean average precision as COCO defines it, and agreement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgekit.data.annotations import Annotated
from edgekit.data.boxes import Boxes, Detections, area, intersection, iou
from edgekit.evaluation.metrics import Need, Score

OVERLAPS = np.linspace(0.5, 0.95, 10)  # intersection over union from which boxes match
RECALLS = np.linspace(0, 1, 101)
MOST = 100  # detections of one class in one picture that count
AGREEING = 0.5  # intersection over union from which two models' boxes are one object

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """What became of the detections of one class in one picture.

    Attributes:
        scores: Shape (D,), falling.
        right: Shape (10, D): at each overlap, whether it found an object.
        ignored: Shape (10, D): whether it counts neither as right nor as wrong.
        wanted: How many objects were to be found.
    """

    scores: NDArray[np.float32]
    right: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    wanted: int


class MeanPrecision:
    """Mean average precision, as COCO defines it.

    A detection finds the object of its class that it overlaps most and that none with a
    higher score has found. The precision at 101 recalls, each the best from there on, is
    averaged; that over the classes that have objects and, for `map`, over the overlaps 0.5,
    0.55 ... 0.95. Difficult objects and crowds need not be found, and what finds them does
    not count; the share of a box that lies in a crowd stands for their overlap.

    Source:
        https://github.com/cocodataset/cocoapi, PythonAPI/pycocotools/cocoeval.py

    Args:
        labels: Names of the classes.
    """

    needs: ClassVar[Need] = "boxes"
    metric: ClassVar[str] = "map"

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = tuple(labels)
        self._matches: dict[int, list[_Matches]] = {}

    def add(self, outputs: Detections, truth: Annotated) -> None:
        """Count one picture: what was found in it, and what is there."""
        for number in np.union1d(outputs.classes, truth.classes).tolist():
            found = outputs.take(outputs.classes == number).take(slice(MOST))
            here = truth.classes == number
            ignored = truth.difficult[here] | truth.crowd[here]
            overlaps = _overlaps(found.boxes, truth.boxes[here], truth.crowd[here])
            right, passed = _match(overlaps, ignored)
            wanted = int((~ignored).sum())
            matches = _Matches(found.scores, right, passed, wanted)
            self._matches.setdefault(number, []).append(matches)

    def score(self) -> Score:
        """Return the mean over all classes that have objects, and the value of each."""
        curves = {
            number: found
            for number, each in sorted(self._matches.items())
            if (found := _precisions(each)) is not None
        }
        values = {
            "map": {number: float(each.mean()) for number, each in curves.items()},
            "map50": {number: float(each[0]) for number, each in curves.items()},
        }
        means = {
            name: float(np.mean(list(each.values()))) if each else None
            for name, each in values.items()
        }
        return Score(
            metric=self.metric,
            value=means[self.metric],
            per_class={self._name(n): value for n, value in values[self.metric].items()},
            per_output={},
            others={name: mean for name, mean in means.items() if name != self.metric},
        )

    def lowest_score(self, precision: float) -> float | None:
        """Return the lowest score from which on enough of what was found is right.

        Args:
            precision: Share of the boxes that overlap an object of their class by half.

        Returns:
            The score; None where no score is enough.
        """
        every = [each for found in self._matches.values() for each in found]
        if not every:
            return None
        scores = np.concatenate([each.scores for each in every])
        order = np.argsort(-scores, kind="stable")
        right = np.concatenate([each.right[0] for each in every])[order]
        counts = ~np.concatenate([each.ignored[0] for each in every])[order]
        shares = np.cumsum(right & counts) / np.maximum(np.cumsum(counts), 1)
        enough = np.flatnonzero(shares >= precision)
        return float(scores[order][enough[-1]]) if enough.size else None

    def _name(self, number: int) -> str:
        return self._labels[number] if number < len(self._labels) else f"class {number}"


class MeanPrecision50(MeanPrecision):
    """Mean average precision at an overlap of 0.5; see `MeanPrecision`."""

    metric: ClassVar[str] = "map50"


def _overlaps(
    found: Boxes, there: Boxes, crowd: NDArray[np.bool_]
) -> NDArray[np.floating[Any]]:
    """Return how far each detection covers each object, shape (D, G)."""
    exact = found.astype(np.float64), there.astype(np.float64)
    inside = intersection(*exact) / np.maximum(area(exact[0]), 1e-12)[:, np.newaxis]
    return np.where(crowd, inside, iou(*exact))


def _match(
    overlaps: NDArray[np.floating[Any]], ignored: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Give each detection an object, at all thresholds at once.

    Args:
        overlaps: Shape (D, G), detections by falling score.
        ignored: Shape (G,): objects that any number of detections may take.

    Returns:
        right: Shape (10, D): which found an object that counts.
        passed: Shape (10, D): which found an ignored one only.
    """
    count, objects = overlaps.shape
    right = np.zeros((len(OVERLAPS), count), np.bool_)
    passed = np.zeros_like(right)
    if not objects:
        return right, passed
    free = np.ones((len(OVERLAPS), objects), np.bool_)
    rows = np.arange(len(OVERLAPS))
    thresholds = np.minimum(OVERLAPS, 1 - 1e-10)[:, np.newaxis]
    for place, covered in enumerate(overlaps):
        fits = (covered >= thresholds) & free
        counts = fits & ~ignored
        passed[:, place] = fits.any(axis=1) & ~counts.any(axis=1)
        right[:, place] = counts.any(axis=1)
        # Of equal overlaps COCO takes the last.
        best = objects - 1 - np.where(counts, covered, -1.0)[:, ::-1].argmax(axis=1)
        free[rows[right[:, place]], best[right[:, place]]] = False
    return right, passed


def _precisions(pictures: Sequence[_Matches]) -> Floats | None:
    """Return the average precision of one class at each overlap; None without objects."""
    wanted = sum(each.wanted for each in pictures)
    if not wanted:
        return None
    scores = np.concatenate([each.scores for each in pictures])
    order = np.argsort(-scores, kind="stable")
    right = np.concatenate([each.right for each in pictures], axis=1)[:, order]
    ignored = np.concatenate([each.ignored for each in pictures], axis=1)[:, order]
    return np.array(
        [
            _average_precision(hits[~passed], wanted)
            for hits, passed in zip(right, ignored, strict=True)
        ]
    )


def _average_precision(hits: NDArray[np.bool_], wanted: int) -> float:
    """Average the precision at 101 recalls."""
    if not hits.size:
        return 0.0
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(found / wanted, RECALLS, side="left")
    reached = best_from_here[places[places < len(hits)]]
    return float(reached.sum() / len(RECALLS))


class BoxAgreement:
    """How far two detectors find the same: the F1 of their boxes at an overlap of 0.5.

    That is twice the number of pairs over the number of boxes of both. A pair is of one
    class; from the first model's highest score on, each box takes the one that it overlaps
    most.

    Attributes:
        largest: Largest distance between the sides of two boxes of a pair, in pixels; None
            without pairs.
    """

    def __init__(self) -> None:
        self.largest: float | None = None
        self._pairs = 0
        self._boxes = 0
        self._pictures = 0

    def add(self, first: Detections, second: Detections) -> None:
        """Count one picture, given what both found in it."""
        overlaps = iou(first.boxes, second.boxes)
        overlaps[first.classes[:, np.newaxis] != second.classes] = 0
        for place in range(len(first) if len(second) else 0):
            other = int(overlaps[place].argmax())
            if overlaps[place, other] >= AGREEING:
                overlaps[:, other] = -1
                self._pairs += 1
                apart = float(np.abs(first.boxes[place] - second.boxes[other]).max())
                self.largest = max(apart, self.largest or 0.0)
        self._boxes += len(first) + len(second)
        self._pictures += 1

    @property
    def value(self) -> float | None:
        """The F1; 1 if neither found anything, None if there were no pictures."""
        if not self._pictures:
            return None
        return 2 * self._pairs / self._boxes if self._boxes else 1.0

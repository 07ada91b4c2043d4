"""Follow objects from frame to frame: the same object keeps the same number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Boxes, Detections, iou

OVERLAP = 0.3  # least share that an object's box and its expected place have in common
OVERLAP_OF_OTHERS = 0.5  # the same, where the detector calls it something else meanwhile
PATIENCE = 15  # frames that an object may be out of sight

_INERTIA = 0.5  # how much of the motion so far is kept


@dataclass(slots=True)
class _Track:
    """An object that was seen.

    Attributes:
        number: Its own.
        box: Where it was seen last, shape (4,).
        motion: Pixels a frame that its edges move, shape (4,).
        kind: Its class.
        unseen: Frames since then.
    """

    number: int
    box: NDArray[np.float32]
    motion: NDArray[np.float32]
    kind: int
    unseen: int = 0

    def expected(self) -> NDArray[np.float32]:
        """Where it should be in this frame."""
        return self.box + self.motion * (self.unseen + 1)

    def see(self, box: NDArray[np.float32], kind: int) -> None:
        """Take note of where it is."""
        moved = (box - self.box) / (self.unseen + 1)
        self.motion = (_INERTIA * self.motion + (1 - _INERTIA) * moved).astype(np.float32)
        self.box, self.kind, self.unseen = box, kind, 0


class Tracker:
    """Gives every object a number that it keeps while it is in sight.

    Each object is expected where its motion so far takes it. What is found and what is
    expected are paired by overlap, the largest first: objects of the same class, then
    those whose class the detector is not sure of. An object that is out of sight for more
    than `PATIENCE` frames is forgotten; its number is not used again.
    """

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next = 1

    def update(self, detections: Detections) -> tuple[int, ...]:
        """Take the objects of the next frame and return their numbers, in the same order."""
        numbers = [0] * len(detections)
        for found, track in self._pairs(detections):
            track.see(detections.boxes[found], int(detections.classes[found]))
            numbers[found] = track.number
        seen = set(numbers)
        for track in self._tracks:
            if track.number not in seen:
                track.unseen += 1
        self._tracks = [each for each in self._tracks if each.unseen <= PATIENCE]
        for found, number in enumerate(numbers):
            if not number:
                numbers[found] = self._begin(detections, found)
        return tuple(numbers)

    def _begin(self, detections: Detections, found: int) -> int:
        box, kind = detections.boxes[found], int(detections.classes[found])
        self._tracks.append(_Track(self._next, box, np.zeros(4, np.float32), kind))
        self._next += 1
        return self._tracks[-1].number

    def _pairs(self, detections: Detections) -> list[tuple[int, _Track]]:
        """Pair what was found with the objects that it is."""
        if not self._tracks or not len(detections):
            return []
        expected: Boxes = np.array([each.expected() for each in self._tracks], np.float32)
        overlap = iou(detections.boxes, expected)
        kinds = np.array([each.kind for each in self._tracks])
        same = detections.classes[:, np.newaxis] == kinds
        # One of the same class comes before any of another.
        worth = np.where(same, overlap + 1, overlap)
        worth[overlap < np.where(same, OVERLAP, OVERLAP_OF_OTHERS)] = 0
        pairs = []
        while (best := int(worth.argmax())) >= 0 and worth.flat[best] > 0:
            found, track = divmod(best, len(self._tracks))
            pairs.append((found, self._tracks[track]))
            worth[found] = 0
            worth[:, track] = 0
        return pairs

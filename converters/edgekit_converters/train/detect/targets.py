"""What each anchor is to find: its object, nothing, or not to be asked.

1. An anchor that overlaps an object by IoU >= 0.5 is to find the one it overlaps most.
2. Each object has at least one anchor: the one that overlaps it most, whatever the others say.
3. An anchor between 0.4 and 0.5, or mostly inside something that does not count (a crowd, a
   difficult object, an object cut in pieces), is not asked.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Boxes, area, intersection, iou

POSITIVE = 0.5
NEGATIVE = 0.4
INSIDE = 0.5  # share of an anchor inside what does not count
BACKGROUND = -1.0
IGNORED = -2.0

Targets = NDArray[np.float32]  # shape (A, 5): a box, and its class, BACKGROUND or IGNORED


def corners(places: NDArray[np.float32]) -> Boxes:
    """Return anchors, (x, y, width, height) by their centres, as boxes."""
    halves = places[:, 2:] / 2
    return np.concatenate([places[:, :2] - halves, places[:, :2] + halves], axis=1)


def assign(
    anchors: Boxes, boxes: Boxes, classes: NDArray[np.intp], uncounted: Boxes
) -> Targets:
    """Say what each anchor is to find.

    Args:
        anchors: Shape (A, 4), as `corners` gives them.
        boxes: The objects, shape (N, 4), in pixels of the model's input.
        classes: Their classes, shape (N,).
        uncounted: Boxes of what is neither object nor background, shape (M, 4).
    """
    targets = np.zeros((len(anchors), 5), np.float32)
    targets[:, 4] = BACKGROUND
    if len(uncounted):
        shares = intersection(anchors, uncounted) / area(anchors)[:, np.newaxis]
        targets[shares.max(axis=1) > INSIDE, 4] = IGNORED
    if not len(boxes):
        return targets
    overlaps = iou(anchors, boxes)
    nearest, best = overlaps.argmax(axis=1), overlaps.max(axis=1)
    targets[best >= NEGATIVE, 4] = IGNORED
    own = _best_anchors(overlaps)
    nearest[own] = np.arange(len(boxes))
    found = best >= POSITIVE
    found[own] = True
    targets[found, :4] = boxes[nearest[found]]
    targets[found, 4] = classes[nearest[found]]
    return targets


def _best_anchors(overlaps: NDArray[np.floating[Any]]) -> NDArray[np.intp]:
    """Give each object the anchor that overlaps it most, no anchor twice if there are enough."""
    free = overlaps.copy()
    own = np.zeros(free.shape[1], np.intp)
    given: list[int] = []
    for _ in own:
        anchor, number = (int(each) for each in np.unravel_index(free.argmax(), free.shape))
        own[number] = anchor
        given.append(number)
        free[anchor] = -1
        free[:, given] = -2
    return own

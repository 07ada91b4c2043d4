"""Anchors from the data: the sizes that boxes have, found by k-means.

The distance of two sizes is 1 - IoU, both boxes at the same place. The sizes found, sorted
by area, are given to the feature maps in equal numbers, the smallest to the finest.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Boxes
from edgekit.vision.outputs.ssd import Level

EACH = 3  # sizes a level
_ROUNDS = 100
_STARTS = 8

Sizes = NDArray[np.float64]  # shape (N, 2) as (width, height), in pixels


def find_levels(
    boxes: Boxes, strides: Sequence[int], *, each: int = EACH, seed: int = 0
) -> tuple[Level, ...]:
    """Find the anchors that boxes are nearest to.

    Args:
        boxes: Shape (N, 4), in pixels of the model's input, with an area; N > 0.
        strides: Of the feature maps, rising.
        each: Sizes in each cell of a map.
        seed: Where the search starts from.
    """
    sizes = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
    found = cluster(sizes, each * len(strides), seed)
    found = found[np.argsort(found.prod(axis=1), kind="stable")].round(1)
    return tuple(
        Level(stride=stride, sizes=tuple((w, h) for w, h in part.tolist()))
        for stride, part in zip(strides, np.split(found, len(strides)), strict=True)
    )


def cluster(sizes: Sizes, count: int, seed: int) -> Sizes:
    """Return `count` sizes that all sizes are near to, the best of several searches."""
    rng = np.random.default_rng(seed)
    searches = [_search(sizes, count, rng) for _ in range(_STARTS)]
    return max(searches, key=lambda found: float(overlap(sizes, found).max(axis=1).mean()))


def _search(sizes: Sizes, count: int, rng: np.random.Generator) -> Sizes:
    centres = sizes[rng.choice(len(sizes), count, replace=len(sizes) < count)]
    nearest = np.full(len(sizes), -1)
    for _ in range(_ROUNDS):
        before, nearest = nearest, overlap(sizes, centres).argmax(axis=1)
        if (nearest == before).all():
            break
        for number in np.unique(nearest):
            centres[number] = np.median(sizes[nearest == number], axis=0)
    return centres


def overlap(sizes: Sizes, others: Sizes) -> Sizes:
    """Return intersection over union of boxes of some sizes at the same place, (N, M)."""
    shared = np.minimum(sizes[:, np.newaxis], others).prod(axis=2)
    return np.asarray(
        shared / (sizes.prod(axis=1)[:, np.newaxis] + others.prod(axis=1) - shared)
    )

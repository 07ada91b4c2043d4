"""Anchors from the data: k-means over the shapes of boxes, by overlap.

Source:
    Redmon, Farhadi: YOLO9000: Better, Faster, Stronger, 2017, section 2.
"""

import numpy as np
from numpy.typing import NDArray

from edgekit.vision.outputs.ssd import Level
from edgekit_converters.train.backbones import STRIDES

Shapes = NDArray[np.float64]  # (N, 2): widths and heights, in pixels of the model's input

_ROUNDS = 100
_CELLS = 3.5  # cells of a level that an anchor of it spans, about


def choose(shapes: Shapes, count: int, seed: int) -> tuple[Level, ...]:
    """Choose anchors, and the feature maps that they belong to.

    Args:
        shapes: Widths and heights of the boxes that will be met.
        count: How many anchors, all levels together.
        seed: Where the search begins.
    """
    found = cluster(shapes, count, seed)
    strides = [_stride(shape) for shape in found]
    return tuple(
        Level(
            stride=stride,
            sizes=tuple(
                (round(float(w), 1), round(float(h), 1))
                for (w, h), own in zip(found, strides, strict=True)
                if own == stride
            ),
        )
        for stride in STRIDES
        if stride in strides
    )


def _stride(shape: NDArray[np.float64]) -> int:
    """Return the stride of the level whose cells suit an anchor."""
    wanted = np.log2(np.sqrt(shape.prod()) / _CELLS)
    return min(STRIDES, key=lambda stride: abs(float(np.log2(stride) - wanted)))


def cluster(shapes: Shapes, count: int, seed: int) -> Shapes:
    """Group shapes by overlap; return the median of each group, the smallest first.

    Args:
        shapes: Widths and heights, > 0.
        count: How many groups; fewer where there are fewer shapes.
        seed: Where the search begins.
    """
    rng = np.random.default_rng(seed)
    distinct = np.unique(shapes, axis=0)
    centres = distinct[rng.choice(len(distinct), min(count, len(distinct)), replace=False)]
    groups = np.full(len(shapes), -1)
    for _ in range(_ROUNDS):
        nearest = overlap(shapes, centres).argmax(axis=1)
        if (nearest == groups).all():
            break
        groups = nearest
        for number in np.unique(groups):
            centres[number] = np.median(shapes[groups == number], axis=0)
    return centres[np.argsort(centres.prod(axis=1))]


def overlap(shapes: Shapes, centres: Shapes) -> Shapes:
    """Return intersection over union of boxes with one centre, shape (N, M).

    >>> overlap(np.array([[2.0, 2.0]]), np.array([[2.0, 4.0], [2.0, 2.0]])).tolist()
    [[0.5, 1.0]]
    """
    shared = np.minimum(shapes[:, None], centres).prod(axis=2)
    union = shapes.prod(axis=1)[:, None] + centres.prod(axis=1) - shared
    return np.asarray(shared / union)

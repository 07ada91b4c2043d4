"""The loss of a detector: focal loss of the scores, overlap loss of the boxes.

Scores (https://arxiv.org/abs/1708.02002, in the form with graded targets of
https://arxiv.org/abs/2006.04388): with p the score and y what it should be,

    |y - p|^2 (-y ln p - (1 - y) ln(1 - p)), times 0.25 where there is an object, else 0.75

An anchor that is to find an object has y = (1 - q) + q IoU of the box it gives, so that of
two boxes on one object the better one has the higher score.

Boxes: complete IoU (https://arxiv.org/abs/1911.08287), of anchors that are to find an object.

Both are divided by the number of such anchors in the batch.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

_ALPHA = 0.25
_BOXES = 2.0  # weight of the boxes
_FARTHEST = 4.0  # largest |th| and |tw| that is followed, in natural logarithms
_TINY = 1e-6


class DetectorLoss:
    """Compares what a detector gives with what it should.

    Args:
        places: Anchors, shape (A, 4) as (x, y, width, height).
        scales: Of the box code, (y, x, h, w).
        quality: How far scores are to follow the overlap of their boxes, in [0, 1].
    """

    def __init__(
        self, places: NDArray[np.float32], scales: Sequence[float], quality: float = 0.5
    ) -> None:
        self._places = tf.constant(places)
        self._scales = tf.constant(scales, tf.float32)
        self._quality = quality

    def __call__(self, outputs: Any, targets: Any) -> Any:
        """Return the loss of a batch.

        Args:
            outputs: `boxes`, shape (N, A, 4), and `scores`, shape (N, A, classes).
            targets: Shape (N, A, 5), see `targets.assign`.
        """
        wanted, labels = targets[..., :4], targets[..., 4]
        found = tf.cast(labels >= 0, tf.float32)
        count = tf.maximum(tf.reduce_sum(found), 1.0)
        places = tf.where(labels >= 0)
        boxes = self.decode(outputs["boxes"])
        overlap, loss = overlap_loss(tf.gather_nd(boxes, places), tf.gather_nd(wanted, places))
        quality = tf.scatter_nd(places, tf.stop_gradient(overlap), tf.shape(labels, tf.int64))
        graded = (1 - self._quality) + self._quality * quality
        scores = outputs["scores"]
        classes = tf.one_hot(tf.cast(labels, tf.int32), scores.shape[-1])  # none below 0
        asked = tf.cast(labels > -1.5, tf.float32)
        focal = tf.reduce_sum(
            focal_loss(scores, classes * graded[..., tf.newaxis]), axis=-1
        )
        return (tf.reduce_sum(focal * asked) + _BOXES * tf.reduce_sum(loss)) / count

    def decode(self, codes: Any) -> Any:
        """Turn box codes, shape (N, A, 4), into boxes, in pixels; see `ssd.decode`."""
        plain = codes / self._scales
        centres = plain[..., 1::-1] * self._places[:, 2:] + self._places[:, :2]
        growth = tf.clip_by_value(plain[..., :1:-1], -_FARTHEST, _FARTHEST)
        halves = tf.exp(growth) * self._places[:, 2:] / 2
        return tf.concat([centres - halves, centres + halves], axis=-1)


def focal_loss(logits: Any, wanted: Any) -> Any:
    """Return the focal loss of each score.

    Args:
        logits: Any shape.
        wanted: The same shape, in [0, 1].
    """
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=wanted, logits=logits)
    weight = tf.where(wanted > 0, _ALPHA, 1 - _ALPHA)
    return weight * tf.square(wanted - tf.sigmoid(logits)) * entropy


def overlap_loss(boxes: Any, wanted: Any) -> tuple[Any, Any]:
    """Return IoU and complete IoU loss of pairs of boxes.

    Args:
        boxes: Shape (N, 4), with an area.
        wanted: Shape (N, 4), with an area.

    Returns:
        Both of shape (N,).
    """
    sides, others = boxes[:, 2:] - boxes[:, :2], wanted[:, 2:] - wanted[:, :2]
    shared = _product(
        tf.nn.relu(
            tf.minimum(boxes[:, 2:], wanted[:, 2:]) - tf.maximum(boxes[:, :2], wanted[:, :2])
        )
    )
    iou = shared / (_product(sides) + _product(others) - shared + _TINY)
    span = tf.maximum(boxes[:, 2:], wanted[:, 2:]) - tf.minimum(boxes[:, :2], wanted[:, :2])
    apart = (boxes[:, :2] + boxes[:, 2:] - wanted[:, :2] - wanted[:, 2:]) / 2
    far = _squared(apart) / (_squared(span) + _TINY)
    tilt = tf.atan2(others[:, 0], others[:, 1]) - tf.atan2(sides[:, 0], sides[:, 1])
    shape = tf.square(2 / math.pi * tilt)
    weight = tf.stop_gradient(shape / (1 - iou + shape + _TINY))
    return iou, 1 - iou + far + weight * shape


def _product(sides: Any) -> Any:
    return sides[:, 0] * sides[:, 1]


def _squared(vector: Any) -> Any:
    return tf.reduce_sum(tf.square(vector), axis=-1)

"""What a detector is taught: which anchors stand for which object, and how far off they are.

1. An object is given to the ten anchors that fit it best by now, in class and place alike,
   of those inside it and the one that it overlaps most: a small one may have none inside.
   Of several objects an anchor takes the one that it overlaps most.
2. The score of each of them is to be the overlap of its box, in the class of the object:
   high only where the box is right too. These anchors count in full, in all classes: it is
   they that tell one class from another. The many others are background, and their loss is
   focal: the further a score is off, the more it weighs.
3. Boxes are to overlap; the loss is that of complete intersection over union.

Sources:
    Feng et al.: TOOD: Task-aligned One-stage Object Detection, 2021.
    Zhang et al.: VarifocalNet, 2020.
    Zheng et al.: Distance-IoU Loss, 2020.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

Loss = Callable[[Any, Any], Any]

_CANDIDATES = 10
_BY_CLASS, _BY_PLACE = 0.5, 6.0  # powers in the fit of an anchor
_BOXES, _SCORES = 2.0, 1.0  # weights of the losses
_TINY = 1e-9
_WIDEST = 4.0  # logarithm of a box's side in units of its anchor's, at most


def detection_loss(anchors: NDArray[np.float32], scales: tuple[float, ...]) -> Loss:
    """Make the loss of a detector.

    Args:
        anchors: Shape (A, 4) as (x, y, width, height).
        scales: (y, x, h, w) of the box code.

    Returns:
        A function of outputs {boxes, scores} and targets {boxes (N, G, 4), classes (N, G),
        doubtful (N, D, 4)}; unused places have the class -1 or boxes without area.
    """
    places = tf.constant(anchors)
    units = tf.constant(scales, tf.float32)

    def loss(outputs: Any, targets: Any) -> Any:
        logits = outputs["scores"]
        boxes = _decoded(outputs["boxes"] / units, places)
        quality, wanted, given = _assigned(boxes, logits, places, targets)
        total = tf.maximum(tf.reduce_sum(quality), 1.0)
        clear = tf.cast(~_within(places, targets["doubtful"]), tf.float32)[..., None]
        focal = tf.stop_gradient(tf.sigmoid(logits)) * clear
        weight = tf.where(given[..., None], 1.0, focal)
        apart = tf.nn.sigmoid_cross_entropy_with_logits(quality, logits)
        best = tf.reduce_max(quality, axis=-1)
        off = tf.reduce_sum((1 - _complete_iou(boxes, wanted)) * best)
        return (_SCORES * tf.reduce_sum(weight * apart) + _BOXES * off) / total

    return loss


def _decoded(codes: Any, places: Any) -> Any:
    centres = codes[..., 1::-1] * places[:, 2:] + places[:, :2]
    halves = tf.exp(tf.minimum(codes[..., :1:-1], _WIDEST)) * places[:, 2:] / 2
    return tf.concat([centres - halves, centres + halves], axis=-1)


def _within(places: Any, boxes: Any) -> Any:
    """Whether the centre of each anchor lies in any of the boxes, shape (N, A)."""
    return tf.reduce_any(_inside(places, boxes), axis=1)


def _inside(places: Any, boxes: Any) -> Any:
    """Whether the centre of each anchor lies in each box, shape (N, G, A)."""
    x, y = places[:, 0], places[:, 1]
    left, top, right, bottom = (side[..., None] for side in tf.unstack(boxes, axis=-1))
    return (x > left) & (x < right) & (y > top) & (y < bottom)


def _candidates(places: Any, boxes: Any) -> Any:
    """Whether each anchor is inside each box or overlaps it most, shape (N, G, A)."""
    halves = places[:, 2:] / 2
    shapes = tf.concat([places[:, :2] - halves, places[:, :2] + halves], axis=-1)
    fits = _iou(boxes[:, :, None], shapes)
    best = (fits >= tf.reduce_max(fits, axis=-1, keepdims=True)) & (fits > 0)
    return _inside(places, boxes) | best


def _assigned(boxes: Any, logits: Any, places: Any, targets: Any) -> tuple[Any, Any, Any]:
    """Give objects to anchors.

    Returns:
        quality: Wanted score of each anchor and class, shape (N, A, C).
        wanted: Wanted box of each anchor, shape (N, A, 4).
        given: Whether an anchor has an object, shape (N, A).
    """
    boxes, scores = tf.stop_gradient(boxes), tf.stop_gradient(tf.sigmoid(logits))
    classes = scores.shape[-1]
    kind = tf.one_hot(targets["classes"], classes)
    overlaps = _iou(targets["boxes"][:, :, None], boxes[:, None])
    real = (targets["classes"] >= 0)[..., None]
    fits = tf.matmul(kind, scores, transpose_b=True) ** _BY_CLASS * overlaps**_BY_PLACE
    fits = tf.where(_candidates(places, targets["boxes"]) & real, fits, 0.0)
    count = min(_CANDIDATES, places.shape[0])
    least = tf.math.top_k(fits, count).values[..., -1:]
    chosen = (fits >= least) & (fits > _TINY)
    taken = tf.where(chosen, overlaps, -1.0)
    owner = tf.argmax(taken, axis=1)
    mine = tf.one_hot(owner, tf.shape(fits)[1], axis=1, on_value=True, off_value=False)
    chosen &= mine
    quality = tf.matmul(tf.where(chosen, overlaps, 0.0), kind, transpose_a=True)
    wanted = tf.gather(targets["boxes"], owner, batch_dims=1)
    return quality, wanted, tf.reduce_any(chosen, axis=1)


def _iou(a: Any, b: Any) -> Any:
    sides = tf.minimum(a[..., 2:], b[..., 2:]) - tf.maximum(a[..., :2], b[..., :2])
    shared = tf.reduce_prod(tf.maximum(sides, 0.0), axis=-1)
    return shared / (_area(a) + _area(b) - shared + _TINY)


def _area(boxes: Any) -> Any:
    return tf.reduce_prod(tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)


def _complete_iou(boxes: Any, wanted: Any) -> Any:
    """Intersection over union, less for centres and shapes that differ."""
    overlap = _iou(boxes, wanted)
    hull = tf.maximum(boxes[..., 2:], wanted[..., 2:]) - tf.minimum(
        boxes[..., :2], wanted[..., :2]
    )
    reach = tf.reduce_sum(hull**2, axis=-1) + _TINY
    apart = boxes[..., :2] + boxes[..., 2:] - wanted[..., :2] - wanted[..., 2:]
    distance = tf.reduce_sum(apart**2, axis=-1) / 4
    slope = _slope(wanted) - _slope(boxes)
    shape = 4 / math.pi**2 * slope**2
    share = tf.stop_gradient(shape / (1 - overlap + shape + _TINY))
    return overlap - distance / reach - share * shape


def _slope(boxes: Any) -> Any:
    width, height = tf.unstack(boxes[..., 2:] - boxes[..., :2], axis=-1)
    return tf.atan(width / (height + 1e-4))

"""Other views of a picture: what makes a few hundred of them enough to learn from.

Each time a picture is met it is cut a little differently, mirrored or not, lighter or
darker. All pictures of a batch are cut in one operation.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgekit.errors import DataError

Floats = NDArray[np.float32]

_SMALLEST = 0.7  # side of the part that is shown; the part may reach over the border
_ASPECT = 0.1  # by which its sides differ, at most
_SHIFT = 0.1  # of its centre beyond what keeps it inside
_CONTRAST = 0.2
_BRIGHTNESS = 0.1  # of the range of values


class Views:
    """Makes another view of each picture of a batch.

    Args:
        low: Smallest value that a picture may have.
        high: Largest one.
        seed: What the views are drawn from.
    """

    def __init__(self, low: float, high: float, seed: int) -> None:
        self._low, self._high = low, high
        self._rng = np.random.default_rng(seed)

    def __call__(self, pictures: Floats) -> Floats:
        """Return as many pictures of the same size, shape (N, height, width, channels)."""
        count, height, width, _ = pictures.shape
        cut = tf.image.crop_and_resize(
            pictures,
            self._boxes(count),
            np.arange(count),
            (height, width),
            extrapolation_value=float(self._low + self._high) / 2,
        )
        return self._lit(np.asarray(cut))

    def _boxes(self, count: int) -> Floats:
        """Draw the parts to show as (top, left, bottom, right); mirrored: left > right."""
        draw = self._rng.uniform
        side = draw(_SMALLEST, 1.0, (count, 1)) * (1 + draw(-_ASPECT, _ASPECT, (count, 2)))
        room = (1 - side) / 2 + _SHIFT
        centre = 0.5 + room * draw(-1, 1, (count, 2))
        near, far = centre - side / 2, centre + side / 2
        mirrored = draw(size=count) < 0.5
        near[mirrored, 1], far[mirrored, 1] = far[mirrored, 1], near[mirrored, 1].copy()
        return np.concatenate([near, far], axis=1).astype(np.float32)

    def _lit(self, pictures: Any) -> Floats:
        draw, span, count = self._rng.uniform, self._high - self._low, len(pictures)
        gain = 1 + draw(-_CONTRAST, _CONTRAST, (count, 1, 1, 1))
        offset = span * draw(-_BRIGHTNESS, _BRIGHTNESS, (count, 1, 1, 1))
        middle = pictures.mean((1, 2, 3), keepdims=True)
        lit = middle + gain * (pictures - middle) + offset
        return np.asarray(np.clip(lit, self._low, self._high), np.float32)


def views(inputs: Sequence[Any], seed: int) -> Views:
    """Make views of all samples that a model learns from.

    Args:
        inputs: One array for each input of the model, samples in front.
        seed: What the views are drawn from.

    Raises:
        DataError: The samples are no pictures.
    """
    shapes = [array.shape[1:] for array in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 3 or inputs[0].dtype != np.float32:
        msg = (
            f"Other views are made of pictures (height, width, channels); found {shapes}.\n"
            "Leave --augment out."
        )
        raise DataError(msg)
    return Views(float(inputs[0].min()), float(inputs[0].max()), seed)

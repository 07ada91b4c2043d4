"""Frames to a model's input: what `edgekit.data.preprocess` defines, at a camera's pace.

The same numbers come out, to the last bit. The frame is made small first, so that all that
follows works on the model's size; values of a quantized input are looked up in a table,
without a detour over reals.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data import opencv
from edgekit.data.opencv import Order, Pixels
from edgekit.data.preprocess import Placing, arrange, fit, normalize
from edgekit.errors import TargetError
from edgekit.manifest import Preprocessing
from edgekit.runtime import TensorSpec
from edgekit.runtime.quantize import Quantizer

Array = NDArray[Any]


class Feeder:
    """Turns pictures into the input of one model.

    Args:
        inputs: The model's inputs.
        preprocessing: What the model expects.

    Raises:
        TargetError: The model takes no single picture.

    Attributes:
        size: Height and width of the input.
    """

    def __init__(self, inputs: Sequence[TensorSpec], preprocessing: Preprocessing) -> None:
        spec = picture_input(inputs)
        self.size = size_of(spec)
        self._preprocessing = preprocessing
        self._shape = spec.shape
        self._channels_first = _channels_first(spec.shape)
        self._channels = spec.shape[1] if self._channels_first else spec.shape[3]
        self._dtype = np.dtype(spec.dtype)
        self._table = _table(spec, preprocessing, self._channels)

    def __call__(self, pixels: Pixels, order: Order) -> tuple[Array, Placing]:
        """Turn a picture into the model's input, in the type that the input holds.

        Args:
            pixels: Shape (height, width, 3), 8 bits.
            order: Which colour comes first.

        Returns:
            The input, with the batch of 1, and where the picture lies in it.
        """
        fitted, placing = fit(pixels, self.size, self._preprocessing.resize)
        colored = self._colored(fitted, order)
        if self._table is None:
            values: Array = normalize(colored, self._preprocessing)
            values = values.astype(self._dtype, copy=False)
        elif self._table.size:
            values = opencv.look_up(colored, self._table)
        else:
            values = colored
        if self._channels_first:
            values = np.ascontiguousarray(values.transpose(2, 0, 1))
        return values.reshape(self._shape), placing

    def _colored(self, fitted: Pixels, order: Order) -> Pixels:
        """Give pixels the number and order of channels that the model expects."""
        wanted = self._preprocessing.color
        if self._channels == 1 or wanted == "gray":
            rgb = fitted if order == "rgb" else opencv.swap(fitted)
            return arrange(rgb, self._preprocessing, self._channels)
        return fitted if wanted == order else opencv.swap(fitted)


def picture_input(inputs: Sequence[TensorSpec]) -> TensorSpec:
    """Return the input that takes pictures.

    Raises:
        TargetError: There are several inputs, or it takes something else.
    """
    if len(inputs) == 1:
        shape = inputs[0].shape
        channels = shape[1] if _channels_first(shape) else shape[-1]
        if len(shape) == 4 and shape[0] == 1 and channels in {1, 3}:
            return inputs[0]
    found = ", ".join(f"{each.name} {list(each.shape)}" for each in inputs)
    msg = f"This model takes no single picture; its inputs are {found}."
    raise TargetError(msg)


def size_of(spec: TensorSpec) -> tuple[int, int]:
    """Return height and width of a picture input."""
    shape = spec.shape
    return (shape[2], shape[3]) if _channels_first(shape) else (shape[1], shape[2])


def _channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[1] in {1, 3} and shape[3] not in {1, 3}


def _table(spec: TensorSpec, preprocessing: Preprocessing, channels: int) -> Array | None:
    """Return what each pixel value becomes in a quantized input.

    Returns:
        Shape (256,) or (256, channels); empty if every pixel value stays as it is; None if
        the input holds reals.
    """
    if not spec.quantized:
        return None
    ramp = np.arange(256, dtype=np.uint8)
    columns = np.repeat(ramp, channels).reshape(256, 1, channels)
    real = normalize(columns, preprocessing)
    quantizer = Quantizer(real.shape, spec.dtype, spec.scale, spec.zero_point)
    table: Array = quantizer.quantize(real).reshape(256, channels)
    if table.dtype == np.uint8 and (table == ramp[:, np.newaxis]).all():
        return np.empty(0, np.uint8)
    same = (table == table[:, :1]).all()
    return np.ascontiguousarray(table[:, 0] if same else table)

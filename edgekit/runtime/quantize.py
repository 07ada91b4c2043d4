"""Real values to the integers of a quantized tensor and back: one scale, one zero point.

real = scale * (integer - zero_point)
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError, UsageError

INTEGERS = ("int8", "uint8", "int16", "int32")


class Quantizer:
    """Converts the values of one tensor; its buffers are made once and used again.

    Args:
        shape: Shape of the tensor.
        dtype: `int8`, `uint8`, `int16` or `int32`.
        scale: Real units per integer step, > 0.
        zero_point: The integer that stands for real 0.

    Raises:
        UsageError: The type is no such integer, or the scale is not above 0.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: str, scale: float, zero_point: int
    ) -> None:
        if dtype not in INTEGERS or not (scale > 0 and np.isfinite(scale)):
            msg = (
                f"A quantized tensor is {', '.join(INTEGERS)} with a scale above 0; "
                f"found {dtype} with {scale:g}."
            )
            raise UsageError(msg)
        # float32 holds every integer of 16 bits, and what lies between it and a zero point.
        exact = np.float64 if dtype == "int32" else np.float32
        self.scale = exact(scale)
        self.zero_point = exact(zero_point)
        limits = np.iinfo(dtype)
        with np.errstate(over="ignore"):  # a scale near the largest float32
            self._low = self.scale * exact(int(limits.min) - zero_point)
            self._high = self.scale * exact(int(limits.max) - zero_point)
        self._exact = exact
        self._real = np.empty(shape, exact)
        self._integers = np.empty(shape, dtype)

    def quantize(self, real: NDArray[np.float32]) -> NDArray[np.generic]:
        """Round to the nearest integer (ties to even); what is out of range saturates.

        Args:
            real: Real values, of the tensor's shape.

        Returns:
            A buffer that the next call overwrites.

        Raises:
            InputError: A value is NaN, which no integer can stand for.
        """
        work = self._real
        real.astype(self._exact, copy=False).clip(self._low, self._high, out=work)
        if work.size and np.isnan(work.max()):
            msg = "The input holds NaN, which a quantized model has no value for."
            raise InputError(msg)
        np.divide(work, self.scale, out=work)
        np.rint(work, out=work)
        np.add(work, self.zero_point, out=self._integers, casting="unsafe")
        return self._integers

    def dequantize(self, integers: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return the real values that integers of any shape stand for, in a new array."""
        real: NDArray[Any] = np.subtract(integers, self.zero_point, dtype=self._exact)
        np.multiply(real, self.scale, out=real)
        return real.astype(np.float32, copy=False)


def quantize(
    real: NDArray[np.float32], scale: float, zero_point: int, dtype: str
) -> NDArray[np.generic]:
    """Return the integers nearest to real values, of the same shape.

    Args:
        real: Real values; infinities saturate.
        scale: Real units per integer step, > 0.
        zero_point: The integer that stands for real 0.
        dtype: `int8`, `uint8`, `int16` or `int32`.

    Raises:
        InputError: A value is NaN.
        UsageError: The type is no such integer, or the scale is not above 0.

    >>> quantize(np.array([0.0, 0.26, 9.9], np.float32), 0.1, -128, "int8").tolist()
    [-128, -125, -29]
    """
    return Quantizer(real.shape, dtype, scale, zero_point).quantize(real)


def dequantize(
    integers: NDArray[np.generic], scale: float, zero_point: int
) -> NDArray[np.float32]:
    """Return the real values that integers stand for, of the same shape.

    >>> dequantize(np.array([-128, 0], np.int8), 0.5, 0).tolist()
    [-64.0, 0.0]
    """
    return Quantizer((), integers.dtype.name, scale, zero_point).dequantize(integers)

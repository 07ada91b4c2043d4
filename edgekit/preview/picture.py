"""A picture that is encoded when the first viewer asks, and stays it for all others."""

import functools
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekit.data import opencv
from edgekit.data.opencv import Order, Pixels
from edgekit.preview.colors import gradient
from edgekit.preview.png import encode_png

_LONGEST_SIDE = 1280  # more costs time on a small machine and shows on no phone
_QUALITY = 80
_BRIGHTEST = 255


class Picture:
    """A picture on its way to the viewers.

    Args:
        size: Width and height, to which boxes refer.
        encode: Makes a file of it; nothing if it is no picture.

    Attributes:
        size: Width and height.
        cost_s: Seconds that encoding took; 0 before.
    """

    def __init__(self, size: tuple[int, int], encode: Callable[[], bytes]) -> None:
        self.size = size
        self.cost_s = 0.0
        self._encode: Callable[[], bytes] | None = encode
        self._encoded = b""
        self._encoding = threading.Lock()

    def encoded(self) -> bytes:
        """Return the file, made once; nothing if it is no picture."""
        with self._encoding:
            if self._encode is not None:
                begun = time.perf_counter()
                self._encoded = self._encode()
                self.cost_s = time.perf_counter() - begun
                self._encode = None
            return self._encoded


def photograph(pixels: Pixels, order: Order) -> Picture:
    """Return a frame as a JPEG to come.

    Args:
        pixels: Shape (height, width, 3); nobody may change them any more.
        order: Whether blue or red comes first.
    """
    size = (int(pixels.shape[1]), int(pixels.shape[0])) if pixels.ndim == 3 else (0, 0)
    return Picture(size, functools.partial(_jpeg, pixels, *size, order))


def spectrogram(features: NDArray[np.float32], low: float, high: float) -> Picture:
    """Return features of a sound as a PNG to come: time to the right, low bands below.

    Args:
        features: Shape (rows, features); nobody may change them any more.
        low: What is dark.
        high: What is bright.
    """
    rows, bands = features.shape
    return Picture((rows, bands), functools.partial(_png, features, low, high))


def _jpeg(pixels: Pixels, width: int, height: int, order: Order) -> bytes:
    if not (width and height and pixels.shape[2] == 3):
        return b""
    scale = min(_LONGEST_SIDE / max(width, height), 1.0)
    shrunk = opencv.resize(pixels, max(round(width * scale), 1), max(round(height * scale), 1))
    return opencv.encode_jpeg(shrunk, order=order, quality=_QUALITY)


def _png(features: NDArray[np.float32], low: float, high: float) -> bytes:
    if not features.size:
        return b""
    shares = (features - low) / max(high - low, 1e-6)
    bright = np.nan_to_num(shares, posinf=1.0, neginf=0.0).clip(0, 1) * _BRIGHTEST
    return encode_png(bright.astype(np.uint8).T[::-1], gradient())

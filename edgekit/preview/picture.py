"""A frame that becomes a JPEG when the first viewer asks, and stays it for all others."""

import threading
import time

from edgekit.data import opencv
from edgekit.data.opencv import Order, Pixels

_LONGEST_SIDE = 1280  # more costs time on a small machine and shows on no phone
_QUALITY = 80


class Picture:
    """A frame on its way to the viewers.

    Args:
        pixels: Shape (height, width, 3); nobody may change them any more.
        order: Whether blue or red comes first.

    Attributes:
        size: Width and height of the frame, to which boxes refer.
        cost_s: Seconds that encoding took; 0 before.
    """

    def __init__(self, pixels: Pixels, order: Order) -> None:
        self.size = (int(pixels.shape[1]), int(pixels.shape[0])) if pixels.ndim == 3 else (0, 0)
        self.cost_s = 0.0
        self._pixels: Pixels | None = pixels
        self._order = order
        self._jpeg = b""
        self._encoding = threading.Lock()

    def jpeg(self) -> bytes:
        """Return the picture, encoded once; nothing if it is none."""
        with self._encoding:
            if self._pixels is not None:
                begun = time.perf_counter()
                self._jpeg = _encoded(self._pixels, *self.size, self._order)
                self.cost_s = time.perf_counter() - begun
                self._pixels = None
            return self._jpeg


def _encoded(pixels: Pixels, width: int, height: int, order: Order) -> bytes:
    if not (width and height and pixels.shape[2] == 3):
        return b""
    scale = min(_LONGEST_SIDE / max(width, height), 1.0)
    shrunk = opencv.resize(pixels, max(round(width * scale), 1), max(round(height * scale), 1))
    return opencv.encode_jpeg(shrunk, order=order, quality=_QUALITY)

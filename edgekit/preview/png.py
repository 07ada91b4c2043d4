"""Write a picture of few colours as PNG, without any library for pictures."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EIGHT_BITS, _PALETTE = 8, 3
_FAST = 1


def encode_png(indices: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """Encode a picture whose pixels are places in a palette.

    Args:
        indices: Shape (height, width), both > 0.
        palette: Shape (256, 3), red first.

    Source:
        https://www.w3.org/TR/png-3/
    """
    height, width = indices.shape
    head = struct.pack(">IIBBBBB", width, height, _EIGHT_BITS, _PALETTE, 0, 0, 0)
    lines = np.pad(indices, ((0, 0), (1, 0)))  # each line begins with its filter: none
    parts = [
        (b"IHDR", head),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), _FAST)),
        (b"IEND", b""),
    ]
    return _SIGNATURE + b"".join(_part(name, content) for name, content in parts)


def _part(name: bytes, content: bytes) -> bytes:
    sum_ = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", sum_)

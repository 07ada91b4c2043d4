"""The few OpenCV functions that reading and resizing pictures takes, with types."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import MissingExtra
from edgekit.extras import need

Pixels = NDArray[np.uint8]
Order = Literal["bgr", "rgb"]


def decode(data: bytes) -> Pixels | None:
    """Decode a picture to RGB, or return None where OpenCV cannot.

    Every picture becomes 8 bits and three channels: gray is repeated, a palette is looked
    up, 16 bits are divided by 256, alpha is dropped. EXIF orientation is applied.

    Args:
        data: The bytes of the file.

    Returns:
        Shape (height, width, 3), red first.
    """
    cv2 = _cv2()
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    if bgr is None:
        return None
    return cast("Pixels", cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize a picture, bilinear with half-pixel centres and without a low-pass.

    The fixed-point variant is used: it gives the same bits on every processor.

    Args:
        pixels: Shape (height, width, channels).
        width: Width of the result, > 0.
        height: Height of the result, > 0.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    cv2 = _cv2()
    resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR_EXACT)
    return cast("Pixels", resized.reshape(height, width, pixels.shape[2]))


def encode_jpeg(pixels: Pixels, *, order: Order, quality: int) -> bytes:
    """Encode a picture as JPEG; nothing where OpenCV cannot.

    Args:
        pixels: Shape (height, width, 3).
        order: Whether blue or red comes first.
        quality: 0 to 100.
    """
    cv2 = _cv2()
    try:
        bgr = pixels if order == "bgr" else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        done, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error:
        return b""
    return bytes(encoded) if done else b""


def swap(pixels: Pixels) -> Pixels:
    """Turn RGB into BGR and BGR into RGB.

    Args:
        pixels: Shape (height, width, 3).
    """
    cv2 = _cv2()
    return cast("Pixels", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))


def look_up(pixels: Pixels, table: NDArray[Any]) -> NDArray[Any]:
    """Replace each value of a picture by that of a table.

    Args:
        pixels: Shape (height, width, channels).
        table: Shape (256,) for all channels, or (256, channels).

    Returns:
        An array of the table's type and the picture's shape.
    """
    found = _cv2().LUT(pixels, table.reshape(1, 256, -1))
    return cast("NDArray[Any]", found.reshape(pixels.shape))


def transform(
    pixels: Pixels, matrix: NDArray[np.float64], size: tuple[int, int], fill: tuple[int, ...]
) -> Pixels:
    """Scale, turn and move a picture in one go, bilinear.

    Args:
        pixels: Shape (height, width, 3).
        matrix: Shape (2, 3); takes (x, y, 1) of the picture to (x, y) of the result.
        size: Height and width of the result.
        fill: Value of each channel where the picture does not reach.
    """
    cv2 = _cv2()
    return cast("Pixels", cv2.warpAffine(pixels, matrix, size[::-1], borderValue=fill))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenCV work in the threads that call it and in none of its own, meanwhile.

    Its own wait busily for their next picture, on cores that others have work for. Nothing
    happens where OpenCV is not installed.
    """
    try:
        cv2 = _cv2()
    except MissingExtra:
        yield
        return
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _cv2() -> Any:
    return need("cv2", "read and resize pictures")

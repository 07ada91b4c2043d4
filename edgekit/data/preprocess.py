"""From pixels to a model's input: the one definition for training, evaluation and devices.

`x = (pixel - mean) / std`, in this order:

1. The picture, 8-bit RGB, gets the model's size (`fit`): bilinear with half-pixel centres
   and no low-pass, in fixed point, so that every machine gives the same bits; the result
   is 8-bit again, rounded to nearest.
2. Channels get the model's order (`arrange`). Gray is
   (19595 R + 38470 G + 7471 B + 32768) // 65536, the ITU-R 601 luma; a model with three
   channels and colour `gray` gets it three times.
3. Mean and std are applied in float32: the difference is rounded, then the quotient.

`Placing` says where the picture went, so that boxes can be taken back.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data import opencv
from edgekit.data.opencv import Pixels
from edgekit.errors import DataError
from edgekit.manifest import Preprocessing, Resize

PAD = 114  # the gray around a letterboxed picture
_LUMA = (19595, 38470, 7471)  # of 65536


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a picture lies in a model's input: `input = frame * scale + offset`.

    Attributes:
        scale_x: Input pixels per frame pixel, > 0.
        scale_y: Same, downwards.
        offset_x: Where the frame's left edge lies, in input pixels; below 0 if cropped.
        offset_y: Same, of its upper edge.
        frame: Height and width of the frame.
    """

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float
    frame: tuple[int, int]

    def to_input(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take boxes from the frame to the input.

        Args:
            boxes: Shape (N, 4) as (x_min, y_min, x_max, y_max), in pixels.
        """
        return (boxes * self._scales() + self._offsets()).astype(np.float32)

    def to_frame(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take boxes from the input back to the frame; they may reach beyond its edges.

        Args:
            boxes: Shape (N, 4) as (x_min, y_min, x_max, y_max), in pixels.
        """
        return ((boxes - self._offsets()) / self._scales()).astype(np.float32)

    def _scales(self) -> NDArray[np.float64]:
        return np.array([self.scale_x, self.scale_y] * 2)

    def _offsets(self) -> NDArray[np.float64]:
        return np.array([self.offset_x, self.offset_y] * 2)


def apply(
    pixels: Pixels, preprocessing: Preprocessing, size: tuple[int, int], channels: int
) -> NDArray[np.float32]:
    """Turn a picture into a model's input.

    Args:
        pixels: Shape (height, width, 3), red first, 0..255.
        preprocessing: What the model expects.
        size: Height and width of the model's input.
        channels: Channels of the model's input, 1 or 3.

    Returns:
        Shape (*size, channels), in the range of `preprocessing.input_range`.

    Raises:
        DataError: Three values of mean and std for a model with one channel.

    >>> white = np.full((2, 2, 3), 255, np.uint8)
    >>> apply(white, Preprocessing.from_range(-1, 1), (1, 1), 1)
    array([[[1.]]], dtype=float32)
    """
    fitted, _ = fit(pixels, size, preprocessing.resize)
    return normalize(arrange(fitted, preprocessing, channels), preprocessing)


def fit(pixels: Pixels, size: tuple[int, int], resize: Resize) -> tuple[Pixels, Placing]:
    """Give a picture the model's size.

    `stretch` ignores the aspect ratio. `crop` cuts the largest centred window that has the
    model's aspect ratio, to the nearest pixel, and resizes it. `letterbox` scales until
    the longer side fits, to the nearest pixel, and centres on gray 114; of an odd
    remainder the right and lower edge get one more.

    Args:
        pixels: Shape (height, width, channels).
        size: Height and width of the result.
        resize: Which of the three.

    Returns:
        The picture, shape (*size, channels), and where it went.
    """
    height, width = size
    frame_height, frame_width = pixels.shape[:2]
    if resize == "crop":
        left, top, right, bottom = _window((frame_height, frame_width), size)
        scale_x, scale_y = width / (right - left), height / (bottom - top)
        fitted = opencv.resize(pixels[top:bottom, left:right], width, height)
        frame = (frame_height, frame_width)
        return fitted, Placing(scale_x, scale_y, -left * scale_x, -top * scale_y, frame)
    if resize == "letterbox":
        return _letterbox(pixels, size)
    scales = (width / frame_width, height / frame_height)
    placing = Placing(*scales, 0.0, 0.0, (frame_height, frame_width))
    return opencv.resize(pixels, width, height), placing


def _window(frame: tuple[int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the largest centred window of that shape."""
    (frame_height, frame_width), (height, width) = frame, size
    if frame_width * height > frame_height * width:
        inner = min(max(round(frame_height * width / height), 1), frame_width)
        left = (frame_width - inner) // 2
        return left, 0, left + inner, frame_height
    inner = min(max(round(frame_width * height / width), 1), frame_height)
    top = (frame_height - inner) // 2
    return 0, top, frame_width, top + inner


def _letterbox(pixels: Pixels, size: tuple[int, int]) -> tuple[Pixels, Placing]:
    height, width = size
    frame_height, frame_width = pixels.shape[:2]
    scale = min(height / frame_height, width / frame_width)
    inner_height = min(max(round(frame_height * scale), 1), height)
    inner_width = min(max(round(frame_width * scale), 1), width)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    fitted = np.full((height, width, pixels.shape[2]), PAD, np.uint8)
    fitted[top : top + inner_height, left : left + inner_width] = opencv.resize(
        pixels, inner_width, inner_height
    )
    scale_x, scale_y = inner_width / frame_width, inner_height / frame_height
    frame = (frame_height, frame_width)
    return fitted, Placing(scale_x, scale_y, float(left), float(top), frame)


def arrange(pixels: Pixels, preprocessing: Preprocessing, channels: int) -> Pixels:
    """Give RGB pixels the number and order of channels that the model expects.

    Args:
        pixels: Shape (height, width, 3), red first.
        preprocessing: Says the order.
        channels: 1 or 3.

    Returns:
        Shape (height, width, channels).
    """
    if channels == 1 or preprocessing.color == "gray":
        return np.repeat(gray(pixels)[..., np.newaxis], channels, axis=2)
    return pixels[..., ::-1] if preprocessing.color == "bgr" else pixels


def gray(pixels: Pixels) -> Pixels:
    """Return the luma of RGB pixels, shape (height, width)."""
    wide = pixels.astype(np.uint32)
    luma = wide[..., 0] * _LUMA[0] + wide[..., 1] * _LUMA[1] + wide[..., 2] * _LUMA[2]
    return ((luma + 32768) >> 16).astype(np.uint8)


def normalize(pixels: Pixels, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Apply mean and std.

    Args:
        pixels: Shape (height, width, channels), in the order of the model's channels.
        preprocessing: Holds mean and std, one value or one a channel.

    Raises:
        DataError: Three values for one channel.
    """
    height, width, channels = pixels.shape
    if len(preprocessing.mean) not in {1, channels}:
        msg = (
            f"mean and std have {len(preprocessing.mean)} values, the model's input has "
            f"{channels} channel.\nGive one value for each, e.g. --mean 0 --std 255."
        )
        raise DataError(msg)
    values = pixels.astype(np.float32)
    if len(preprocessing.mean) == 1:
        values -= np.float32(preprocessing.mean[0])
        values /= np.float32(preprocessing.std[0])
        return values
    # One value a column instead of one a channel: long inner loops, several times as fast.
    rows = values.reshape(height, width * channels)
    rows -= np.tile(np.asarray(preprocessing.mean, np.float32), width)
    rows /= np.tile(np.asarray(preprocessing.std, np.float32), width)
    return rows.reshape(height, width, channels)

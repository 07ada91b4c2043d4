"""Calibration without data: random inputs that suit a model.

Ranges that come from them are guesses. They are of use to see whether a model converts and
how fast it runs, and for models whose inputs are as random as these.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.files import told
from edgekit_converters.sources.checking import random_feeds
from edgekit_converters.sources.source import InputSpec

SYNTHETIC = "synthetic"  # what `--calibrate` says instead of a path
WARNING = (
    "The ranges are guesses: they come from {count} synthetic inputs, not from data. "
    "What the model is worth on real inputs is unknown; calibrate with --calibrate DATA."
)


def synthetic_file(folder: Path) -> Path:
    """Where the inputs stand in the working folder of a conversion."""
    return folder / "synthetic.npz"


def write_synthetic(
    specs: Sequence[InputSpec], path: Path, *, count: int, seed: int, normalizes_itself: bool
) -> None:
    """Write random inputs as calibration data.

    1. Pictures (height, width, 1 or 3 channels) are uint8, as photos are: see `pictures`.
       The preprocessing of the model is applied to them when they are read.
    2. Everything else is what `sources.checking.random_feeds` draws.

    Args:
        specs: The inputs; their shapes are fixed.
        path: The .npz to write: `x`, or one array an input.
        count: How many samples.
        seed: Which ones.
        normalizes_itself: Whether the graph scales its input.
    """
    feeds = random_feeds(specs, normalizes_itself=normalizes_itself, count=count)
    names = [spec.name for spec in specs] if len(specs) > 1 else ["x"]
    arrays: dict[str, Any] = {}
    for position, (name, spec) in enumerate(zip(names, specs, strict=True)):
        shape = tuple(size or 1 for size in spec.shape)
        if _is_picture(spec):
            arrays[name] = pictures(count, shape, seed + position)
        else:
            arrays[name] = np.concatenate([feed[position] for feed in feeds])
    with told(f"write {path}"):
        np.savez(path, **arrays)


def pictures(count: int, shape: tuple[int, ...], seed: int) -> NDArray[np.uint8]:
    """Draw smooth random pictures whose statistics are those of photos, roughly.

    The amplitude of a frequency f falls with 1/f, as in natural scenes; the channels share
    nine tenths of their structure; brightness and contrast differ from picture to picture.

    Args:
        count: How many.
        shape: Height, width, channels.
        seed: Which ones.

    Returns:
        Pixels, shape (count, height, width, channels).
    """
    rng = np.random.default_rng(seed)
    height, width, channels = shape
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf  # the mean is drawn by itself

    def field(layers: int) -> NDArray[np.float64]:
        noise = np.fft.rfft2(rng.standard_normal((count, layers, height, width)))
        smooth = np.fft.irfft2(noise / frequency, s=(height, width))
        return np.asarray(smooth / np.maximum(smooth.std((2, 3), keepdims=True), 1e-9))

    structure = 0.9 * field(1) + 0.44 * field(channels)
    brightness = rng.uniform(60, 190, (count, 1, 1, 1)) + rng.normal(
        0, 15, (count, channels, 1, 1)
    )
    contrast = rng.uniform(25, 75, (count, 1, 1, 1))
    pixels = np.clip(brightness + contrast * structure, 0, 255)
    return np.ascontiguousarray(np.moveaxis(pixels, 1, -1)).astype(np.uint8)


def _is_picture(spec: InputSpec) -> bool:
    is_number = spec.indices is None and spec.dtype in {"float32", "float16", "uint8"}
    return is_number and len(spec.shape) == 3 and spec.shape[-1] in {1, 3}

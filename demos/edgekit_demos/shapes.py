"""A small data set that is drawn, not stored: one shape on a noisy picture, six classes.

Every picture has 64 x 64 pixels and holds one filled shape of any colour, size, angle
and place, before a background with a gradient, grain and stray strokes. Small, faint
shapes are hard on purpose: a good small network is right on about 98 of 100.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.files import atomic_write

SIZE = 64  # pixels of either side

Floats = NDArray[np.float64]

_MIN_CONTRAST = 50.0  # least distance of shape and background colour, in grey levels


def draw(n: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw a labelled data set.

    Args:
        n: How many pictures, >= 1; the classes are as equally many as n allows.
        seed: Which pictures: the same seed gives the same pixels, >= 0.

    Returns:
        x: Pictures as RGB, shape (n, 64, 64, 3).
        y: Index of each picture's class in `CLASSES`, shape (n,).

    Raises:
        UsageError: n is below 1, or the seed is negative.

    >>> x, y = draw(12, seed=1)
    >>> x.shape, sorted(y.tolist())
    ((12, 64, 64, 3), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
    """
    if n < 1 or seed < 0:
        msg = f"Drawing needs at least 1 picture and a seed from 0 up; found {n} and {seed}."
        raise UsageError(msg)
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n, dtype=np.int64) % len(CLASSES))
    x = np.stack([_picture(rng, _SHAPES[CLASSES[label]]) for label in y])
    return x, y


def write_npz(path: Path, n: int, seed: int) -> None:
    """Draw a data set into an `.npz` file with `x` and `y`.

    Args:
        path: Where to write.
        n: How many pictures, >= 1.
        seed: Which pictures, >= 0.

    Raises:
        EdgekitError: The file cannot be written.
    """
    x, y = draw(n, seed)
    buffer = io.BytesIO()
    np.savez(buffer, x=x, y=y)
    atomic_write(path, buffer.getvalue())


def _picture(
    rng: np.random.Generator, shape: Callable[[Floats, Floats], Floats]
) -> NDArray[np.uint8]:
    """Draw one shape, with everything but its class left to chance."""
    rows, columns = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    picture = _background(rng, rows, columns)
    ink = _ink(rng, picture.mean(axis=(0, 1)))
    for _ in range(rng.integers(0, 4)):
        picture = _blend(picture, rng.uniform(0, 255, 3), _stroke(rng, rows, columns))
    radius = rng.uniform(7.5, 24.0)
    margin = 0.8 * radius
    centre_row, centre_column = rng.uniform(margin, SIZE - margin, 2)
    angle, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.84, 1.2)
    down, right = (rows - centre_row) / radius, (columns - centre_column) / radius
    u = (np.cos(angle) * right + np.sin(angle) * down) * stretch
    v = (np.cos(angle) * down - np.sin(angle) * right) / stretch
    picture = _blend(picture, ink, rng.uniform(0.75, 1.0) * _coverage(shape(u, v) * radius))
    picture += rng.normal(0, rng.uniform(2, 16), picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator, rows: Floats, columns: Floats) -> Floats:
    """Fill the picture with a gradient between two colours."""
    first = rng.uniform(0, 255, 3)
    second = np.clip(first + rng.uniform(-90, 90, 3), 0, 255)
    angle = rng.uniform(0, 2 * np.pi)
    along = ((rows - SIZE / 2) * np.sin(angle) + (columns - SIZE / 2) * np.cos(angle)) / SIZE
    share = np.clip(along + 0.5, 0, 1)[..., None]
    return np.asarray(first * (1 - share) + second * share)


def _ink(rng: np.random.Generator, background: Floats) -> Floats:
    """Choose a colour that can be told from the background."""
    while True:
        colour = rng.uniform(0, 255, 3)
        if np.abs(colour - background).mean() >= _MIN_CONTRAST:
            return colour


def _stroke(rng: np.random.Generator, rows: Floats, columns: Floats) -> Floats:
    """Coverage of one thin line through a random point."""
    row, column = rng.uniform(0, SIZE, 2)
    angle, width = rng.uniform(0, np.pi), rng.uniform(0.5, 1.5)
    distance = np.abs((rows - row) * np.cos(angle) - (columns - column) * np.sin(angle))
    return _coverage(distance - width)


def _coverage(distance: Floats) -> Floats:
    """Share of each pixel inside an outline, from the distance to it (inside negative)."""
    return np.clip(0.5 - distance, 0, 1)


def _blend(picture: Floats, colour: Floats, share: Floats) -> Floats:
    return np.asarray(picture + share[..., None] * (colour - picture))


# Outlines: how far a point lies outside, in units of the shape's radius.


def _circle(u: Floats, v: Floats) -> Floats:
    return np.hypot(u, v) - 0.9


def _cross(u: Floats, v: Floats) -> Floats:
    u, v = np.abs(u), np.abs(v)
    return np.maximum(np.maximum(u, v) - 1.0, np.minimum(u, v) - 0.33)


def _polygon(corners: int) -> Callable[[Floats, Floats], Floats]:
    """Outline of a regular polygon whose corners lie on the unit circle."""
    normals = (np.arange(corners) + 0.5) * 2 * np.pi / corners

    def outline(u: Floats, v: Floats) -> Floats:
        sides = np.stack([u * np.cos(angle) + v * np.sin(angle) for angle in normals])
        return np.asarray(sides.max(axis=0) - np.cos(np.pi / corners))

    return outline


def _star(u: Floats, v: Floats) -> Floats:
    """Outline of a five-pointed star: one line from tip to notch, folded ten times."""
    tip, fold = 1.1, np.pi / 5
    notch_u, notch_v = 0.5 * np.cos(fold), 0.5 * np.sin(fold)
    angle = np.abs((np.arctan2(v, u) + fold) % (2 * fold) - fold)
    radius = np.hypot(u, v)
    along_u, along_v = notch_u - tip, notch_v
    across = along_v * (radius * np.cos(angle) - tip) - along_u * radius * np.sin(angle)
    return np.asarray(across / np.hypot(along_u, along_v))


_SHAPES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "circle": _circle,
    "cross": _cross,
    "pentagon": _polygon(5),
    "square": _polygon(4),
    "star": _star,
    "triangle": _polygon(3),
}

CLASSES = tuple(_SHAPES)

"""Other views of annotated pictures, with boxes that stay right.

A view is one affine map: cut, zoom, aspect and, where it is meaningful, mirrored or turned
by quarters; boxes stay boxes under all of them. Some views are mosaics of four, so that
objects are met in more places, sizes and neighbourhoods; not many, for what tells alike
objects apart is small there. Then the light changes, and
some views lose sharpness. What is cut so far that its class is in doubt counts neither as
an object nor as background.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data import opencv
from edgekit.data.annotations import Annotated
from edgekit.data.boxes import Boxes, area, clip
from edgekit.data.opencv import Pixels

_MOSAIC = 0.3  # share of views that are made of four
_ZOOM = (0.85, 1.6)
_ASPECT = 0.2  # of the logarithm
_SEEN = 0.5  # visible share from which on a cut object is one
_GONE = 0.05  # below, it is background
_SMALLEST = 6.0  # pixels that its shorter side must have


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A picture of the model's size and what is in it.

    Attributes:
        pixels: Shape (size, size, 3), red first.
        boxes: Shape (N, 4), in pixels of the view.
        classes: Shape (N,).
        doubtful: Shape (M, 4): where nothing is to be learned.
    """

    pixels: Pixels
    boxes: Boxes
    classes: NDArray[np.intp]
    doubtful: Boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Which changes leave a class what it is.

    Attributes:
        mirror: Left and right may be swapped; not for text and playing cards.
        turn: Pictures may be turned by quarters: taken from above.
    """

    mirror: bool = False
    turn: bool = False


class Views:
    """Makes views of annotated pictures.

    Args:
        items: The pictures.
        read: Gives the pixels of one, by its place.
        size: Side of a view.
        meaning: Which changes are allowed.
        mosaic: Share of views that are made of four pictures.
    """

    def __init__(
        self,
        items: Sequence[Annotated],
        read: Callable[[int], Pixels],
        size: int,
        meaning: Meaning,
        *,
        mosaic: float = _MOSAIC,
    ) -> None:
        self._items, self._read = items, read
        self._size, self._meaning, self._share = size, meaning, mosaic

    def __call__(self, place: int, rng: np.random.Generator, *, alone: bool = False) -> View:
        """Make a view of one picture, or of it and three others.

        Args:
            place: The picture.
            rng: What is drawn from.
            alone: No others.
        """
        if not alone and rng.random() < self._share:
            view = self._mosaic(place, rng)
        else:
            view = self._single(place, (self._size, self._size), rng)
        return View(_relit(view.pixels, rng), view.boxes, view.classes, view.doubtful)

    def _mosaic(self, place: int, rng: np.random.Generator) -> View:
        size = self._size
        column, row = (rng.uniform(0.35, 0.65, 2) * size).astype(int).tolist()
        places = [place, *rng.integers(len(self._items), size=3).tolist()]
        rng.shuffle(places)
        canvas = np.empty((size, size, 3), np.uint8)
        parts = []
        corners = [(0, 0, column, row), (column, 0, size, row)]
        corners += [(0, row, column, size), (column, row, size, size)]
        for each, (left, top, right, bottom) in zip(places, corners, strict=True):
            view = self._single(each, (bottom - top, right - left), rng)
            canvas[top:bottom, left:right] = view.pixels
            shift = np.array([left, top, left, top], np.float32)
            parts.append((view.boxes + shift, view.classes, view.doubtful + shift))
        boxes, classes, doubtful = (np.concatenate(each) for each in zip(*parts, strict=True))
        return View(canvas, boxes, classes, doubtful)

    def _single(self, place: int, size: tuple[int, int], rng: np.random.Generator) -> View:
        pixels, item = self._read(place), self._items[place]
        matrix = self._map(pixels.shape[:2], size, rng)
        height, width = item.size or pixels.shape[:2]
        scale = np.array([pixels.shape[1] / width, pixels.shape[0] / height] * 2)
        boxes = moved((item.boxes * scale).astype(np.float32), matrix)
        inside = clip(boxes, size)
        seen = area(inside) / np.maximum(area(boxes), 1e-6)
        sides = (inside[:, 2:] - inside[:, :2]).min(axis=1, initial=np.inf)
        vague = item.difficult | item.crowd
        clear = (seen >= _SEEN) & (sides >= _SMALLEST) & ~vague
        doubt = ~clear & ((seen >= _GONE) | vague)
        fill = tuple(int(value) for value in rng.integers(0, 256, 3))
        shown = opencv.transform(pixels, matrix, size, fill)
        return View(shown, inside[clear], item.classes[clear], inside[doubt])

    def _map(
        self, frame: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Draw where a picture goes: (2, 3), from its pixels to those of the view."""
        height, width = frame
        linear = np.eye(2)
        if self._meaning.mirror and rng.random() < 0.5:
            linear = np.diag([-1.0, 1.0])
        if self._meaning.turn:
            cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[rng.integers(4)]
            linear = np.array([[cos, -sin], [sin, cos]]) @ linear
        extent = np.abs(linear @ np.array([width, height]))
        stretch = np.exp(rng.uniform(-_ASPECT, _ASPECT) * np.array([0.5, -0.5]))
        zoom = np.exp(rng.uniform(*np.log(_ZOOM))) * stretch
        scale = np.array(size[::-1]) / extent * zoom
        linear = np.diag(scale) @ linear
        room = np.array(size[::-1]) - extent * scale  # below 0 where it is larger
        centre = np.array(size[::-1]) / 2 + room * rng.uniform(-0.5, 0.5, 2)
        offset = centre - linear @ (np.array([width, height]) / 2)
        # Pixels are counted at their centres in the map, at their edges in boxes.
        offset += linear @ np.array([0.5, 0.5]) - 0.5
        return np.column_stack([linear, offset])


def moved(boxes: Boxes, matrix: NDArray[np.float64]) -> Boxes:
    """Take boxes through a map that `opencv.transform` takes pixels through.

    Args:
        boxes: Shape (N, 4).
        matrix: Shape (2, 3), of pixel centres; turns by quarters only.
    """
    linear = matrix[:, :2]
    offset = matrix[:, 2] + 0.5 - linear @ np.array([0.5, 0.5])
    one, other = boxes[:, :2] @ linear.T + offset, boxes[:, 2:] @ linear.T + offset
    both = np.concatenate([np.minimum(one, other), np.maximum(one, other)], axis=1)
    return both.astype(np.float32)


def _relit(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Change brightness, contrast, colour of the light, saturation and sharpness."""
    if rng.random() < 0.3:
        gray = pixels.mean(axis=2, keepdims=True)
        share = rng.uniform(-0.3, 0.8)
        pixels = np.clip(pixels + share * (gray - pixels), 0, 255).astype(np.uint8)
    if rng.random() < 0.8:
        levels = np.arange(256)[:, None] / 255
        gain = np.exp(rng.uniform(-0.4, 0.4) + rng.uniform(-0.12, 0.12, 3))
        curve = levels ** np.exp(rng.uniform(-0.4, 0.4)) * gain
        curve = (curve - 0.5) * np.exp(rng.uniform(-0.25, 0.25)) + 0.5
        table = (np.clip(curve, 0, 1) * 255).round().astype(np.uint8)
        pixels = opencv.look_up(pixels, table)
    if rng.random() < 0.2:
        height, width = pixels.shape[:2]
        share = rng.uniform(0.45, 0.9)
        small = opencv.resize(pixels, int(width * share), int(height * share))
        pixels = opencv.resize(small, width, height)
    if rng.random() < 0.15:
        grain = rng.integers(-12, 13, pixels.shape, np.int16)
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    return pixels

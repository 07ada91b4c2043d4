"""Other views of annotated pictures: what makes a few hundred of them enough to learn from.

A view is made in one resampling from the original: cut larger or smaller, moved, stretched,
turned by 180 degrees or mirrored if that is allowed. Four pictures may share a view. Then come
colour, light, blur and noise.

An object of which less than `_VISIBLE` is left in the view, or whose centre is outside, is
neither object nor background.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data import opencv
from edgekit.data.boxes import Boxes, area, as_boxes, clip
from edgekit.data.opencv import Pixels

_VISIBLE = 0.5
_SCALES = (0.6, 1.6)  # of the whole picture, stretched to the input
_STRETCH = 1.25  # width against height, at most
_AWAY = 0.25  # of the input, that a picture may be moved beyond what covers it
_QUADRANT = 0.35  # where the four pictures of a mosaic meet, at least, as a share
_GROUND = (0, 255)  # what lies around a picture, drawn for each view


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and what is in it, in pixels.

    Attributes:
        pixels: Shape (height, width, 3), red first.
        boxes: Shape (N, 4): what is to be found.
        classes: Shape (N,).
        uncounted: Shape (M, 4): what is neither object nor background.
    """

    pixels: Pixels
    boxes: Boxes
    classes: NDArray[np.intp]
    uncounted: Boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What views may do.

    Attributes:
        flip: Mirror; not for cards, text or anything that has a left and a right.
        turn: Turn by 180 degrees; for what has no top.
        mosaic: Share of views that are made of four pictures.
    """

    flip: bool = False
    turn: bool = False
    mosaic: float = 0.3


class Views:
    """Makes views of scenes.

    Args:
        size: Height and width of a view.
        wishes: What may be done.
    """

    def __init__(self, size: tuple[int, int], wishes: Wishes) -> None:
        self._size = size
        self._wishes = wishes

    def __call__(self, scenes: Sequence[Scene], rng: np.random.Generator) -> Scene:
        """Return a view.

        Args:
            scenes: Its scene, and three others that it may be combined with.
            rng: What chance is drawn from.
        """
        height, width = self._size
        ground = rng.integers(*_GROUND, 3, dtype=np.uint8)
        pixels = np.empty((height, width, 3), np.uint8)
        pixels[:] = ground
        if len(scenes) >= 4 and rng.random() < self._wishes.mosaic:  # noqa: PLR2004 (quadrants)
            low, high = _QUADRANT, 1 - _QUADRANT
            x, y = (round(side * rng.uniform(low, high)) for side in (width, height))
            windows = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        else:
            windows = [(0, 0, width, height)]
        parts = [
            self._place(scene, pixels, window, rng)
            for scene, window in zip(scenes, windows, strict=False)
        ]
        return Scene(
            _developed(pixels, rng),
            np.concatenate([each.boxes for each in parts]),
            np.concatenate([each.classes for each in parts]),
            np.concatenate([each.uncounted for each in parts]),
        )

    def _place(
        self,
        scene: Scene,
        pixels: Pixels,
        window: tuple[int, int, int, int],
        rng: np.random.Generator,
    ) -> Scene:
        """Draw a scene into a window of the view; its pixels are those of the view."""
        left, top, right, bottom = window
        part = pixels[top:bottom, left:right]
        scales, offsets = self._motion(scene, (right - left, bottom - top), rng)
        part[:] = opencv.warp(scene.pixels, scales, offsets, part)
        moved = [
            _moved(each, scales, offsets, part.shape[:2])
            for each in (scene.boxes, scene.uncounted)
        ]
        (boxes, counts), (uncounted, _) = moved
        corner = np.array([left, top, left, top], np.float32)
        lost = boxes[~counts]
        nothing = np.concatenate([lost, uncounted])
        nothing = nothing[area(nothing) > 0]
        return Scene(pixels, boxes[counts] + corner, scene.classes[counts], nothing + corner)

    def _motion(
        self, scene: Scene, window: tuple[int, int], rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw `view = picture * scales + offsets`, each as (x, y)."""
        frame = np.array(scene.pixels.shape[1::-1], np.float64)
        room = np.array(window, np.float64)
        zoom = np.exp(rng.uniform(*np.log(_SCALES)))
        aspect = np.exp(rng.uniform(-1, 1) * np.log(_STRETCH) / 2)
        full = np.array(self._size[::-1], np.float64)
        scales = full / frame * zoom * np.array([aspect, 1 / aspect])
        slack = room - frame * scales  # below 0: the picture is larger than the window
        offsets = slack * rng.random(2) + room * _AWAY * rng.uniform(-1, 1, 2) * (slack < 0)
        turned = self._wishes.turn and rng.random() < 0.5  # noqa: PLR2004 (as likely as not)
        flipped = self._wishes.flip and rng.random() < 0.5  # noqa: PLR2004
        for axis, backwards in enumerate((turned != flipped, turned)):
            if backwards:
                offsets[axis] += frame[axis] * scales[axis]
                scales[axis] = -scales[axis]
        return scales, offsets


def _moved(
    boxes: Boxes,
    scales: NDArray[np.float64],
    offsets: NDArray[np.float64],
    size: tuple[int, int],
) -> tuple[Boxes, NDArray[np.bool_]]:
    """Take boxes into a view and cut them there.

    Returns:
        The boxes, and which of them still count as objects.
    """
    ends = boxes.reshape(-1, 2, 2) * scales + offsets
    whole = as_boxes(np.concatenate([ends.min(axis=1), ends.max(axis=1)], axis=1))
    inside = clip(whole, size)
    centres = (whole[:, :2] + whole[:, 2:]) / 2
    limits = np.array(size[::-1], np.float32)
    central = ((centres >= 0) & (centres < limits)).all(axis=1)
    return inside, central & (area(inside) >= _VISIBLE * area(whole)) & (area(inside) > 1)


def _developed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Give a picture another light, other colours, blur or noise."""
    gain = np.exp(rng.uniform(-0.35, 0.35)) * np.exp(rng.uniform(-0.12, 0.12, 3))
    middle = rng.uniform(90, 160)
    contrast = np.exp(rng.uniform(-0.35, 0.35))
    values = np.arange(256.0)[:, np.newaxis] * gain
    table = np.clip((values - middle) * contrast + middle, 0, 255).round().astype(np.uint8)
    pixels = opencv.look_up(pixels, table)
    chance = rng.random()
    if chance < 0.15:  # noqa: PLR2004 (one in seven)
        gray = pixels.mean(axis=2, keepdims=True)
        faded = pixels + (gray - pixels) * rng.uniform(0.3, 1.0)
        pixels = faded.astype(np.uint8)
    elif chance < 0.35:  # noqa: PLR2004 (one in five)
        pixels = opencv.blur(pixels, float(rng.uniform(0.4, 1.4)))
    elif chance < 0.5:  # noqa: PLR2004 (one in seven)
        grain = rng.normal(0, rng.uniform(2, 10), pixels.shape[:2])[..., np.newaxis]
        pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    return pixels

"""YOLO v8 and v11 cut before their decoding, as for accelerators: three maps of raw values.

Each map, of stride 8, 16 and 32, has 64 channels for the sides of a box and one a class, in
one output or in two, channels last or first. A side is the mean of 16 bins under a softmax,
in strides from the centre of its cell; scores are logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Detections, nms
from edgekit.data.scores import Spec
from edgekit.manifest import Preprocessing
from edgekit.vision.outputs.decoder import Decoder, Look, Outputs, Role, logit, sigmoid
from edgekit.vision.outputs.yolo import MOST, SAME, THRESHOLD, class_names

KIND = "yolov8-heads"
_STRIDES = (8, 16, 32)
_BINS = 16
_SIDES = 4 * _BINS


@dataclass(frozen=True, slots=True)
class _Map:
    """One output.

    Attributes:
        name: The output.
        stride: Pixels of the input from cell to cell.
        channels: How many values it has for each cell.
        first: Its channels come first.
    """

    name: str
    stride: int
    channels: int
    first: bool

    def cells(self, outputs: Outputs) -> NDArray[np.float32]:
        """Return its values, shape (cells, channels)."""
        values: NDArray[np.float32] = outputs[self.name][0]
        last = values.transpose(1, 2, 0) if self.first else values
        return last.reshape(-1, self.channels)


def open_heads(look: Look) -> Decoder | None:
    """Return the decoder of raw maps; None unless they have one channel a known label."""
    names = class_names(look.graph) if look.graph else ()
    carried = look.manifest.labels if look.manifest else ()
    classes = look.labels or len(names) or len(carried)
    maps = [_map_of(each, look.size) for each in look.outputs]
    levels = [
        sorted((each for each in maps if each and each.stride == stride), key=_boxes_first)
        for stride in _STRIDES
    ]
    wanted = ([_SIDES + classes], [_SIDES, classes])
    fits = all([each.channels for each in level] in wanted for level in levels)
    if not classes or not fits or sum(map(len, levels)) != len(look.outputs):
        return None
    roles = [_role(each, len(level)) for level in levels for each in level]
    return Decoder(
        kind=KIND,
        roles=tuple(roles),
        read=_Reader(tuple(map(tuple, levels)), _centres(look.size)),
        classes=classes,
        threshold=THRESHOLD,
        labels=names,
        preprocessing=Preprocessing(resize="letterbox"),
    )


def _map_of(spec: Spec, size: tuple[int, int]) -> _Map | None:
    """Tell the stride and the place of the channels of an output from its shape."""
    if len(spec.shape) != 4 or spec.shape[0] != 1:
        return None
    for stride in _STRIDES:
        grid = (-(-size[0] // stride), -(-size[1] // stride))
        if spec.shape[1:3] == grid:
            return _Map(spec.name, stride, spec.shape[3], first=False)
        if spec.shape[2:4] == grid:
            return _Map(spec.name, stride, spec.shape[1], first=True)
    return None


def _boxes_first(found: _Map) -> bool:
    return found.channels != _SIDES


def _role(found: _Map, together: int) -> Role:
    parts = {_SIDES: "boxes"}.get(found.channels, "scores")
    what = "boxes and scores" if together == 1 else parts
    return Role(found.name, f"{what} at stride {found.stride}", "shapes")


def _centres(size: tuple[int, int]) -> NDArray[np.float32]:
    """Return (x, y, stride) of every cell, in pixels, level by level."""
    found = []
    for stride in _STRIDES:
        rows, columns = (-(-length // stride) for length in size)
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        cells = np.stack([(x + 0.5) * stride, (y + 0.5) * stride, np.full_like(x, stride)], -1)
        found.append(cells.reshape(-1, 3))
    return np.concatenate(found).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Reads the outputs: sides only of cells that reach the threshold."""

    levels: Sequence[Sequence[_Map]]
    centres: NDArray[np.float32]

    def __call__(self, outputs: Outputs, threshold: float) -> Detections:
        whole = [
            np.concatenate([each.cells(outputs) for each in level], axis=1)
            for level in self.levels
        ]
        values = np.concatenate(whole)
        logits = values[:, _SIDES:]
        rows = np.flatnonzero(logits.max(axis=1) >= logit(threshold))
        classes = logits[rows].argmax(axis=1)
        bins = values[rows, :_SIDES].reshape(-1, 4, _BINS)
        weights = np.exp(bins - bins.max(axis=2, keepdims=True))
        sides = weights @ np.arange(_BINS, dtype=np.float32) / weights.sum(axis=2)
        cells = self.centres[rows]
        away = sides * cells[:, 2:]
        boxes = np.concatenate([cells[:, :2] - away[:, :2], cells[:, :2] + away[:, 2:]], axis=1)
        found = Detections(boxes, sigmoid(logits[rows, classes]), classes)
        return nms(found, SAME, limit=MOST)

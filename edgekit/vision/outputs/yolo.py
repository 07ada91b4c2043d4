"""YOLO heads that were decoded in the graph and not suppressed: v5, v8, v11, v10 and alike.

Layouts, with N cells over the strides 8, 16 and 32, or others that are usual:

* `yolov5`: (1, 3 N, 5 + classes), a row (x, y, width, height, objectness, classes ...).
* `yolov8`, also of v11: (1, 4 + classes, N), a column (x, y, width, height, classes ...);
  or the same turned, (1, N, 4 + classes).
* `yolox`: (1, N, 5 + classes), rows as those of v5.
* `yolov10`: (1, most, 6), a row (x_min, y_min, x_max, y_max, score, class): suppressed.

Places are pixels of the input or shares of it, depending on who exported the model; the
values of the first picture show which, as the cells cover the whole input. More columns
than classes belong to masks or points and are left alone.
"""

import ast
import json
import logging
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Boxes, Detections, nms
from edgekit.data.scores import Spec
from edgekit.errors import TargetError
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.metadata import associated_files
from edgekit.manifest import Preprocessing
from edgekit.vision.outputs.decoder import Decoder, How, Look, Outputs, Role

Kind = Literal["yolov5", "yolov8", "yolov10", "yolox"]
_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
_FEWEST = 20  # cells of an input that is large enough to find anything in
_SHARES = 2.0  # shares of the input stay below it, pixels do not
THRESHOLD = 0.25
SAME = 0.45  # overlap above which two boxes of a class are one object
MOST = 300
_MOST_FINISHED = 1000  # rows of boxes that were suppressed already
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one output is laid out.

    Attributes:
        kind: Its family.
        turned: Columns are boxes, rows are values.
        classes: How many classes it has; None where it gives their numbers.
    """

    kind: Kind
    turned: bool
    classes: int | None


def open_yolo(look: Look) -> Decoder | None:
    """Return the decoder of a YOLO model, told by the shape of its output.

    Raises:
        TargetError: The shape fits two families, and nothing says how many classes there are.
    """
    names = class_names(look.graph) if look.graph else ()
    carried = look.manifest.labels if look.manifest else ()
    count = look.labels or len(names) or len(carried)
    flat = [each for each in look.outputs if len(each.shape) == 3 and each.shape[0] == 1]
    if len(flat) != 1:
        return None
    layout = _layout(flat[0], look.size, count)
    if layout is None:
        return None
    how: How = "metadata" if names else "shapes"
    return Decoder(
        kind=layout.kind,
        roles=(Role(flat[0].name, "boxes and scores", how),),
        read=_Reader(flat[0].name, layout, look.size),
        classes=layout.classes,
        threshold=THRESHOLD,
        labels=names,
        preprocessing=Preprocessing(resize="letterbox"),
    )


def _layout(spec: Spec, size: tuple[int, int], classes: int) -> Layout | None:
    """Tell the family from the shape of an output.

    Args:
        spec: The output.
        size: Height and width of the model's input.
        classes: How many there are; 0 if nobody says it.

    Raises:
        TargetError: It fits two families.
    """
    for strides in _STRIDES:
        cells = sum(-(-size[0] // each) * -(-size[1] // each) for each in strides)
        layout = _of_cells(spec, cells, classes) if cells >= _FEWEST else None
        if layout is not None:
            return layout
    _, rows, columns = spec.shape
    if columns == 6 and rows <= _MOST_FINISHED:
        return Layout("yolov10", turned=False, classes=None)
    return None


def _of_cells(spec: Spec, cells: int, classes: int) -> Layout | None:
    """Tell the family of a model with so many cells; see `_layout`."""
    _, rows, columns = spec.shape
    turned = columns in {cells, 3 * cells}
    boxes, values = (columns, rows) if turned else (rows, columns)
    if boxes == 3 * cells and values > 5:
        return Layout("yolov5", turned, _fitting(classes, values - 5))
    if boxes != cells or values < 5:
        return None
    if turned or values == 5:
        return Layout("yolov8", turned, _fitting(classes, values - 4))
    if classes == values - 4:
        return Layout("yolov8", turned, classes)
    if classes == values - 5:
        return Layout("yolox", turned, classes)
    msg = (
        f"The output {spec.name} {list(spec.shape)} is that of a YOLO with {values - 4} "
        f"classes, or with {values - 5} and an objectness; found {classes or 'no'} labels.\n"
        "Give the names of the classes with --labels FILE, one a line."
    )
    raise TargetError(msg)


def _fitting(classes: int, columns: int) -> int:
    """Return how many columns are classes; those beyond known ones are masks or points."""
    return classes if 0 < classes < columns else columns


def class_names(graph: Graph) -> tuple[str, ...]:
    """Return the names of the classes in the dictionary that Ultralytics appends; else ()."""
    for content in associated_files(graph.file).values():
        if content.lstrip().startswith(b"{"):
            return _named(content)
    return ()


def _named(content: bytes) -> tuple[str, ...]:
    """Return `names` of a dictionary: a list, or texts by their numbers."""
    try:
        found = _parsed(content.decode())["names"]
        names = (
            [found[key] for key in sorted(found, key=int)] if isinstance(found, dict) else found
        )
        return tuple(str(each) for each in names) if isinstance(names, list) else ()
    except (KeyError, TypeError, ValueError, SyntaxError, RecursionError, MemoryError):
        return ()


def _parsed(text: str) -> Any:
    """Parse JSON, or the Python literal that earlier exports write."""
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text)


@dataclass(slots=True, eq=False)
class _Reader:
    """Reads the output; says once whether places are pixels or shares."""

    name: str
    layout: Layout
    size: tuple[int, int]
    _said: bool = field(default=False)

    def __call__(self, outputs: Outputs, threshold: float) -> Detections:
        values = outputs[self.name][0]
        if self.layout.turned:
            values = values.T
        if self.layout.kind == "yolov10":
            return self._suppressed(values, threshold)
        scores, rows, classes = self._scores(values, threshold)
        places = values[rows, :4]
        half = places[:, 2:] / 2
        boxes = np.concatenate([places[:, :2] - half, places[:, :2] + half], axis=1)
        unit = self._unit(values[:, :2])
        return nms(Detections(boxes * unit, scores, classes), SAME, limit=MOST)

    def _scores(
        self, values: NDArray[np.float32], threshold: float
    ) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
        """Return score, row and class of the best class of each box that reaches it."""
        first = 4 if self.layout.kind == "yolov8" else 5
        every = values[:, first : first + (self.layout.classes or 0)]
        if first == 4:
            best = every.max(axis=1)
            rows = np.flatnonzero(best >= threshold)
            return best[rows], rows, every[rows].argmax(axis=1)
        rows = np.flatnonzero(values[:, 4] >= threshold)
        each = every[rows] * values[rows, 4:5]
        best = each.max(axis=1)
        kept = np.flatnonzero(best >= threshold)
        return best[kept], rows[kept], each[kept].argmax(axis=1)

    def _suppressed(self, values: NDArray[np.float32], threshold: float) -> Detections:
        rows = np.flatnonzero(values[:, 4] >= threshold)
        if not rows.size:  # the rest may be zeros, which do not show their unit
            return Detections.none()
        boxes: Boxes = values[rows, :4] * self._unit(values[:, :4])
        classes = np.rint(np.nan_to_num(values[rows, 5])).clip(0, 2**31)
        return Detections(boxes, values[rows, 4], classes.astype(np.intp))

    def _unit(self, places: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what places are multiplied with to be pixels."""
        shares = bool(np.nanmax(np.abs(places), initial=0.0) < _SHARES)
        if not self._said:
            found = "shares of the input" if shares else "pixels of the input"
            _log.info("%s: boxes are in %s, as their values show.", self.layout.kind, found)
            self._said = True
        height, width = self.size if shares else (1, 1)
        return np.array([width, height] * 2, np.float32)

"""Boxes, labels and times, drawn onto a frame: for a saved film and for a window."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.data.opencv import Pixels
from edgekit.extras import need
from edgekit.preview import color_of

_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)
_USUAL_SIDE = 720  # shorter side of a frame on which letters and lines have their usual size
_SMALLEST, _LARGEST = 0.45, 4.0
_DRAWABLE = 2.0**15  # OpenCV counts pixels in 32 bits, some of them fractions


def draw(
    pixels: Pixels,
    detections: Sequence[Mapping[str, Any]],
    ms: Mapping[str, float] | None = None,
    labels: Sequence[str] = (),
    *,
    fps: float | None = None,
) -> None:
    """Draw onto a frame, in place, with the colours of the preview.

    Args:
        pixels: Shape (height, width, 3), blue first, contiguous.
        detections: Each with `label` and `score`, and where it is known `box` as
            (x_min, y_min, x_max, y_max) in pixels of the frame and `id`. Those without a
            box are listed at the left.
        ms: Milliseconds of each stage.
        labels: All labels, in the model's order; their colours stay far apart.
        fps: Frames per second.

    Raises:
        MissingExtra: OpenCV is not installed.
    """
    pen = _Pen(pixels)
    boxed = [each for each in detections if each.get("box") is not None]
    for each in boxed:
        pen.outline(each["box"], color_of(each["label"], labels)[::-1])
    for each in boxed:
        left, top = (float(side) for side in each["box"][:2])
        pen.tag(_caption(each), left, top, color_of(each["label"], labels)[::-1])
    listed = [each for each in detections if each.get("box") is None]
    for place, each in enumerate(listed, start=1):
        pen.tag(_caption(each), 0, place * pen.line, color_of(each["label"], labels)[::-1])
    if status := _status(ms or {}, fps):
        pen.tag(status, 0, pixels.shape[0], _BLACK, _WHITE)


def _caption(detection: Mapping[str, Any]) -> str:
    """Return what stands at a box.

    >>> _caption({"label": "ace", "score": 0.973, "id": 3})
    'ace #3  97 %'
    """
    number = f" #{detection['id']}" if detection.get("id") is not None else ""
    return f"{detection['label']}{number}  {100 * float(detection['score']):.0f} %"


def _status(ms: Mapping[str, float], fps: float | None) -> str:
    """Return the line at the lower edge.

    >>> _status({"capture": 3.14, "inference": 21.0}, 30.0)
    '30.0 fps  capture 3.1  inference 21.0 ms'
    """
    speed = [f"{fps:.1f} fps"] if fps is not None else []
    stages = [f"{stage} {value:.1f}" for stage, value in ms.items()]
    return "  ".join(speed + stages) + (" ms" if stages else "")


class _Pen:
    """Lines and letters in a size that suits the frame."""

    def __init__(self, pixels: Pixels) -> None:
        self._cv2: Any = need("cv2", "draw on frames")
        self._pixels = pixels
        self._height, self._width = pixels.shape[:2]
        self._scale = min(
            max(min(self._height, self._width) / _USUAL_SIDE, _SMALLEST), _LARGEST
        )
        self._letters = 0.7 * self._scale
        self._thick = max(round(2 * self._scale), 2)
        self.line = round(30 * self._scale)

    def outline(self, box: Sequence[float], color: tuple[int, ...]) -> None:
        """Draw a box, with a dark seam so that it shows on any ground."""
        sides = [round(min(max(float(side), -_DRAWABLE), _DRAWABLE)) for side in box]
        corners = (sides[0], sides[1]), (sides[2], sides[3])
        self._cv2.rectangle(self._pixels, *corners, _BLACK, self._thick + 2)
        self._cv2.rectangle(self._pixels, *corners, color, self._thick)

    def tag(
        self,
        text: str,
        left: float,
        bottom: float,
        ground: tuple[int, ...],
        ink: tuple[int, ...] = _BLACK,
    ) -> None:
        """Write a line on a ground of its own; moved where it would leave the frame."""
        plain = _plain(text)
        face, smooth = self._cv2.FONT_HERSHEY_SIMPLEX, self._cv2.LINE_AA
        thick = self._thick - 1
        letters = self._letters
        (wide, high), _ = self._cv2.getTextSize(plain, face, letters, thick)
        margin = self.line // 4
        if wide + 2 * margin > self._width:  # a small frame, a long line
            letters *= self._width / (wide + 2 * margin)
            wide = self._width - 2 * margin
        x = round(min(max(left, 0), max(self._width - wide - 2 * margin, 0)))
        y = round(min(max(bottom, self.line), max(self._height, self.line)))
        corner = (x + wide + 2 * margin, y)
        self._cv2.rectangle(self._pixels, (x, y - self.line), corner, ground, -1)
        base = (x + margin, y - (self.line - high) // 2)
        self._cv2.putText(self._pixels, plain, base, face, letters, ink, thick, smooth)


def _plain(text: str) -> str:
    """Return the text in the letters that OpenCV has.

    >>> _plain("Dame é #3")
    'Dame e #3'
    """
    parts = unicodedata.normalize("NFKD", text)
    kept = "".join(each for each in parts if not unicodedata.combining(each))
    return kept.encode("ascii", "replace").decode()

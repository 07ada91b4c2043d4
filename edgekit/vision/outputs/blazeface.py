"""BlazeFace, the face detectors of MediaPipe: box, six points and one score an anchor.

An anchor has no size of its own: a box is coded as (x, y, width, height) in pixels of the
input, its centre seen from the centre of the anchor's cell. Boxes of one face are blended,
weighted by their scores, which keeps them calm from frame to frame.

Source:
    https://github.com/google-ai-edge/mediapipe, modules/face_detection
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Detections, as_boxes, iou
from edgekit.manifest import Preprocessing
from edgekit.vision.outputs.decoder import Decoder, Look, Outputs, Role, logit, sigmoid

KIND = "blazeface"
_VALUES = 16  # a box and six points
_SAME = 0.3  # overlap above which two boxes are one face
# Number of anchors -> (cells a side, anchors in each) of every feature map.
_GRIDS: Mapping[int, tuple[tuple[int, int], ...]] = {
    896: ((16, 2), (8, 6)),  # front and short range at 128, back at 256
    2304: ((48, 1),),  # full range at 192
}


def open_blazeface(look: Look) -> Decoder | None:
    """Return the decoder of a face detector, told by the shapes of its two outputs."""
    if len(look.outputs) != 2 or look.size[0] != look.size[1]:
        return None
    for count, grids in _GRIDS.items():
        names = {each.shape: each.name for each in look.outputs}
        boxes, scores = names.get((1, count, _VALUES)), names.get((1, count, 1))
        if boxes is not None and scores is not None:
            return Decoder(
                kind=KIND,
                roles=(Role(boxes, "boxes", "shapes"), Role(scores, "scores", "shapes")),
                read=_Reader(_centres(grids) * look.size[0], boxes, scores),
                classes=1,
                labels=("face",),
                preprocessing=Preprocessing.from_range(-1, 1, resize="letterbox"),
            )
    return None


def _centres(grids: tuple[tuple[int, int], ...]) -> NDArray[np.float32]:
    """Return the centres of all anchors, shape (A, 2) as (x, y), in shares of the input."""
    found = []
    for side, each in grids:
        y, x = np.divmod(np.arange(side * side).repeat(each), side)
        found.append((np.stack([x, y], axis=1) + 0.5) / side)
    return np.concatenate(found).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Reads the outputs."""

    centres: NDArray[np.float32]
    boxes: str
    scores: str

    def __call__(self, outputs: Outputs, threshold: float) -> Detections:
        logits = outputs[self.scores].reshape(-1)
        chosen = np.flatnonzero(logits >= logit(threshold))
        values = outputs[self.boxes][0][chosen]
        middle = values[:, :2] + self.centres[chosen]
        half = values[:, 2:4] / 2
        boxes = np.concatenate([middle - half, middle + half], axis=1)
        return blend(Detections(boxes, sigmoid(logits[chosen]), np.zeros(len(chosen), np.intp)))


def blend(found: Detections, same: float = _SAME) -> Detections:
    """Replace boxes of one face by their mean, weighted by their scores.

    From the highest score on, all that overlap a box are one face; it has their highest
    score.

    Args:
        found: Boxes of one class.
        same: Overlap above which two boxes are one face.
    """
    left = np.arange(len(found))
    boxes, best = [], []
    while left.size:
        overlaps = iou(found.boxes[left[:1]], found.boxes[left])[0]
        group = overlaps > same
        group[0] = True
        weights = found.scores[left[group]]
        boxes.append(weights @ found.boxes[left[group]] / weights.sum())
        best.append(left[0])
        left = left[~group]
    return found.take(np.array(best, np.intp)).moved(as_boxes(boxes))

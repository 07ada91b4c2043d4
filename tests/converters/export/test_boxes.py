"""A detector that decodes inside its graph finds what edgekit decodes from its heads."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import phone
import pytest
import tiny_detectors as tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.artifact import read_manifest, write_manifest
from edgekit.data.boxes import Detections
from edgekit.data.preprocess import Placing
from edgekit.errors import TargetError
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.metadata import output_contents, read_standard_metadata
from edgekit.manifest import Manifest, Output, Preprocessing
from edgekit.vision.detector import open_detector
from edgekit_converters.export.boxes import with_boxes

pytest.importorskip("cv2")

SIZE = (32, 64)
LEVELS: list[dict[str, Any]] = [
    {"stride": 16, "sizes": [[20.0, 12.0], [10.0, 10.0]]},
    {"stride": 32, "sizes": [[30.0, 24.0]]},
]
ANCHORS = 2 * 4 * 2 + 1 * 2
CLASSES = 3
PHONE = ("location", "category", "score", "number of detections")


def manifest(**decoding: Any) -> Manifest:
    return Manifest(
        name="drawn by lot",
        task="detect",
        labels=("a", "b", "c"),
        preprocessing=Preprocessing(),
        outputs=(Output(name="boxes", role="boxes"), Output(name="scores", role="scores")),
        decoding={"kind": "ssd", "levels": LEVELS, "threshold": 0.3, **decoding},
    )


def drawn(seed: int, *, background: bool = False) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    columns = CLASSES + background
    return {
        "boxes": rng.normal(0, 2, (1, ANCHORS, 4)).astype(np.float32),
        "scores": rng.normal(-1, 2, (1, ANCHORS, columns)).astype(np.float32),
    }


def found_by(model: bytes, folder: Path) -> Detections:
    path = folder / "model.tflite"
    path.write_bytes(model)
    detector = open_detector(path, probe=False)
    black = np.zeros((*SIZE, 3), np.uint8)
    prepared, _ = detector.prepare(black, "rgb")
    whole = Placing(1.0, 1.0, 0.0, 0.0, SIZE)
    return detector.finish(detector.infer(prepared), whole)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    background=st.booleans(),
    iou=st.sampled_from([0.3, 0.5, 0.7]),
    most=st.sampled_from([2, 20]),
)
def test_both_give_the_same_boxes(
    tmp_path: Path, seed: int, background: bool, iou: float, most: int
) -> None:
    coding = {"background": background, "iou": iou, "max_detections": most}
    outputs = drawn(seed, background=background)
    raw = write_manifest(tiny.fixed(outputs, SIZE), manifest(**coding))
    one, other = found_by(raw, tmp_path), found_by(with_boxes(raw), tmp_path)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
    np.testing.assert_array_equal(one.classes, other.classes)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)


def test_probabilities_are_taken_as_they_are(tmp_path: Path) -> None:
    outputs = drawn(3)
    outputs["scores"] = (1 / (1 + np.exp(-outputs["scores"]))).astype(np.float32)
    raw = write_manifest(tiny.fixed(outputs, SIZE), manifest(score="none"))
    one, other = found_by(raw, tmp_path), found_by(with_boxes(raw), tmp_path)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-6)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-2)


def test_the_file_says_what_its_outputs_are(tmp_path: Path) -> None:
    path = tmp_path / "boxes.tflite"
    raw = write_manifest(tiny.fixed(drawn(1), SIZE), manifest())
    path.write_bytes(with_boxes(raw))
    told = read_manifest(path)
    assert told is not None
    assert told.labels == ("a", "b", "c")
    assert [each.role for each in told.outputs] == ["boxes", "classes", "scores", "count"]
    assert told.decoding == {"kind": "postprocess", "threshold": 0.3}
    assert [each.name for each in Graph(path).outputs] == [
        "boxes",
        "classes",
        "scores",
        "count",
    ]
    detector = open_detector(path, probe=False)
    assert detector.decoder.kind == "postprocess"
    assert detector.decoder.classes == CLASSES
    assert detector.threshold == 0.3


def test_phones_are_told_which_output_is_which() -> None:
    raw = write_manifest(tiny.fixed(drawn(1), SIZE), manifest())
    graph = Graph(with_boxes(raw))
    said = read_standard_metadata(graph)
    assert said.boxes
    assert said.labels == ("a", "b", "c")
    assert said.labels_output == 1
    contents = output_contents(graph)
    assert [each.name for each in contents] == list(PHONE)
    assert contents[0].box_order == (1, 0, 3, 2)
    assert not contents[0].box_pixels


def test_mediapipe_finds_the_same(tmp_path: Path) -> None:
    raw = write_manifest(tiny.fixed(drawn(1), SIZE), manifest())
    expected = found_by(raw, tmp_path)
    path = tmp_path / "boxes.tflite"
    path.write_bytes(with_boxes(raw))
    picture = tmp_path / "black.ppm"
    picture.write_bytes(tiny.spot_picture({}, SIZE))
    found = phone.detect(path, picture, 0.3)
    assert [each[0] for each in found] == ["abc"[number] for number in expected.classes]
    np.testing.assert_allclose([each[1] for each in found], expected.scores, atol=1e-5)
    corners = np.array([(x, y, x + wide, y + high) for _, _, x, y, wide, high in found])
    # Theirs are whole numbers, and those that reach beyond the upper left keep their size.
    inside = expected.boxes[:, :2].min(axis=1) > 0
    np.testing.assert_allclose(corners[:, :2], expected.boxes[:, :2], atol=2)
    np.testing.assert_allclose(corners[inside], expected.boxes[inside], atol=2)


def test_a_model_without_raw_heads_is_refused() -> None:
    nothing = tiny.fixed(drawn(1), SIZE)
    with pytest.raises(TargetError, match="no detector with raw SSD heads"):
        with_boxes(nothing)


def test_an_output_that_nobody_named_is_refused() -> None:
    nameless = dataclasses.replace(manifest(), outputs=())
    with pytest.raises(TargetError, match="names no output"):
        with_boxes(write_manifest(tiny.fixed(drawn(1), SIZE), nameless))


def test_integer_heads_are_refused() -> None:
    outputs = {name: each.astype(np.int8) for name, each in drawn(1).items()}
    steps = dict.fromkeys(outputs, (0.1, 0))
    model = write_manifest(tiny.fixed(outputs, SIZE, steps=steps), manifest())
    with pytest.raises(TargetError, match="is int8"):
        with_boxes(model)

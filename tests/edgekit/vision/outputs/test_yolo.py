"""YOLO heads of every layout give the boxes that were put into them."""

import io
import json
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_detectors as tiny
from numpy.typing import NDArray

from edgekit.data.boxes import Detections
from edgekit.errors import TargetError
from edgekit.flatbuffer.metadata import STANDARD, write_metadata
from edgekit.flatbuffer.tables import Table, pack
from edgekit.manifest import Manifest
from edgekit.runtime import TensorSpec
from edgekit.vision.detector import open_detector
from edgekit.vision.outputs.decoder import Decoder
from edgekit.vision.outputs.find import open_decoder

SIZE = (64, 96)  # height, width
CELLS = 8 * 12 + 4 * 6 + 2 * 3
CLASSES = 3
# (x, y, width, height) in pixels, class, score
OBJECTS = [((20, 30, 10, 20), 2, 0.9), ((70, 40, 30, 30), 0, 0.6), ((21, 30, 10, 20), 2, 0.5)]
CORNERS = [[15, 20, 25, 40], [55, 25, 85, 55]]  # of the two that remain


def rows(count: int, *, objectness: bool, shares: bool) -> NDArray[np.float32]:
    """Return predictions that lie all over the picture, of which some are objects."""
    rng = np.random.default_rng(5)
    height, width = SIZE
    places = rng.uniform([0, 0, 4, 4], [width, height, 40, 40], (count, 4))
    first = 5 if objectness else 4
    values = np.zeros((count, first + CLASSES), np.float32)
    values[:, :4] = places
    values[:, first:] = 0.01
    for number, (box, kind, score) in enumerate(OBJECTS):
        values[10 * number, :4] = box
        values[10 * number, first + kind] = score if not objectness else score / 0.95
        if objectness:
            values[10 * number, 4] = 0.95
    if shares:
        values[:, :4] /= [width, height, width, height]
    return values


def layout(kind: str, *, shares: bool) -> NDArray[np.float32]:
    """Return the output of a family, with the batch."""
    count = 3 * CELLS if kind == "yolov5" else CELLS
    values = rows(count, objectness=kind in {"yolov5", "yolox"}, shares=shares)
    return (values.T if kind == "yolov8" else values)[np.newaxis]


def opened(values: NDArray[Any], labels: int = 0, manifest: Manifest | None = None) -> Decoder:
    return open_decoder(
        [TensorSpec("y", values.shape, "float32")], SIZE, manifest, labels=labels
    )


LAYOUTS = ["yolov5", "yolov8", "yolov8-turned", "yolox"]


@pytest.mark.parametrize("shares", [False, True], ids=["pixels", "shares"])
@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_layout_gives_its_boxes_in_pixels(kind: str, shares: bool) -> None:
    if kind == "yolov8-turned":
        values = rows(CELLS, objectness=False, shares=shares)[np.newaxis]
    else:
        values = layout(kind, shares=shares)
    decoder = opened(values, labels=CLASSES)
    found = decoder.decode({"y": values})
    assert decoder.kind == kind.partition("-")[0]
    assert decoder.classes == CLASSES
    np.testing.assert_allclose(found.boxes, CORNERS, atol=1e-3)
    assert found.classes.tolist() == [2, 0]
    assert found.scores.tolist() == pytest.approx([0.9, 0.6], abs=1e-3)
    assert len(decoder.decode({"y": values}, threshold=0.7)) == 1


@pytest.mark.parametrize("shares", [False, True], ids=["pixels", "shares"])
def test_finished_boxes_are_taken_as_they_are(shares: bool) -> None:
    values = np.zeros((1, 300, 6), np.float32)
    values[0, :2] = [[*CORNERS[0], 0.9, 2], [*CORNERS[1], 0.6, 0]]
    if shares:
        values[..., :4] /= [96, 64, 96, 64]
    decoder = opened(values)
    found = decoder.decode({"y": values})
    assert decoder.kind == "yolov10"
    np.testing.assert_allclose(found.boxes, CORNERS, atol=1e-3)
    assert found.classes.tolist() == [2, 0]


def test_columns_beyond_the_classes_belong_to_masks() -> None:
    values = layout("yolov8", shares=True)
    masks = np.full((1, 32, CELLS), 7, np.float32)
    whole = np.concatenate([values, masks], axis=1)
    found = opened(whole, labels=CLASSES).decode({"y": whole})
    assert found.classes.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("shape", "kind", "classes"),
    [
        pytest.param((1, 84, 8400), "yolov8", 80, id="v8 at 640"),
        pytest.param((1, 25200, 85), "yolov5", 80, id="v5 at 640"),
        pytest.param((1, 5, 8400), "yolov8", 1, id="one class"),
        pytest.param((1, 8400, 5), "yolov8", 1, id="one class, turned"),
        pytest.param((1, 25200, 6), "yolov5", 1, id="one class of v5"),
        pytest.param((1, 84, 34000), "yolov8", 80, id="from stride 4"),
        pytest.param((1, 25500, 85), "yolov5", 80, id="to stride 64"),
        pytest.param((1, 300, 6), "yolov10", None, id="suppressed"),
    ],
)
def test_shapes_of_published_models(
    shape: tuple[int, ...], kind: str, classes: int | None
) -> None:
    decoder = open_decoder([TensorSpec("y", shape, "float32")], (640, 640))
    assert (decoder.kind, decoder.classes) == (kind, classes)
    decoder.decode({"y": np.zeros(shape, np.float32)})


def test_the_role_is_inferred_and_said() -> None:
    (role,) = opened(layout("yolov8", shares=True)).roles
    assert str(role) == "y holds boxes and scores (inferred from the shapes)"


def test_what_places_are_measured_in_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edgekit")
    values = layout("yolov8", shares=True)
    decoder = opened(values)
    for _ in range(2):
        decoder.decode({"y": values})
    assert caplog.text.count("yolov8: boxes are in shares of the input") == 1


@pytest.mark.parametrize(("labels", "kind"), [(CLASSES + 1, "yolov8"), (CLASSES, "yolox")])
def test_labels_tell_families_of_one_shape_apart(labels: int, kind: str) -> None:
    values = layout("yolox", shares=False)
    assert opened(values, labels).kind == kind
    carried = Manifest(labels=tuple("abcd"[:labels]))
    assert opened(values, manifest=carried).kind == kind


def test_a_shape_of_two_families_is_not_guessed() -> None:
    with pytest.raises(
        TargetError, match="4 classes, or with 3 and an objectness; found no lab"
    ):
        opened(layout("yolox", shares=False))


@pytest.mark.parametrize("shape", [(1, 4, CELLS), (1, 7, CELLS + 1), (1, CELLS), (7, CELLS)])
def test_other_shapes_are_none_of_these(shape: tuple[int, ...]) -> None:
    with pytest.raises(TargetError, match="no outputs of a detector"):
        opened(np.zeros(shape, np.float32))


def test_numbers_that_are_none_do_no_harm() -> None:
    for kind in ("yolov5", "yolov8"):
        values = layout(kind, shares=False)
        values[0, :, ::7] = np.nan
        opened(values).decode({"y": values})


def with_names(model: bytes, name: str, content: str) -> bytes:
    stream = io.BytesIO(model)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


NAMES = {"0": "cat", "1": "dog", "2": "owl"}
FILES = [
    pytest.param("metadata.json", json.dumps({"names": NAMES, "task": "detect"}), id="json"),
    pytest.param("temp_meta.txt", str({"names": {0: "cat", 1: "dog", 2: "owl"}}), id="literal"),
    pytest.param("meta.txt", str({"stride": 32, "names": ["cat", "dog", "owl"]}), id="v5"),
]


def detections(path: Path) -> tuple[Any, Detections]:
    detector = open_detector(path, probe=False)
    return detector, detector(np.zeros((*SIZE, 3), np.uint8))


@pytest.mark.parametrize(("name", "content"), FILES)
def test_names_of_the_classes_are_read_from_what_is_appended(
    name: str, content: str, tmp_path: Path
) -> None:
    pytest.importorskip("cv2")
    path = tmp_path / "m.tflite"
    model = tiny.fixed({"y": layout("yolov8", shares=True)}, SIZE)
    path.write_bytes(with_names(model, name, content))
    detector, found = detections(path)
    assert [each.label for each in detector.describe(found)] == ["owl", "cat"]
    assert detector.decoder.roles[0].how == "metadata"
    assert detector.preprocessing.resize == "letterbox"


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"names": 7}', '{"names": {"a": 1}}', "(" * 5000]
)
def test_damaged_names_are_none(content: str, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    path = tmp_path / "m.tflite"
    model = tiny.fixed({"y": layout("yolov8", shares=True)}, SIZE)
    path.write_bytes(with_names(model, "metadata.json", content))
    assert detections(path)[0].labels == ()


@pytest.mark.parametrize("kind", ["yolov5", "yolov8"])
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_quantized_outputs_give_the_same_within_a_step(
    kind: str, dtype: str, tmp_path: Path
) -> None:
    pytest.importorskip("cv2")
    step, zero = 1 / 200, {"int8": -128, "uint8": 0}[dtype]
    values = layout(kind, shares=True)
    integers = (np.rint(values / step) + zero).clip(zero, zero + 255).astype(dtype)
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.fixed({"y": integers}, SIZE, steps={"y": (step, zero)}))
    _, found = detections(path)
    np.testing.assert_allclose(found.boxes, CORNERS, atol=96 * step)
    assert found.classes.tolist() == [2, 0]


def test_an_input_with_its_channels_in_front_is_fed_so(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    path = tmp_path / "m.tflite"
    outputs = {"y": layout("yolov8", shares=False)}
    path.write_bytes(tiny.fixed(outputs, SIZE, channels_first=True))
    detector, found = detections(path)
    assert detector.input_size == SIZE
    np.testing.assert_allclose(found.boxes, CORNERS, atol=1e-3)


@pytest.mark.parametrize("listed", [False, True])
def test_a_dictionary_that_is_listed_as_labels_is_none_of_them(
    listed: bool, tmp_path: Path
) -> None:
    pytest.importorskip("cv2")
    content = str({"description": "m", "names": {0: "cat", 1: "dog", 2: "owl"}}).encode()
    files = [Table("AssociatedFile", name="temp_meta.txt", type=2)] if listed else []
    output = Table("TensorMetadata", name="output", associated_files=files)
    root = Table(
        "ModelMetadata",
        subgraph_metadata=[Table("SubGraphMetadata", output_tensor_metadata=[output])],
    )
    model = tiny.fixed({"y": layout("yolov8", shares=True)}, SIZE)
    buffers = {STANDARD: pack(root, b"M001")}
    path = tmp_path / "m.tflite"
    path.write_bytes(write_metadata(model, buffers, {"temp_meta.txt": content}))
    assert detections(path)[0].labels == ("cat", "dog", "owl")

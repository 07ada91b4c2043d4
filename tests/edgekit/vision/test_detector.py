"""A detector finds what is there, stage by stage, in pixels of the frame."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_detectors as tiny

from edgekit.artifact import write_manifest
from edgekit.data.images import decode_image, read_image
from edgekit.data.opencv import Pixels
from edgekit.errors import InputError, TargetError, UsageError
from edgekit.manifest import Manifest, Overrides, Preprocessing
from edgekit.vision.detector import choose_labels, open_detector
from edgekit.vision.outputs.decoder import Decoder, Outputs

pytest.importorskip("cv2")
PICTURE = {(0, 0): "red", (1, 2): "blue"}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_spots(tmp_path / "spots.tflite")


def pixels(scale: int = 1) -> Pixels:
    return decode_image(tiny.spot_picture(PICTURE, scale=scale), "picture")


def test_spots_are_found_in_pixels_of_the_frame(model: Path) -> None:
    detector = open_detector(model, probe=False)
    found = {each.label: each for each in detector.describe(detector(pixels(scale=10)))}
    assert found["red"].box == pytest.approx((0, 0, 80, 80))
    assert found["blue"].box == pytest.approx((160, 80, 240, 160))
    assert found["blue"].score == pytest.approx(0.982, abs=1e-3)
    assert detector.input_size == (16, 24)
    assert detector.labels == tiny.LABELS


def test_stages_run_apart_give_the_same(model: Path) -> None:
    detector = open_detector(model, probe=False)
    prepared, placing = detector.prepare(pixels())
    found = detector.finish(detector.infer(prepared), placing)
    np.testing.assert_array_equal(found.boxes, detector(pixels()).boxes)
    assert prepared.shape == (1, 16, 24, 3)


def test_the_order_of_colours_is_that_of_the_frame(model: Path) -> None:
    detector = open_detector(model, probe=False)
    swapped = np.ascontiguousarray(pixels()[..., ::-1])
    one, other = detector(pixels(), "rgb"), detector(swapped, "bgr")
    np.testing.assert_array_equal(one.classes, other.classes)
    assert [detector.label(each) for each in detector(swapped, "rgb").classes] != [
        detector.label(each) for each in one.classes
    ]


def test_a_threshold_is_the_models_unless_asked_otherwise(model: Path) -> None:
    assert open_detector(model, probe=False).threshold == 0.5
    strict = open_detector(model, probe=False, threshold=0.99)
    assert len(strict(pixels())) == 0
    prepared, placing = strict.prepare(pixels())
    assert len(strict.finish(strict.infer(prepared), placing, threshold=0.5)) == 2


@pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
def test_boxes_come_back_to_a_frame_of_another_shape(resize: str, model: Path) -> None:
    overrides = Overrides(resize=resize)  # type: ignore[arg-type] # one of three
    detector = open_detector(model, probe=False, overrides=overrides)
    frame = np.zeros((240, 240, 3), np.uint8)
    frame[..., 0] = 255
    found = detector(frame)
    assert len(found) > 0
    assert (found.boxes >= 0).all()
    assert (found.boxes <= 240).all()
    middle = found.boxes.min(axis=0)[:2], found.boxes.max(axis=0)[2:]
    np.testing.assert_allclose(middle[0] + middle[1], [240, 240], atol=2)


def test_roles_that_only_shapes_tell_are_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outputs = {
        "second": np.full((1, 6, 2), -9, np.float32),
        "first": np.zeros((1, 6, 4), np.float32),
    }
    manifest = replace(tiny.spots_manifest(("a", "b")), outputs=())
    path = tmp_path / "m.tflite"
    path.write_bytes(write_manifest(tiny.fixed(outputs, (16, 24)), manifest))
    open_detector(path, probe=False)
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert "m.tflite: first holds boxes (inferred from the shapes) (ssd)." in warnings


def test_a_model_without_boxes_is_refused_with_what_was_found(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.fixed({"scores": np.zeros((1, 5), np.float32)}))
    with pytest.raises(
        TargetError, match=r"no outputs of a detector.*found:\n  scores \[1, 5\]"
    ):
        open_detector(path, probe=False)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_text("no")
    with pytest.raises(InputError):
        open_detector(tmp_path / "m.tflite")


def read_nothing(_: Outputs, __: float) -> None:
    raise NotImplementedError


def decoder(classes: int | None, labels: tuple[str, ...] = ()) -> Decoder:
    return Decoder(kind="t", roles=(), read=read_nothing, classes=classes, labels=labels)  # type: ignore[arg-type] # never read


LABELS = [
    pytest.param(2, ("a", "b"), None, ("a", "b"), id="carried"),
    pytest.param(2, ("a", "b"), ("x", "y"), ("x", "y"), id="given"),
    pytest.param(2, ("???", "a", "b"), None, ("a", "b"), id="background in front"),
    pytest.param(2, (), ("background", "x", "y"), ("x", "y"), id="given background"),
    pytest.param(None, ("a", "b"), ("x",), ("x",), id="unknown count"),
    pytest.param(2, (), None, (), id="none"),
]


@pytest.mark.parametrize(("classes", "carried", "given", "chosen"), LABELS)
def test_labels_are_those_given_else_those_carried(
    classes: int | None,
    carried: tuple[str, ...],
    given: tuple[str, ...] | None,
    chosen: tuple[str, ...],
) -> None:
    manifest = Manifest(labels=carried)
    assert choose_labels(decoder(classes), manifest, given, "m.tflite") == chosen


def test_labels_that_do_not_match_the_outputs_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(UsageError, match=r"1 labels were given, and m\.tflite finds 2 classes"):
        choose_labels(decoder(2), None, ["a"], "m.tflite")
    assert choose_labels(decoder(2), Manifest(labels=("a",)), None, "m.tflite") == ()
    assert "m.tflite carries 1 labels and finds 2 classes" in caplog.text


def test_labels_in_the_file_serve_where_the_manifest_has_none() -> None:
    assert choose_labels(decoder(1, ("dog",)), Manifest(), None, "m.tflite") == ("dog",)


@pytest.mark.data
def test_the_coco_detector_of_others_finds_its_cats_and_its_dog(data_dir: Path) -> None:
    folder = data_dir / "models/tflite/tflite_support/cc/test/testdata/task/vision"
    detector = open_detector(folder / "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite")
    found = detector.describe(detector(read_image(folder / "cats_and_dogs.jpg")))
    assert [each.label for each in found] == ["cat", "cat", "cat", "dog"]
    # What the library that the file comes from expects there, in left, top, width, height.
    expected = [
        (54, 396, 393, 196),
        (602, 157, 394, 447),
        (261, 394, 179, 209),
        (389, 197, 276, 409),
    ]
    scores = [0.64453125, 0.59765625, 0.5625, 0.51171875]
    assert [each.score for each in found] == pytest.approx(scores, abs=0.01)
    for each, (left, top, width, height) in zip(found, expected, strict=True):
        corners = (left, top, left + width, min(top + height, 600))
        assert each.box == pytest.approx(corners, abs=8)


def test_preprocessing_is_the_manifests(model: Path) -> None:
    assert open_detector(model, probe=False).preprocessing == Preprocessing()

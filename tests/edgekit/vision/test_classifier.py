"""Pictures in, classes out; the same as `edgekit run` says."""

from pathlib import Path

import numpy as np
import pytest
from tiny_models import COLORS, dense, write_colors

from edgekit.errors import InputError, TargetError, UsageError
from edgekit.manifest import Manifest, Output
from edgekit.vision.classifier import open_classifier

pytest.importorskip("cv2")

LABELS = tuple(COLORS)


def flat(
    color: str, size: tuple[int, int] = (30, 50)
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a picture of one colour, red first."""
    return np.full((*size, 3), COLORS[color], np.uint8)


@pytest.mark.parametrize("quantized", [False, True], ids=["float", "int8"])
@pytest.mark.parametrize("color", LABELS)
def test_the_colour_of_a_picture_is_told_in_any_order(
    tmp_path: Path, color: str, quantized: bool
) -> None:
    path = write_colors(tmp_path / "colors.tflite", quantized=quantized)
    classifier = open_classifier(path, labels=LABELS, probe=False)
    rgb = flat(color)
    for order, pixels in (("rgb", rgb), ("bgr", np.ascontiguousarray(rgb[..., ::-1]))):
        found = classifier(pixels, order)  # type: ignore[arg-type] # one of the two
        assert classifier.labels[found.classes[0]] == color
        assert found.scores[0] == pytest.approx(1, abs=0.01)
        assert found.boxes.tolist() == [[0, 0, 50, 30]] * 3


def test_stages_run_apart_give_the_same(tmp_path: Path) -> None:
    classifier = open_classifier(write_colors(tmp_path / "colors.tflite"), probe=False)
    prepared, placing = classifier.prepare(flat("red"), "rgb")
    apart = classifier.finish(classifier.infer(prepared), placing)
    assert apart.classes.tolist() == classifier(flat("red")).classes.tolist() == [2, 0, 1]


def test_logits_become_probabilities(tmp_path: Path) -> None:
    manifest = Manifest(task="classify", outputs=(Output(name="scores", role="logits"),))
    path = write_colors(tmp_path / "colors.tflite", manifest=manifest)
    scores = open_classifier(path, probe=False)(flat("red")).scores
    assert scores.sum() == pytest.approx(1)
    assert scores[0] == pytest.approx(np.e / (np.e + 2))


def test_labels_are_the_models_unless_others_are_given(tmp_path: Path) -> None:
    manifest = Manifest(task="classify", labels=LABELS)
    path = write_colors(tmp_path / "colors.tflite", manifest=manifest)
    assert open_classifier(path, probe=False).labels == LABELS
    assert open_classifier(path, labels=("b", "g", "r"), probe=False).labels == ("b", "g", "r")


def test_labels_that_do_not_match_the_outputs_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_colors(tmp_path / "colors.tflite")
    with pytest.raises(UsageError, match=r"2 labels were given, and colors\.tflite has 3"):
        open_classifier(path, labels=("a", "b"), probe=False)
    carried = write_colors(tmp_path / "c.tflite", manifest=Manifest(labels=("a", "b")))
    assert open_classifier(carried, probe=False).labels == ()
    assert "carries 2 labels and has 3 classes" in caplog.text


def test_at_most_five_classes_are_told(tmp_path: Path) -> None:
    content = dense(np.eye(9, 48, dtype=np.float32), (1, 4, 4, 3))
    (tmp_path / "nine.tflite").write_bytes(content)
    found = open_classifier(tmp_path / "nine.tflite", probe=False)(flat("red"))
    assert len(found) == 5
    assert found.classes.tolist() == [0, 3, 6, 1, 2]  # a tie goes to the lowest


def test_a_model_without_class_scores_is_refused(tmp_path: Path) -> None:
    manifest = Manifest(outputs=(Output(name="scores", role="boxes"),))
    path = write_colors(tmp_path / "boxes.tflite", manifest=manifest)
    with pytest.raises(TargetError, match=r"no output with one score .* scores \[1, 3\]"):
        open_classifier(path, probe=False)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(b"no model")
    with pytest.raises(InputError):
        open_classifier(tmp_path / "x.tflite")

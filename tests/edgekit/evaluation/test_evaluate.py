"""Evaluation of tiny models whose right answer is known, and of real ones."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny

from edgekit.errors import InputError, UnknownName, UsageError
from edgekit.evaluation.evaluate import evaluate
from edgekit.manifest import Manifest, Output, Overrides, Preprocessing, Source
from edgekit.measure import sha256

LABELS = ("blue", "green", "red")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_colors(tmp_path / "colors.tflite")


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    return tiny.write_arrays(tmp_path / "colors.npz")


@pytest.mark.parametrize("quantized", [False, True])
def test_a_model_that_is_always_right_has_accuracy_one(
    tmp_path: Path, arrays: Path, quantized: bool
) -> None:
    model = tiny.write_colors(tmp_path / "m.tflite", quantized=quantized)
    found = evaluate(model, arrays, labels=LABELS)
    assert (found.metric, found.value, found.samples) == ("accuracy", 1.0, 12)
    assert found.per_class == dict.fromkeys(LABELS, 1.0)


def test_pictures_give_what_the_same_arrays_give(tmp_path: Path, model: Path) -> None:
    pytest.importorskip("cv2")
    found = evaluate(model, tiny.write_pictures(tmp_path / "photos"))
    assert (found.value, found.samples, found.skipped) == (1.0, 12, 0)
    assert list(found.per_class) == list(LABELS)
    assert found.preprocessing is not None
    assert "0..1" in found.preprocessing


def test_labels_of_the_model_match_folders_by_name_not_by_order(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    wrong_order = Manifest(labels=("red", "green", "blue"), preprocessing=Preprocessing())
    model = tiny.write_colors(tmp_path / "m.tflite", manifest=wrong_order)
    found = evaluate(model, tiny.write_pictures(tmp_path / "photos"))
    assert found.per_class == {"red": 0.0, "green": 1.0, "blue": 0.0}


def test_the_manifest_says_which_of_the_outputs_holds_no_scores(
    tmp_path: Path, arrays: Path
) -> None:
    manifest = Manifest(outputs=(Output(name="scores", role="values"),))
    model = tiny.write_colors(tmp_path / "m.tflite", manifest=manifest)
    with pytest.raises(UsageError, match="one score for each class"):
        evaluate(model, arrays, metric="accuracy")


def test_a_limit_takes_samples_of_every_class(model: Path, arrays: Path) -> None:
    found = evaluate(model, arrays, limit=6)
    assert found.samples == 6
    assert len(found.per_class) == 3


def test_noise_is_measured_against_a_reference(tmp_path: Path, model: Path) -> None:
    quantized = tiny.write_colors(tmp_path / "q.tflite", quantized=True)
    samples = np.random.default_rng(0).random((20, 4, 4, 3), np.float32)
    np.save(tmp_path / "x.npy", samples)
    found = evaluate(quantized, tmp_path / "x.npy", metric="sqnr_db", reference=model)
    assert found.value is not None
    assert 30 < found.value < 60
    assert found.per_output == {"scores": found.value}
    same = evaluate(model, tmp_path / "x.npy", metric="sqnr_db", reference=model)
    assert same.value == 200.0


def test_the_float_source_is_found_beside_the_model(
    tmp_path: Path, model: Path, arrays: Path
) -> None:
    source = Source(file=model.name, sha256=sha256(model), loaded_by="tflite")
    quantized = tiny.write_colors(
        tmp_path / "q.tflite", quantized=True, manifest=Manifest(source=source)
    )
    assert evaluate(quantized, arrays, metric="sqnr_db").value is not None
    model.write_bytes(model.read_bytes() + b"changed")
    with pytest.raises(UsageError, match=r"names colors\.tflite, which is not beside it"):
        evaluate(quantized, arrays, metric="sqnr_db")


def test_an_assumption_is_said_for_pictures_and_not_for_ready_arrays(
    tmp_path: Path, model: Path, arrays: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("cv2")
    evaluate(model, arrays)
    assert "Assumed" not in caplog.text
    evaluate(model, tiny.write_pictures(tmp_path / "photos"))
    assert "Assumed pixels 0..255 become 0..1" in caplog.text


def test_options_override_the_manifest_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("cv2")
    manifest = Manifest(labels=LABELS, preprocessing=Preprocessing())
    model = tiny.write_colors(tmp_path / "m.tflite", manifest=manifest)
    photos = tiny.write_pictures(tmp_path / "photos")
    found = evaluate(model, photos, overrides=Overrides(color="bgr"))
    assert found.per_class == {"blue": 0.0, "green": 1.0, "red": 0.0}
    assert "override what the model says" in caplog.text


def test_an_unknown_metric_lists_the_known_ones(model: Path, arrays: Path) -> None:
    with pytest.raises(UnknownName, match="Known: accuracy, map50, map, sqnr_db"):
        evaluate(model, arrays, metric="f1")


def test_a_wrong_number_of_labels_is_refused(model: Path, arrays: Path) -> None:
    with pytest.raises(UsageError, match=r"2 labels .* colors\.tflite has 3 classes"):
        evaluate(model, arrays, labels=("a", "b"))


def test_a_missing_model_is_named(tmp_path: Path, arrays: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.tflite"):
        evaluate(tmp_path / "nothing.tflite", arrays)


@pytest.mark.data
def test_a_real_model_reaches_what_its_authors_say(data_dir: Path) -> None:
    pytest.importorskip("cv2")
    trained = data_dir / "models/tflite/mlperf_tiny/image_classification/trained_models"
    found = evaluate(
        trained / "pretrainedResnet_quant.tflite",
        data_dir / "classification/cifar10/train",
        limit=500,
    )
    assert found.value is not None
    assert 0.7 < found.value < 0.95

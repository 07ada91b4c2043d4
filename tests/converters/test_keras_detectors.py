"""Keras detectors: decoded by the same decoder as their artifacts, and converted whole."""

from pathlib import Path

import pytest
import tiny_detectors as tiny

from edgekit.artifact import read_manifest
from edgekit.errors import TargetError
from edgekit.evaluation.compare import compare
from edgekit.evaluation.evaluate import evaluate
from edgekit.evaluation.run import run
from edgekit_converters.pipeline import convert
from edgekit_converters.recipe import Recipe

pytest.importorskip("cv2")
pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_keras_spots(tmp_path_factory.mktemp("model") / "spots.keras")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data(tmp_path_factory.mktemp("pictures") / "data")


def test_a_keras_detector_is_evaluated_and_run(model: Path, data: Path) -> None:
    found = evaluate(model, data)
    assert found.metric == "map50"
    assert found.value == pytest.approx(1.0)
    objects = run(model, [data / "1.ppm"]).results[0].detections
    assert objects is not None
    assert [each.label for each in objects] == ["green"]


def test_the_artifact_of_a_detector_finds_what_the_keras_model_finds(
    model: Path, data: Path, tmp_path: Path
) -> None:
    recipe = Recipe(
        model=str(model),
        targets=("raspberry-pi-4",),
        calibrate=str(data),
        evaluate=str(data),
    )
    (made,) = convert(recipe, tmp_path / "out").artifacts
    assert made.float is not None
    assert made.quantized is not None
    assert made.float.metric == made.quantized.metric == "map50"
    assert made.quantized.value == pytest.approx(1.0)
    assert made.agreement == 1.0
    manifest = read_manifest(Path(made.path))
    assert manifest is not None
    assert manifest.decoding == tiny.spots_manifest().decoding
    found = compare(model, made.path, data)
    assert found.agreement == 1.0
    assert found.max_abs_diff is not None
    assert found.max_abs_diff < 1


def test_with_finished_boxes_an_artifact_finds_the_same(
    model: Path, data: Path, tmp_path: Path
) -> None:
    recipe = Recipe(
        model=str(model),
        targets=("android",),
        calibrate=str(data),
        evaluate=str(data),
        finished_boxes=True,
    )
    (made,) = convert(recipe, tmp_path / "out").artifacts
    assert made.io == "uint8"
    manifest = read_manifest(Path(made.path))
    assert manifest is not None
    assert manifest.decoding == {"kind": "postprocess", "threshold": 0.5}
    found = compare(model, made.path, data)
    assert found.agreement == 1.0
    assert found.max_abs_diff is not None
    assert found.max_abs_diff < 1


def test_finished_boxes_of_what_is_no_detector_are_refused(
    spots_model: Path, spots: Path, tmp_path: Path
) -> None:
    recipe = Recipe(model=str(spots_model), calibrate=str(spots), finished_boxes=True)
    with pytest.raises(TargetError, match="no detector with raw SSD heads"):
        convert(recipe, tmp_path / "out")

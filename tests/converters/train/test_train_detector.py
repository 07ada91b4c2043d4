"""A detector trained on drawn pictures, from the request to the int8 artifact."""

from pathlib import Path
from typing import Any

import drawn_objects as drawn
import pytest

from edgekit.artifact import read_manifest
from edgekit.errors import DataError, InputError, UsageError
from edgekit.evaluation.compare import compare
from edgekit.evaluation.evaluate import evaluate
from edgekit.vision.outputs.ssd import Coding

pytest.importorskip("cv2")
pytest.importorskip("keras")
from edgekit.records import from_json
from edgekit_converters.pipeline import convert
from edgekit_converters.recipe import Recipe
from edgekit_converters.train.command import train_file
from edgekit_converters.train.request import TrainRequest, TrainResult

pytestmark = pytest.mark.tf
slow = pytest.mark.slow

EPOCHS = 60


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn.write_objects(tmp_path_factory.mktemp("drawn") / "objects", 40)


def request(data: Path, **rest: Any) -> TrainRequest:
    wishes = {"size": 64, "batch": 8, "width": 16, "anchors": 4, "rate": 0.01, **rest}
    return TrainRequest(kind="detect", data=str(data), **wishes)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    path = tmp_path_factory.mktemp("trained") / "objects.keras"
    return train_file(request(data, epochs=EPOCHS), path)


@slow
def test_it_finds_the_objects_of_pictures_that_it_never_saw(trained: TrainResult) -> None:
    assert trained.labels == drawn.LABELS
    assert trained.epochs == EPOCHS
    assert trained.trained_on + len(trained.held_out) == 40
    assert trained.metric == "map50"
    assert trained.value is not None
    assert trained.value > 0.5


@slow
def test_nothing_is_left_but_the_model_and_the_picture(trained: TrainResult) -> None:
    found = {each.name for each in Path(trained.path).parent.iterdir()}
    assert found == {"objects.keras", Path(str(trained.picture)).name}


@slow
def test_the_file_says_what_it_is(trained: TrainResult) -> None:
    manifest = read_manifest(Path(trained.path))
    assert manifest is not None
    assert manifest.task == "detect"
    assert manifest.labels == drawn.LABELS
    assert {each.role for each in manifest.outputs} == {"boxes", "scores"}
    coding = from_json(Coding, dict(manifest.decoding or {}), "the decoding")
    assert sum(len(level.sizes) for level in coding.levels) == 4
    assert 0.5 <= coding.threshold <= 0.8
    assert coding.max_detections >= 20
    assert manifest.evidence["train"]["value"] == trained.value
    assert manifest.evidence["train"]["held_out"] == list(trained.held_out)


@slow
def test_evaluate_agrees_with_what_was_reported(trained: TrainResult, data: Path) -> None:
    found = evaluate(trained.path, data)
    assert found.metric == "map50"
    assert found.samples == 40
    assert found.value is not None
    assert found.value > 0.5


@slow
def test_its_int8_artifact_finds_the_same_boxes(
    trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    recipe = Recipe(
        model=trained.path,
        targets=("raspberry-pi-4",),
        calibrate=str(data),
        evaluate=str(data),
        max_drop=20.0,
    )
    (made,) = convert(recipe, tmp_path / "out").artifacts
    assert made.path is not None
    before, after = read_manifest(Path(trained.path)), read_manifest(Path(made.path))
    assert before is not None
    assert after is not None
    assert after.decoding == before.decoding
    found = compare(trained.path, made.path, data)
    assert found.agreement is not None
    assert found.agreement > 0.85
    assert found.max_abs_diff is not None


def test_another_ending_than_keras_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"-o model\.keras"):
        train_file(request(data, epochs=1), tmp_path / "model.tflite")


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"size": 70}, UsageError, "multiple of 32"),
        ({"skip": ("nobody",)}, DataError, "nobody"),
        ({"backbone": "resnet50"}, UsageError, r"mobilenet_v1_0\.25"),
        ({"weights": "/nowhere.h5"}, InputError, "nowhere"),
    ],
    ids=["size", "skip", "backbone", "weights"],
)
def test_what_cannot_be_done_is_said(
    data: Path, tmp_path: Path, wrong: dict[str, Any], error: type[Exception], said: str
) -> None:
    from edgekit_converters.train.detect.job import train_detector

    with pytest.raises(error, match=said):
        train_detector(request(data, epochs=1, **wrong), tmp_path, tmp_path / "checkpoint")


def test_pictures_without_annotations_are_refused(tmp_path: Path) -> None:
    from edgekit_converters.train.detect.job import train_detector

    with pytest.raises(InputError):
        train_detector(request(tmp_path, epochs=1), tmp_path, tmp_path / "checkpoint")

"""Detectors are evaluated, run, compared and verified on pictures with boxes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_detectors as tiny
import tiny_models
from click.testing import CliRunner

from edgekit.artifact import write_manifest
from edgekit.cli.main import cli
from edgekit.errors import DataError, TargetError, UsageError
from edgekit.evaluation.compare import compare
from edgekit.evaluation.evaluate import evaluate
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.run import run
from edgekit.evaluation.verify import verify
from edgekit.flatbuffer.tables import pack, read_model

pytest.importorskip("cv2")
PICTURES = tiny.PICTURES
write_data = tiny.write_data
Spots = tiny.Spots


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_spots(tmp_path / "spots.tflite")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data")


def test_a_detector_that_finds_all_has_a_precision_of_one(model: Path, data: Path) -> None:
    found = evaluate(model, data)
    assert (found.metric, found.samples) == ("map50", 3)
    assert found.value == pytest.approx(1.0)
    assert found.per_class == dict.fromkeys(tiny.LABELS, pytest.approx(1.0))
    assert found.others == {"map": pytest.approx(1.0)}
    assert evaluate(model, data, metric="map").metric == "map"


def test_what_is_missed_and_what_is_not_there_cost(model: Path, tmp_path: Path) -> None:
    truths: list[Spots] = [PICTURES[0], {(1, 1): "green"}, PICTURES[2]]
    found = evaluate(model, write_data(tmp_path / "data", truths))
    assert found.per_class["blue"] == found.per_class["red"] == pytest.approx(1.0)
    # One of two greens is found, at the same score as the false one before it.
    assert 0.2 < found.per_class["green"] < 0.6


def test_a_class_that_the_detector_does_not_know_is_named(model: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", names={"red": "rouge"})
    with pytest.raises(DataError, match=r"does not know: rouge"):
        evaluate(model, data)


def test_names_of_the_classes_may_be_given(model: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", names={"red": "rouge"})
    found = evaluate(model, data, labels=["blue", "green", "rouge"])
    assert found.per_class["rouge"] == pytest.approx(1.0)
    with pytest.raises(UsageError, match=r"2 labels were given, and spots\.tflite finds 3"):
        evaluate(model, data, labels=["a", "b"])


def test_a_detector_without_labels_needs_as_many_classes_as_the_data_have(
    tmp_path: Path, data: Path
) -> None:
    nameless = tiny.write_spots(tmp_path / "nameless.tflite", labels=())
    with pytest.raises(DataError, match=r"there are 4 classes, .*owl, and the model finds 3"):
        evaluate(nameless, data)


def test_the_test_set_is_taken_where_there_is_one_and_that_is_said(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "sets"
    root.mkdir()
    for name in ("train", "test"):
        write_data(root / name)
    found = evaluate(model, root)
    assert found.samples == 3
    assert "(set test)" in found.data
    assert "divided into test, train; the 3 pictures of 'test' are taken" in caplog.text
    assert evaluate(model, root, split="all").samples == 6
    assert evaluate(model, root, split="train", limit=2).samples == 2
    with pytest.raises(
        DataError, match="there is no set 'val'; it is divided into test, train"
    ):
        evaluate(model, root, split="val")


def test_boxes_need_a_detector(tmp_path: Path, data: Path) -> None:
    classifier = tiny_models.write_colors(tmp_path / "colors.tflite")
    with pytest.raises(
        TargetError, match=r"boxes\. .*no outputs of a detector .*found:\n  scores \[1, 3\]"
    ):
        evaluate(classifier, data)
    with pytest.raises(TargetError, match=r"no outputs of a detector"):
        evaluate(classifier, data, metric="map50")


def test_labels_settle_a_shape_of_two_families(tmp_path: Path) -> None:
    values = np.zeros((1, 4 * 8 + 2 * 4 + 2, 7), np.float32)  # of strides 8, 16 and 32
    values[0, :3, :4] = [[4, 4, 8, 8], [20, 12, 8, 8], [12, 4, 8, 8]]
    values[0, 0, 4:] = [0.9, 0.8, 0.1]
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.fixed({"y": values}, (32, 64)))
    picture = tmp_path / "p.ppm"
    picture.write_bytes(tiny.spot_picture({}))
    assert run(path, [picture]).results[0].outputs is not None
    (result,) = run(path, [picture], labels=["cat", "dog"]).results
    assert result.detections is not None
    (found,) = result.detections
    assert found.label == "cat"
    assert found.score == pytest.approx(0.72)
    with pytest.raises(TargetError, match="a YOLO with 3 classes, or with 2 and an objectness"):
        evaluate(path, write_data(tmp_path / "data"))


def test_a_model_that_says_it_detects_and_does_not_is_refused(tmp_path: Path) -> None:
    manifest = replace(tiny.spots_manifest(), outputs=(), decoding=None)
    path = tmp_path / "m.tflite"
    outputs = {"y": np.zeros((1, 7, 3), np.float32)}
    path.write_bytes(write_manifest(tiny.fixed(outputs, (16, 24)), manifest))
    picture = tmp_path / "p.ppm"
    picture.write_bytes(tiny.spot_picture({}))
    with pytest.raises(TargetError, match=r"no outputs of a detector.*found:\n  y \[1, 7, 3\]"):
        run(path, [picture])


def test_running_gives_the_objects_with_their_boxes(model: Path, data: Path) -> None:
    found = run(model, [data / "0.ppm", data])
    assert [Path(each.input).name for each in found.results] == [
        "0.ppm",
        "0.ppm",
        "1.ppm",
        "2.ppm",
    ]
    objects = found.results[0].detections
    assert objects is not None
    assert {each.label: each.box for each in objects} == {
        "red": (0, 0, 40, 40),
        "blue": (80, 40, 120, 80),
    }
    assert found.results[0].top is None
    assert found.results[0].outputs is None


def test_the_command_prints_what_was_found(model: Path, data: Path) -> None:
    ran = CliRunner().invoke(cli, ["run", str(model), str(data / "1.ppm"), "--json"])
    (result,) = json.loads(ran.stdout)["results"]
    assert result["detections"] == [
        {"label": "green", "score": pytest.approx(0.982, abs=1e-3), "box": [40, 0, 80, 40]}
    ]
    assert result.keys() == {"input", "detections"}
    shown = CliRunner().invoke(cli, ["run", str(model), str(data / "1.ppm")])
    assert "green" in shown.stdout
    told = CliRunner().invoke(cli, ["evaluate", str(model), str(data)])
    assert "map50" in told.stdout
    assert told.exit_code == 0


def shifted(model: Path, by: float, logits: float = 0.0) -> Path:
    """Write the detector with other box codes and scores."""
    file = read_model(model)
    moved = np.tile(np.array([0, 10 * by, 0, 0], np.float32), 6)
    for buffer in file.model.buffers:
        if buffer.data is not None and bytes(buffer.data) == bytes(4 * 24):
            buffer.data = np.frombuffer(moved.tobytes(), np.uint8)
        if buffer.data is not None and len(buffer.data) == 4 * 18:
            bias = np.full(18, -4 + logits, np.float32)
            buffer.data = np.frombuffer(bias.tobytes(), np.uint8)
    path = model.with_stem(f"shifted{by}{logits}")
    path.write_bytes(write_manifest(pack(file.model), tiny.spots_manifest()))
    return path


def test_two_detectors_agree_by_their_boxes(model: Path, data: Path) -> None:
    same = compare(model, model, data)
    assert (same.agreement, same.max_abs_diff) == (1.0, 0.0)
    assert same.a.metric == "map50"
    assert same.a.value == pytest.approx(1.0)
    near = compare(model, shifted(model, 0.25), data)
    assert near.agreement == 1.0
    assert near.max_abs_diff == pytest.approx(10, abs=0.1)  # a quarter of 8 pixels, 5 as large
    far = compare(model, shifted(model, 0.75), data)
    assert far.agreement == 0.0
    assert far.b.value is not None
    assert far.b.value < 0.1  # what lies beside, at a score of 0.02
    assert far.max_abs_diff is None


def test_pictures_without_boxes_will_do_for_a_comparison(model: Path, data: Path) -> None:
    (data / "annotations.json").unlink()
    found = compare(model, model, data)
    assert (found.agreement, found.samples, found.a.metric) == (1.0, 3, None)


def test_verifying_detectors_measures_boxes(model: Path, data: Path) -> None:
    (found,) = verify(model, [shifted(model, 0.75)], evaluation=DataRequest(path=str(data)))
    assert found.float_metric is not None
    assert found.quantized_metric is not None
    assert found.float_metric.metric == "map50"
    assert found.drop == pytest.approx(1.0, abs=0.1)
    assert found.agreement == 0.0
    assert found.evaluation_samples == 3


def test_pictures_that_cannot_be_read_are_counted_or_too_many(model: Path, data: Path) -> None:
    (data / "1.ppm").write_bytes((data / "1.ppm").read_bytes()[:40])
    with pytest.raises(DataError, match="1 pictures cannot be used so far"):
        evaluate(model, data)

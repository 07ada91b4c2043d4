"""Verification of a quantized model, and what it notices about worthless ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny

from edgekit.evaluation import verify as verifying
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.verify import Verification

SHAPE = (1, 4, 4, 3)


@pytest.fixture
def arrays(tmp_path: Path) -> str:
    return str(tiny.write_arrays(tmp_path / "colors.npz"))


def verify(original: Path, quantized: Path, **wishes: Any) -> Verification:
    (found,) = verifying.verify(original, [quantized], **wishes)
    return found


def checked(folder: Path, arrays: str, original: bytes, quantized: bytes) -> Verification:
    (folder / "f.tflite").write_bytes(original)
    (folder / "q.tflite").write_bytes(quantized)
    request = DataRequest(path=arrays)
    return verify(folder / "f.tflite", folder / "q.tflite", calibration=request)


def test_one_pass_over_each_set_gives_everything(tmp_path: Path, arrays: str) -> None:
    found = verify(
        tiny.write_colors(tmp_path / "f.tflite"),
        tiny.write_colors(tmp_path / "q.tflite", quantized=True),
        calibration=DataRequest(path=arrays, samples=6),
        evaluation=DataRequest(path=arrays, labels=("blue", "green", "red")),
    )
    assert found.float_metric is not None
    assert found.quantized_metric is not None
    assert (found.float_metric.metric, found.float_metric.value) == ("accuracy", 1.0)
    assert (found.quantized_metric.value, found.drop, found.agreement) == (1.0, 0.0, 1.0)
    assert (found.calibration_samples, found.evaluation_samples) == (6, 12)
    assert found.sqnr_db["scores"] > 30
    assert found.per_class == {"blue": 1.0, "green": 1.0, "red": 1.0}
    assert found.findings == ()


def test_without_calibration_the_agreement_is_that_of_the_evaluation(
    tmp_path: Path, arrays: str
) -> None:
    model = tiny.write_colors(tmp_path / "f.tflite")
    found = verify(model, model, evaluation=DataRequest(path=arrays))
    assert (found.agreement, found.calibration_samples) == (1.0, 0)


def test_several_models_are_fed_alike_and_come_back_in_their_order(
    tmp_path: Path, arrays: str
) -> None:
    (tmp_path / "bad.tflite").write_bytes(tiny.dense(tiny.color_weights()[::-1], SHAPE))
    model = tiny.write_colors(tmp_path / "f.tflite")
    models = [model, tmp_path / "bad.tflite", model]
    found = verifying.verify(model, models, evaluation=DataRequest(path=arrays))
    assert [each.agreement for each in found] == [1.0, pytest.approx(1 / 3), 1.0]


def test_without_data_nothing_is_claimed(tmp_path: Path) -> None:
    model = tiny.write_colors(tmp_path / "f.tflite")
    found = verify(model, model)
    assert (found.agreement, found.float_metric, found.sqnr_db) == (None, None, {})


def test_a_drop_is_float_minus_quantized(tmp_path: Path, arrays: str) -> None:
    (tmp_path / "bad.tflite").write_bytes(tiny.dense(tiny.color_weights()[::-1], SHAPE))
    found = verify(
        tiny.write_colors(tmp_path / "f.tflite"),
        tmp_path / "bad.tflite",
        evaluation=DataRequest(path=arrays),
    )
    assert found.drop == pytest.approx(2 / 3)


def test_a_constant_quantized_output_is_blamed_on_quantization(
    tmp_path: Path, arrays: str
) -> None:
    weights, bias = tiny.color_weights(), np.array([0.1, 0.2, 0.3], np.float32)
    dead = tiny.dense(0 * weights, SHAPE, bias=bias, quantized=True)
    (finding,) = checked(tmp_path, arrays, tiny.dense(weights, SHAPE), dead).findings
    assert finding.code == "constant-output"
    assert "quantization destroyed it" in finding.text
    assert "calibration data" in finding.remedy


def test_an_output_that_is_constant_in_both_is_not_blamed_on_quantization(
    tmp_path: Path, arrays: str
) -> None:
    bias = np.array([0.1, 0.2, 0.3], np.float32)
    pair = [
        tiny.dense(0 * tiny.color_weights(), SHAPE, bias=bias, quantized=each)
        for each in (False, True)
    ]
    (finding,) = checked(tmp_path, arrays, *pair).findings
    assert finding.code == "constant-output-in-both"
    assert "so is the float model's" in finding.text


def test_values_that_are_no_numbers_are_reported(tmp_path: Path, arrays: str) -> None:
    weights, bias = tiny.color_weights(), np.array([np.nan, 0, 0], np.float32)
    broken = tiny.dense(weights, SHAPE, bias=bias)
    found = checked(tmp_path, arrays, broken, tiny.dense(weights, SHAPE, quantized=True))
    assert [each.code for each in found.findings] == ["nan-output"]
    assert "12 of 12 samples" in found.findings[0].text
    assert found.agreement == 0.0


def test_scores_that_are_all_equal_are_reported(tmp_path: Path, arrays: str) -> None:
    tied = np.repeat(tiny.color_weights()[:1], 3, axis=0)
    pair = tiny.dense(tiny.color_weights(), SHAPE), tiny.dense(tied, SHAPE, quantized=True)
    (finding,) = checked(tmp_path, arrays, *pair).findings
    assert finding.code == "tied-scores"
    assert "The float model's are not" in finding.text


@pytest.mark.data
def test_a_range_of_a_thousandth_is_noticed_on_a_real_model(data_dir: Path) -> None:
    pytest.importorskip("cv2")
    from edgekit.manifest import Overrides

    trained = data_dir / "models/tflite/mlperf_tiny/image_classification/trained_models"
    request = DataRequest(
        path=str(data_dir / "classification/cifar10/train"),
        samples=10,
        overrides=Overrides(input_range=(0.0, 0.001)),
    )
    found = verify(
        trained / "pretrainedResnet.tflite",
        trained / "pretrainedResnet_quant.tflite",
        calibration=request,
    )
    assert [each.code for each in found.findings] == ["constant-output"]

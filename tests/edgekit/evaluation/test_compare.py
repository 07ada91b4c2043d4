"""Laws of the comparison of two models."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny

from edgekit.errors import UsageError
from edgekit.evaluation.compare import compare
from edgekit.manifest import Manifest, Preprocessing


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    return tiny.write_arrays(tmp_path / "colors.npz")


def test_a_model_agrees_with_itself(tmp_path: Path, arrays: Path) -> None:
    model = tiny.write_colors(tmp_path / "m.tflite")
    found = compare(model, model, arrays)
    assert (found.agreement, found.max_abs_diff) == (1.0, 0.0)
    assert found.a.value == found.b.value == 1.0
    assert found.sqnr_db == {"scores": 200.0}


def test_the_largest_difference_of_a_quantized_model_is_a_step(
    tmp_path: Path, arrays: Path
) -> None:
    a = tiny.write_colors(tmp_path / "a.tflite")
    b = tiny.write_colors(tmp_path / "b.tflite", quantized=True)
    found = compare(a, b, arrays)
    assert found.agreement == 1.0
    assert found.max_abs_diff is not None
    assert 0 < found.max_abs_diff <= tiny.OUT_STEP


def test_agreement_does_not_depend_on_the_order(tmp_path: Path, arrays: Path) -> None:
    a = tiny.write_colors(tmp_path / "a.tflite")
    (tmp_path / "b.tflite").write_bytes(tiny.dense(tiny.color_weights()[::-1], (1, 4, 4, 3)))
    forth, back = (
        compare(a, tmp_path / "b.tflite", arrays),
        compare(tmp_path / "b.tflite", a, arrays),
    )
    assert forth.agreement == back.agreement == pytest.approx(1 / 3)
    assert forth.a.value == back.b.value == 1.0
    assert forth.b.value == back.a.value == pytest.approx(1 / 3)


def test_data_without_classes_give_agreement_alone(tmp_path: Path) -> None:
    model = tiny.write_colors(tmp_path / "m.tflite")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 4, 4, 3), np.float32))
    found = compare(model, model, tmp_path / "x.npy")
    assert (found.agreement, found.samples) == (1.0, 5)
    assert found.a.metric is None


def test_each_model_gets_pictures_as_it_says_itself(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    plain = Manifest(preprocessing=Preprocessing())
    swapped = Manifest(preprocessing=Preprocessing(color="bgr"))
    a = tiny.write_colors(tmp_path / "a.tflite", manifest=plain)
    weights = tiny.color_weights().reshape(3, -1, 3)[..., ::-1].reshape(3, -1)
    b = tmp_path / "b.tflite"
    b.write_bytes(tiny.with_manifest(tiny.dense(weights, (1, 4, 4, 3)), swapped))
    found = compare(a, b, tiny.write_pictures(tmp_path / "photos"))
    assert (found.agreement, found.max_abs_diff) == (1.0, 0.0)


def test_models_of_other_shapes_are_refused(tmp_path: Path, arrays: Path) -> None:
    a = tiny.write_colors(tmp_path / "a.tflite")
    (tmp_path / "b.tflite").write_bytes(tiny.dense(np.ones((3, 12), np.float32), (1, 2, 2, 3)))
    with pytest.raises(UsageError, match=r"inputs are \(1, 4, 4, 3\) and \(1, 2, 2, 3\)"):
        compare(a, tmp_path / "b.tflite", arrays)


@pytest.mark.parametrize("swap", [False, True])
def test_a_model_that_does_not_say_it_gets_pictures_as_the_other_one(
    tmp_path: Path, swap: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("cv2")
    says = Manifest(preprocessing=Preprocessing(color="bgr"))
    one = tiny.write_colors(tmp_path / "says.tflite", manifest=says)
    other = tiny.write_colors(tmp_path / "silent.tflite")
    photos = tiny.write_pictures(tmp_path / "photos")
    found = compare(other, one, photos) if swap else compare(one, other, photos)
    assert (found.agreement, found.max_abs_diff) == (1.0, 0.0)
    assert "Assumed" not in caplog.text

"""Keras files in the commands of the light half: evaluate, compare, profile, run."""

from pathlib import Path

import pytest
import tiny_models as tiny

from edgekit.evaluation.compare import compare
from edgekit.evaluation.evaluate import evaluate
from edgekit.evaluation.run import run
from edgekit.profiling.profile import profile

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Keras file of the model that `tiny_models` makes as .tflite."""
    import keras

    shape = (tiny.SIZE, tiny.SIZE, 3)
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    model.layers[-1].set_weights([tiny.color_weights().T, 0 * tiny.color_weights()[:, 0]])
    path = tmp_path_factory.mktemp("keras") / "colors.keras"
    model.save(path)
    return path


def test_a_keras_file_is_evaluated_and_agrees_with_its_tflite(
    tmp_path: Path, keras_file: Path
) -> None:
    arrays = tiny.write_arrays(tmp_path / "colors.npz")
    assert evaluate(keras_file, arrays).value == 1.0
    found = compare(keras_file, tiny.write_colors(tmp_path / "m.tflite"), arrays)
    assert found.agreement == 1.0
    assert found.max_abs_diff == pytest.approx(0.0, abs=1e-6)


def test_a_keras_file_is_run_and_profiled(tmp_path: Path, keras_file: Path) -> None:
    arrays = tiny.write_arrays(tmp_path / "colors.npz", each=1)
    best = [each.top[0].label for each in run(keras_file, [arrays]).results if each.top]
    assert best == ["class 0", "class 1", "class 2"]
    found = profile(keras_file, runs=5)
    assert found.runs == 5
    assert found.runtime.startswith("keras")

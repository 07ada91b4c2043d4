"""Inputs for a calibration without data."""

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import UsageError
from edgekit_converters.export.plan import plans
from edgekit_converters.pipeline import quantize
from edgekit_converters.quantize.synthetic import SYNTHETIC, pictures, write_synthetic
from edgekit_converters.recipe import Recipe, with_absolute_paths
from edgekit_converters.sources.source import InputSpec


@pytest.mark.parametrize("shape", [(16, 16, 3), (17, 31, 1)])
def test_pictures_are_smooth_and_differ_in_brightness(shape: tuple[int, ...]) -> None:
    x = pictures(20, shape, seed=0)
    assert x.shape == (20, *shape)
    assert x.dtype == np.uint8
    values = x.astype(float)
    steps = np.abs(np.diff(values, axis=2)).mean()
    assert steps < 0.7 * values.std()
    assert values.mean((1, 2, 3)).std() > 10
    assert np.array_equal(x, pictures(20, shape, seed=0))


def test_every_input_gets_what_suits_it(tmp_path: Path) -> None:
    specs = [
        InputSpec(name="photo", shape=(8, 8, 3), dtype="float32", batch=1),
        InputSpec(name="words", shape=(5,), dtype="int32", batch=1, indices=7),
        InputSpec(name="signal", shape=(4,), dtype="float32", batch=1),
    ]
    path = tmp_path / "inputs.npz"
    write_synthetic(specs, path, count=6, seed=1, normalizes_itself=False)
    with np.load(path) as found:
        assert found["photo"].shape == (6, 8, 8, 3)
        assert found["photo"].dtype == np.uint8
        assert found["words"].shape == (6, 5)
        assert 0 <= found["words"].min() <= found["words"].max() < 7
        assert found["signal"].dtype == np.float32


def test_the_word_is_no_path() -> None:
    recipe = Recipe(model="m.keras", calibrate=SYNTHETIC)
    assert with_absolute_paths(recipe, Path("/somewhere")).calibrate == SYNTHETIC


def test_a_calibration_without_anything_says_that_there_is_this_way() -> None:
    with pytest.raises(UsageError, match="--calibrate synthetic"):
        plans(Recipe(model="m.keras", scheme="int8"))


@pytest.mark.tf
def test_a_model_converts_without_data_and_says_what_that_is_worth(
    spots_model: Path, tmp_path: Path
) -> None:
    recipe = Recipe(model=str(spots_model), scheme="int8", calibrate=SYNTHETIC, samples=20)
    made = quantize(recipe, tmp_path / "spots.tflite")
    assert made.fully_integer
    assert made.calibration_samples == 20
    assert min(made.sqnr_db.values()) > 15

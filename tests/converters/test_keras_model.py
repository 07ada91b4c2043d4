"""A Keras file behaves as a runtime model does."""

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import UsageError
from edgekit_converters.keras_model import BATCH, KerasModel, open_model

pytestmark = pytest.mark.tf
keras = pytest.importorskip("keras")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> KerasModel:
    path = tmp_path_factory.mktemp("model") / "two.keras"
    wide, narrow = keras.Input((4,), name="wide"), keras.Input((3,), name="narrow")
    total = keras.layers.Dense(2, name="total")(keras.layers.concatenate([wide, narrow]))
    keras.Model([wide, narrow], [total, keras.layers.Dense(1, name="one")(wide)]).save(path)
    return open_model(path)


def feed(count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"wide": rng.normal(size=(count, 4)), "narrow": rng.normal(size=(count, 3))}


def test_it_says_what_goes_in_and_out(model: KerasModel) -> None:
    assert [(spec.name, spec.shape, spec.dtype) for spec in model.inputs] == [
        ("wide", (1, 4), "float32"),
        ("narrow", (1, 3), "float32"),
    ]
    assert [(spec.name, spec.shape) for spec in model.outputs] == [
        ("total", (1, 2)),
        ("one", (1, 1)),
    ]
    assert model.backend.startswith("keras 3")
    assert model.manifest is None
    assert not model.normalizes_itself


@pytest.mark.parametrize("count", [0, 1, 5, BATCH, BATCH + 1])
def test_a_batch_gives_what_its_samples_give(model: KerasModel, count: int) -> None:
    x = feed(count)
    together = model(x)
    assert isinstance(together, dict)
    assert together["total"].shape == (count, 2)
    for i in range(count):
        alone = model({name: values[i : i + 1] for name, values in x.items()})
        assert isinstance(alone, dict)
        np.testing.assert_allclose(alone["total"], together["total"][i : i + 1], atol=1e-6)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        pytest.param(
            {"wide": np.zeros((1, 4))}, "has the inputs wide, narrow", id="one missing"
        ),
        pytest.param(np.zeros((1, 4)), "has the inputs", id="no names"),
        pytest.param(
            {"wide": np.zeros((1, 5)), "narrow": np.zeros((1, 3))},
            r"shape \(1, 4\)",
            id="shape",
        ),
        pytest.param(
            {"wide": np.zeros((2, 4)), "narrow": np.zeros((1, 3))}, "same number", id="counts"
        ),
    ],
)
def test_what_does_not_fit_is_said(model: KerasModel, x: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        model(x)  # type: ignore[arg-type] # one case is no table on purpose


def test_a_single_output_is_an_array(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(tmp_path / "m.keras")
    result = open_model(tmp_path / "m.keras")(np.zeros((7, 2)))
    assert isinstance(result, np.ndarray)
    assert result.shape == (7, 3)

"""Layers make up for what was taken from them: exactly where that is possible."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgekit.data import Dataset, open_dataset
from edgekit_converters.prune import prune

pytestmark = pytest.mark.tf

SHAPE = (6, 6, 3)


def dataset(folder: Path, n: int = 200) -> Dataset:
    x = np.random.default_rng(0).normal(size=(n, *SHAPE)).astype(np.float32)
    np.savez(folder / "x.npz", x=x, y=np.arange(n) % 4)
    return open_dataset(
        folder / "x.npz", shapes={"x": SHAPE}, preprocessing=None, labelled=True
    )


def net(*, norm: bool = False) -> Any:
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input(SHAPE, name="x"),
            layers.Conv2D(16, 3, padding="same", name="first"),
            *([layers.BatchNormalization()] if norm else []),
            layers.ReLU(),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="second"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="last"),
        ]
    )


def distance(one: Any, other: Any, data: Dataset) -> float:
    x = np.stack([sample.inputs["x"] for sample in data])
    wanted = np.asarray(one(x))
    return float(np.abs(wanted - np.asarray(other(x))).mean() / np.abs(wanted).mean())


def doubled() -> Any:
    """A net whose first layer has every channel twice: one of each says it all."""
    model = net()
    first = model.get_layer("first")
    kernel, bias = (np.array(value) for value in first.get_weights())
    kernel[..., 8:], bias[8:] = 0.5 * kernel[..., :8], 0.5 * bias[:8]
    first.set_weights([kernel, bias])
    return model


def test_what_can_be_made_up_for_is(tmp_path: Path) -> None:
    data, model = dataset(tmp_path), doubled()
    plain = prune(model, "0.5")
    repaired = prune(model, "0.5", importance="l1", data=data)
    assert plain.model.get_layer("first").filters == 8
    assert distance(model, plain.model, data) > 0.1
    assert distance(model, repaired.model, data) < 0.02


@pytest.mark.parametrize("norm", [False, True], ids=["bias", "BatchNormalization"])
@pytest.mark.parametrize("amount", ["0.5", "magnitude:0.7", "2:4", "block:0.5"])
def test_a_repaired_model_is_nearer_to_the_original(
    tmp_path: Path, amount: str, norm: bool
) -> None:
    data, model = dataset(tmp_path), net(norm=norm)
    plain, repaired = prune(model, amount).model, prune(model, amount, data=data).model
    assert distance(model, repaired, data) < 0.8 * distance(model, plain, data)


def test_repairing_needs_no_labels(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(50, *SHAPE)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    data = open_dataset(
        tmp_path / "x.npy", shapes={"x": SHAPE}, preprocessing=None, labelled=False
    )
    model = net()
    assert distance(model, prune(model, "0.5", data=data).model, data) < distance(
        model, prune(model, "0.5").model, data
    )


def test_the_original_stays_as_it_is(tmp_path: Path) -> None:
    model = net(norm=True)
    before = [np.array(value) for value in model.get_weights()]
    prune(model, "0.5", data=dataset(tmp_path))
    prune(model, "magnitude:0.5", data=dataset(tmp_path))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

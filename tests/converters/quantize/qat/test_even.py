"""Other weights, the same function, channels more alike."""

import logging
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgekit_converters.quantize.qat import fold
from edgekit_converters.quantize.qat.even import evened

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

Build = Callable[[str], Any]


def samples(model: Any, count: int = 40) -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    shape = model.input_shape[1:]
    return [
        {model.inputs[0].name: rng.normal(size=shape).astype(np.float32)} for _ in range(count)
    ]


def uneven(model: Any, seed: int = 0) -> Any:
    """Rescale the channels between the first two convolutions, function unchanged."""
    first, second = [each for each in model.layers if isinstance(each, layers.Conv2D)][:2]
    factor = np.exp(2 * np.random.default_rng(seed).normal(size=first.filters))
    first.kernel.assign(first.kernel * factor)
    first.bias.assign(first.bias * factor)
    second.kernel.assign(second.kernel / factor[:, None])
    return model


def spread(kernel: Any) -> float:
    """Largest channel of a kernel over the smallest one."""
    sizes = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    return float(sizes.max() / sizes.min())


@pytest.mark.parametrize("per_tensor", [False, True], ids=["per channel", "per tensor"])
@pytest.mark.parametrize(
    "name",
    [
        "plain",
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in ("residual", "depthwise", "sounds", "enlarged", "dense")
        ),
    ],
)
def test_a_model_with_evened_weights_computes_the_same(
    name: str, per_tensor: bool, build: Build
) -> None:
    model = fold(build(name)).model
    inputs = samples(model)
    own = model.get_weights()
    x = np.concatenate([[*each.values()] for each in inputs])
    wanted = np.asarray(model(x))
    found = list(evened(model, inputs, per_tensor=per_tensor))
    assert len(found) == (2 if per_tensor else 1)
    for before, after in zip(own, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    for weights in found:
        model.set_weights(weights)
        difference = np.abs(np.asarray(model(x)) - wanted).max() / np.abs(wanted).max()
        assert difference <= 0.01  # channels under ReLU6 rest on what samples show
        assert any((a != b).any() for a, b in zip(own, weights, strict=True))


def test_uneven_channels_become_alike(build: Build) -> None:
    model = uneven(fold(build("plain")).model)
    before = spread(np.asarray(model.get_weights()[0]))
    (weights,) = evened(model, samples(model), per_tensor=False)
    assert before > 20
    assert spread(weights[0]) < before / 3


def test_a_constant_that_is_no_weight_leaves_all_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inputs = keras.Input((8, 8, 3), name="picture")
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.Conv2D(4, 3, use_bias=False)(x) + np.arange(4, dtype=np.float32)
    x = layers.Conv2D(2, 3)(layers.ReLU()(x))
    model = keras.Model(inputs, x)
    with caplog.at_level(logging.INFO, logger="edgekit_converters"):
        assert list(evened(model, samples(model), per_tensor=False)) == []
    assert "is no weight" in caplog.text


def test_inputs_are_known_by_name_and_a_fixed_batch_is_kept() -> None:
    inputs = [
        keras.Input(batch_shape=(4, size), name=name) for name, size in (("z", 6), ("a", 5))
    ]
    sides = [layers.Dense(8, activation="relu")(each) for each in inputs]
    x = layers.Dense(8, activation="relu")(layers.Concatenate()(sides))
    model = keras.Model(inputs, layers.Dense(3)(x))
    rng = np.random.default_rng(0)
    given = [
        {"z": rng.normal(size=6).astype(np.float32), "a": rng.normal(size=5).astype(np.float32)}
        for _ in range(16)
    ]
    assert len(list(evened(model, given, per_tensor=False))) == 1


def test_a_model_of_one_layer_has_nothing_to_even_out() -> None:
    model = keras.Sequential([keras.Input((8, 8, 3), name="picture"), layers.Conv2D(4, 3)])
    assert list(evened(model, samples(model), per_tensor=False)) == []

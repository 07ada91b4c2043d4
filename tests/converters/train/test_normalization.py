"""BatchNormalization as one kernel."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")
normalization = pytest.importorskip("edgekit_converters.train.normalization")
pytestmark = pytest.mark.tf

Array = NDArray[np.float32]


def net(**wishes: Any) -> Any:
    keras.utils.set_random_seed(3)
    picture = keras.Input((9, 7, 3))
    x = keras.layers.Conv2D(5, 3, use_bias=False)(picture)
    x = keras.layers.BatchNormalization(momentum=0.8, **wishes)(x)
    return keras.Model(picture, keras.layers.ReLU()(x))


def learned(model: Any, x: Array) -> tuple[list[Array], list[Array]]:
    """Gradients of one step, and all weights after it."""
    with tf.GradientTape() as tape:
        distance = tf.reduce_sum(model(x, training=True) ** 3)
    slopes = tape.gradient(distance, model.trainable_variables)
    return [each.numpy() for each in slopes], model.get_weights()


@pytest.mark.parametrize("batch", [1, 8])
def test_slopes_and_averages_are_those_of_keras(batch: int) -> None:
    x = np.random.default_rng(0).normal(2, 3, (batch, 9, 7, 3)).astype(np.float32)
    plain, quick = net(), net()
    slopes, weights = learned(plain, x)
    with normalization.fused(quick):
        found_slopes, found_weights = learned(quick, x)
    for wanted, found in zip([*slopes, *weights], [*found_slopes, *found_weights], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3)


def test_outside_of_training_nothing_changes() -> None:
    x = np.random.default_rng(0).normal(size=(2, 9, 7, 3)).astype(np.float32)
    model = net()
    before = model(x, training=False)
    with normalization.fused(model):
        np.testing.assert_array_equal(model(x, training=False), before)


@pytest.mark.parametrize("wishes", [{"axis": 1}, {"scale": False}, {"center": False}])
def test_a_layer_that_the_kernel_does_not_know_stays_with_keras(
    wishes: dict[str, Any],
) -> None:
    x = np.random.default_rng(0).normal(size=(4, 9, 7, 3)).astype(np.float32)
    plain, quick = net(**wishes), net(**wishes)
    slopes, _ = learned(plain, x)
    with normalization.fused(quick):
        found, _ = learned(quick, x)
    for one, other in zip(slopes, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_layers_are_as_they_were_afterwards() -> None:
    model = net()
    (layer,) = normalization.normalizations(model)
    with normalization.fused(model):
        assert "call" in vars(layer)
    assert "call" not in vars(layer)

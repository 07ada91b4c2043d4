"""Small models with random weights everywhere, BatchNorm statistics included."""

from collections.abc import Callable
from typing import Any

import keras
import pytest
from keras import layers


def normed(x: Any, layer: Any, activation: Any = None) -> Any:
    x = layers.BatchNormalization()(layer(x))
    return layers.ReLU()(x) if activation is None else activation(x)


def plain() -> Any:
    inputs = keras.Input((10, 10, 3), name="picture")
    x = normed(inputs, layers.Conv2D(8, 3, use_bias=False))
    x = normed(x, layers.Conv2D(12, 3, strides=2), layers.ReLU(6.0))
    return keras.Model(inputs, layers.Dense(4)(layers.Flatten()(x)))


def residual() -> Any:
    inputs = keras.Input((10, 10, 3), name="picture")
    x = normed(layers.Rescaling(1 / 2, offset=0.1)(inputs), layers.Conv2D(8, 3))
    y = normed(x, layers.DepthwiseConv2D(3, padding="same"), layers.ReLU(6.0))
    y = layers.BatchNormalization()(layers.Conv2D(8, 1, use_bias=False)(y))
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D()(x))
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x))


def depthwise() -> Any:
    inputs = keras.Input((10, 10, 3), name="picture")
    x = normed(inputs, layers.DepthwiseConv2D(3, depth_multiplier=3, use_bias=False))
    x = normed(x, layers.SeparableConv2D(8, 3, depth_multiplier=2, padding="same"))
    x = layers.AveragePooling2D(2)(x)
    return keras.Model(inputs, layers.Dense(4)(layers.Flatten()(x)))


def dense() -> Any:
    inputs = keras.Input((7,), name="features")
    x = normed(inputs, layers.Dense(16))
    x = normed(x, layers.Dense(12, use_bias=False), layers.Activation("tanh"))
    return keras.Model(inputs, layers.Dense(3, activation="sigmoid")(x))


def sounds() -> Any:
    inputs = keras.Input((24, 4), name="frames")
    x = normed(inputs, layers.Conv1D(8, 3, padding="causal"))
    x = normed(x, layers.SeparableConv1D(12, 3), layers.LeakyReLU())
    x = normed(x, layers.DepthwiseConv1D(3), layers.PReLU(shared_axes=[1]))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def enlarged() -> Any:
    inputs = keras.Input((8, 8, 3), name="picture")
    x = normed(inputs, layers.Conv2D(8, 3, padding="same"))
    small = layers.MaxPooling2D()(x)
    y = normed(small, layers.Conv2DTranspose(6, 2, strides=2))
    x = layers.Concatenate()([x, y, layers.UpSampling2D()(small)])
    x = layers.Average()([layers.Conv2D(8, 1)(x), layers.Conv2D(8, 1)(x)])
    return keras.Model(inputs, layers.Conv2D(2, 1)(x))


def activations() -> Any:
    inputs = keras.Input((8, 8, 3), name="picture")
    x = normed(inputs, layers.Conv2D(8, 3), layers.Activation("silu"))
    gate = layers.Dense(8, activation="hard_sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(gate)])
    x = layers.Conv2D(8, 3, activation="leaky_relu")(x)
    x = keras.ops.relu(x) * 0.5 + keras.ops.sigmoid(x)
    return keras.Model(inputs, layers.Dense(3, activation="gelu")(layers.Flatten()(x)))


def nested() -> Any:
    inner_input = keras.Input((8, 8, 6))
    inner_x = normed(inner_input, layers.Conv2D(6, 3, padding="same"))
    inner = keras.Model(inner_input, layers.Add()([inner_input, inner_x]), name="inner")
    head = keras.Sequential([layers.Flatten(), layers.Dense(3)], name="head")
    inputs = keras.Input((8, 8, 3), name="picture")
    x = normed(inputs, layers.Conv2D(6, 3, padding="same"))
    return keras.Model(inputs, head(inner(x)))


def sequential() -> Any:
    return keras.Sequential(
        [
            keras.Input((8, 8, 2), name="picture"),
            layers.Conv2D(8, 3, use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.Dropout(0.1),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(3),
            layers.BatchNormalization(center=False),
        ]
    )


def left_alone() -> Any:
    """BatchNorms that cannot be folded: nothing before, shared, used twice, another axis."""
    inputs = keras.Input((8, 8, 3), name="picture")
    x = layers.BatchNormalization(name="first")(inputs)
    twice = layers.Conv2D(6, 3, padding="same", name="twice")
    twin = layers.Conv2D(3, 3, padding="same", name="twin")
    x = layers.BatchNormalization(name="of_twin")(twin(twin(x)))
    y = twice(x)
    y = layers.Add()([y, layers.BatchNormalization(name="of_twice")(y)])
    y = layers.Conv2D(4, 3, activation="relu", name="active")(y)
    y = layers.BatchNormalization(name="after_activation")(y)
    y = layers.Conv2D(6, 3)(y)
    y = layers.BatchNormalization(axis=1, name="of_rows")(y)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(y)))


FAMILIES: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        plain, residual, depthwise, dense, sounds, enlarged, activations, nested, sequential,
        left_alone,
    )
}  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `family` runs with each."""
    if "family" in metafunc.fixturenames:
        metafunc.parametrize("family", FAMILIES)


@pytest.fixture
def build() -> Callable[[str], Any]:
    """Return a function that builds a model of a family."""
    return _build


def _build(name: str) -> Any:
    keras.utils.set_random_seed(7)
    model = FAMILIES[name]()
    for variable in model.weights:
        noise = keras.random.normal(variable.shape, stddev=0.1)
        positive = "variance" in variable.path or "gamma" in variable.path
        variable.assign(keras.ops.abs(noise) + 0.7 if positive else variable + noise)
    return model

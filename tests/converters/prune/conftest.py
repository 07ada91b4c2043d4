"""Small models of every family that the pruner knows, for its tests."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers


def conv_bn(x: Any, filters: int, size: int = 3, **options: Any) -> Any:
    x = layers.Conv2D(filters, size, padding="same", use_bias=False, **options)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def plain() -> Any:
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(24, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="sigmoid"),
            layers.Dropout(0.2),
            layers.GlobalAveragePooling2D(),
            layers.Dense(20, activation="tanh"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def flattened() -> Any:
    return keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            layers.Conv2D(16, 3, padding="same"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.ZeroPadding2D(1),
            layers.Conv2D(24, 3),
            layers.PReLU(),
            layers.Flatten(),
            layers.Dense(30),
            layers.Dense(3),
        ]
    )


def residual() -> Any:
    inputs = keras.Input((8, 8, 3))
    x = conv_bn(inputs, 24)
    y = conv_bn(x, 16)
    y = layers.BatchNormalization()(layers.Conv2D(24, 3, padding="same")(y))
    x = layers.ReLU()(layers.Add()([x, y]))
    y = layers.Conv2D(24, 1)(conv_bn(x, 32))
    x = layers.Activation("gelu")(layers.Average()([x, y]))
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, layers.Dense(5)(x))


def inception() -> Any:
    inputs = keras.Input((8, 8, 3))
    x = conv_bn(inputs, 16)
    branches = [conv_bn(x, 24, 1), conv_bn(x, 16, 3), layers.AveragePooling2D(3, 1, "same")(x)]
    x = layers.BatchNormalization()(layers.Concatenate()(branches))
    y = layers.Conv2D(56, 1)(x)
    x = layers.Subtract()([x, y])
    x = conv_bn(layers.Concatenate(axis=1)([x, y]), 16)
    return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))


def mobilenet_v1() -> Any:
    inputs = keras.Input((16, 16, 3))
    x = conv_bn(inputs, 16, strides=2)
    for filters, multiplier in ((32, 1), (40, 2)):
        x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=multiplier)(x)
        x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
        x = conv_bn(x, filters, 1)
    x = layers.SeparableConv2D(24, 3, depth_multiplier=2, activation="relu")(x)
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Conv2D(6, 1)(x)
    return keras.Model(inputs, layers.Softmax()(layers.Reshape((6,))(x)))


def mobilenet_v2() -> Any:
    inputs = keras.Input((16, 16, 3))
    x = conv_bn(inputs, 16, strides=2)
    for _ in range(2):
        y = conv_bn(x, 48, 1)
        y = layers.ReLU(6.0)(
            layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(y))
        )
        y = layers.BatchNormalization()(layers.Conv2D(16, 1)(y))
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling2D()(conv_bn(x, 64, 1))
    return keras.Model(inputs, layers.Dense(5)(layers.Dropout(0.1)(x)))


def squeeze_excite() -> Any:
    inputs = keras.Input((8, 8, 3))
    x = conv_bn(inputs, 32)
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Reshape((1, 1, 32))(gate)
    gate = layers.Dense(16, activation="relu")(gate)
    gate = layers.Dense(32, activation="hard_sigmoid")(gate)
    x = layers.Multiply()([x, gate])
    place = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)
    x = layers.Multiply()([x, place])
    return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))


def several_ways() -> Any:
    picture = keras.Input((8, 8, 3), name="picture")
    numbers = keras.Input((7,), name="numbers")
    x = layers.GlobalAveragePooling2D()(conv_bn(picture, 24))
    y = layers.Dense(24, activation="relu")(numbers)
    both = layers.Maximum()([x, y])
    wide = layers.Dense(32, activation="elu")(layers.Concatenate()([both, numbers]))
    return keras.Model(
        [picture, numbers],
        {
            "kind": layers.Dense(3, name="kind")(wide),
            "size": layers.Dense(1, name="size")(both),
        },
    )


def nested() -> Any:
    inner_input = keras.Input((8, 8, 24))
    inner_x = layers.Conv2D(24, 3, padding="same")(conv_bn(inner_input, 32))
    inner = keras.Model(inner_input, layers.Add()([inner_input, inner_x]), name="inner")
    head = keras.Sequential(
        [layers.Conv2D(16, 3), layers.ReLU(), layers.Flatten()], name="head"
    )
    inputs = keras.Input((8, 8, 3))
    x = inner(conv_bn(inputs, 24), training=False)
    return keras.Model(inputs, layers.Dense(5)(head(x)))


def shared() -> Any:
    one, other = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    twin = layers.Conv2D(16, 3, name="twin")
    x = layers.Concatenate()([twin(one), twin(other)])
    x = layers.Conv2D(32, 3, name="alone")(x)
    return keras.Model([one, other], layers.Dense(2)(layers.Flatten()(x)))


def transposed() -> Any:
    inputs = keras.Input((8, 8, 3))
    skip = conv_bn(inputs, 16)
    x = conv_bn(layers.MaxPooling2D()(skip), 32)
    x = layers.Conv2DTranspose(24, 2, 2, activation="relu")(x)
    x = conv_bn(layers.Concatenate()([x, skip]), 16)
    x = layers.UpSampling2D()(x)
    return keras.Model(inputs, layers.Conv2D(2, 1)(x))


def sequence() -> Any:
    inputs = keras.Input((20, 4))
    x = layers.Conv1D(24, 3, padding="causal", dilation_rate=2, activation="relu")(inputs)
    x = layers.DepthwiseConv1D(3)(x)
    x = layers.SeparableConv1D(32, 3)(x)
    x = layers.Conv1DTranspose(16, 3)(layers.MaxPooling1D()(x))
    x = layers.LayerNormalization()(x)
    x = layers.Dense(24, activation="silu")(x)
    x = layers.Reshape((-1, 48))(layers.Cropping1D((1, 1))(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalMaxPooling1D()(x)))


def volume() -> Any:
    inputs = keras.Input((6, 6, 6, 2))
    x = layers.Conv3D(16, 3, activation="relu")(inputs)
    x = layers.Conv3DTranspose(16, 2)(layers.MaxPooling3D()(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling3D()(x)))


def operations() -> Any:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same")(inputs)
    y = layers.Conv2D(16, 3, padding="same")(keras.ops.relu(x) * 0.5)
    x = keras.ops.sigmoid(x + y) * x
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


def mixed_order() -> Any:
    """Concatenations in opposite order, added: a cycle of ties."""
    inputs = keras.Input((6, 6, 3))
    a = layers.Conv2D(16, 1)(inputs)
    b = layers.Conv2D(8, 1)(inputs)
    x = layers.Add()([layers.Concatenate()([a, b]), layers.Concatenate()([b, a])])
    c = layers.Conv2D(24, 1)(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(c)))


def random_graph(seed: int) -> Any:
    """Layers in random order on random earlier tensors: a graph that nobody would draw."""
    rng = np.random.default_rng(seed)
    inputs = keras.Input((8, 8, 3))
    tensors = [conv_bn(inputs, 16), conv_bn(inputs, 24)]

    def some() -> Any:
        return tensors[rng.integers(len(tensors))]

    def fitted(x: Any, like: Any) -> Any:
        return x if x.shape[-1] == like.shape[-1] else layers.Conv2D(like.shape[-1], 1)(x)

    def gate(x: Any) -> Any:
        return layers.Dense(x.shape[-1], activation="sigmoid")(layers.GlobalMaxPooling2D()(x))

    steps: list[Callable[[Any], Any]] = [
        lambda x: conv_bn(x, int(rng.choice([8, 16, 20, 32]))),
        lambda x: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x),  # noqa: PLW0108 (a layer of its own)
        lambda x: layers.Add()([x, fitted(some(), x)]),
        lambda x: layers.Average()([fitted(some(), x), x, x]),
        lambda x: layers.Concatenate()([x, some(), x]),
        lambda x: layers.Multiply()([x, layers.Reshape((1, 1, x.shape[-1]))(gate(x))]),
        lambda x: layers.PReLU()(layers.MaxPooling2D(3, 1, "same")(x)),
        lambda x: layers.LayerNormalization()(x),  # noqa: PLW0108 (as well)
        lambda x: layers.Reshape((8, 8, x.shape[-1]))(layers.Flatten()(x)),
    ]
    for step in rng.choice(np.array(steps), 7):
        tensors += [step(some())]
    outputs = [layers.Dense(3)(layers.Flatten()(some())), layers.Conv2D(2, 1)(tensors[-1])]
    return keras.Model(inputs, outputs)


FAMILIES: dict[str, Callable[[], Any]] = {
    made.__name__: made
    for made in (
        plain, flattened, residual, inception, mobilenet_v1, mobilenet_v2, squeeze_excite,
        several_ways, nested, shared, transposed, sequence, volume, operations, mixed_order,
    )
}  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes a `family` runs with each."""
    if "family" in metafunc.fixturenames:
        metafunc.parametrize("family", FAMILIES)


@pytest.fixture
def build() -> Iterator[Callable[[str, int], Any]]:
    """Return a function that builds a model of a family."""
    yield _build
    keras.backend.clear_session()


def _build(name: str, seed: int) -> Any:
    """Build a model with random weights everywhere, BatchNorm statistics included.

    `random` is another graph for each seed.
    """
    keras.utils.set_random_seed(seed)
    model = random_graph(seed) if name == "random" else FAMILIES[name]()
    rng = keras.random.SeedGenerator(seed)
    for variable in model.weights:
        noise = keras.random.normal(variable.shape, stddev=0.2, seed=rng)
        positive = "variance" in variable.path or "gamma" in variable.path
        variable.assign(keras.ops.abs(noise) + 0.5 if positive else variable + noise)
    return model

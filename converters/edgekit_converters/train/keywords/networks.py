"""The networks: all take rows of features and give a probability for each class.

The input has shape (frames, features). Time runs along the second last axis of pictures that
are one wide, so that a temporal convolution is one of two dimensions, which every runtime and
the Edge TPU have; frequencies are its channels.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from edgekit.errors import UnknownName

layers = keras.layers
OUTPUT = "probabilities"
STREAMING_KERNELS = (9, 11, 13, 13, 13)
STREAMING_STEM = 3
STREAMING_POOL = 8  # frames that the last layer averages
_STREAMING_WIDTH = 64
_DROPOUT = 0.3

Network = Callable[[int, int, int], Any]


def check(name: str) -> None:
    """Refuse a network that there is not.

    Raises:
        UnknownName: There is none of that name.
    """
    if name not in NETWORKS:
        raise UnknownName(kind="network", name=name, known=list(NETWORKS))


def build(name: str, frames: int, features: int, classes: int) -> Any:
    """Build a network.

    Args:
        name: One of `NETWORKS`.
        frames: Rows that it sees at once.
        features: Values of a row.
        classes: How many classes it tells apart.

    Raises:
        UnknownName: There is no network of that name.
    """
    check(name)
    return NETWORKS[name](frames, features, classes)


def tc_resnet(frames: int, features: int, classes: int) -> Any:
    """Residual temporal convolutions, after TC-ResNet (arXiv 1904.03814).

    Two convolutions over time and frequency come first, so that a voice that is higher is
    seen alike; the others are separable, which leaves weights for more channels.
    """
    sound = keras.Input((frames, features), name="features")
    x = layers.Reshape((frames, features, 1), name="picture")(sound)
    for number, width in enumerate((12, 16)):
        name = f"stem{number}"
        x = layers.Conv2D(width, 3, (1, 2), padding="same", use_bias=False, name=name)(x)
        x = _normal(x, name)
    x = layers.Reshape((frames, 1, int(x.shape[2] * x.shape[3])), name="rows")(x)
    x = layers.Conv2D(48, 1, use_bias=False, name="mixed")(x)
    x = _normal(x, "mixed")
    for number, (width, stride) in enumerate(((64, 1), (80, 2), (96, 2))):
        name = f"block{number}"
        y = _separable(x, width, f"{name}_one", stride)
        y = layers.ReLU(name=f"{name}_one_relu")(y)
        y = _separable(y, width, f"{name}_two")
        short = layers.Conv2D(width, 1, stride, use_bias=False, name=f"{name}_short")(x)
        short = _normal(short, f"{name}_short")
        x = layers.ReLU(name=name)(layers.Add(name=f"{name}_sum")([y, short]))
    return _classified(sound, layers.GlobalAveragePooling2D(name="average")(x), classes)


def ds_cnn(frames: int, features: int, classes: int) -> Any:
    """Depthwise separable convolutions over time and frequency (arXiv 1711.07128)."""
    sound = keras.Input((frames, features), name="features")
    x = layers.Reshape((frames, features, 1), name="picture")(sound)
    x = layers.Conv2D(64, (10, 4), 2, padding="same", use_bias=False, name="stem")(x)
    x = _normal(x, "stem")
    for number in range(4):
        name = f"block{number}"
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_depth")(x)
        x = _normal(x, f"{name}_depth")
        x = layers.Conv2D(64, 1, use_bias=False, name=f"{name}_point")(x)
        x = _normal(x, f"{name}_point")
    return _classified(sound, layers.GlobalAveragePooling2D(name="average")(x), classes)


def streaming(frames: int, features: int, classes: int) -> Any:
    """Causal depthwise convolutions: `streaming.step_model` runs them on what is new.

    Nothing is padded, so that what a window gives is what a stream gives at its end.
    """
    sound = keras.Input((frames, features), name="features")
    x = layers.Reshape((frames, 1, features), name="rows")(sound)
    for name, layer in streaming_layers(_STREAMING_WIDTH):
        y = x
        for each in layer:
            y = each(y)
        if name != "stem":
            lost = int(x.shape[1]) - int(y.shape[1])
            short = layers.Cropping2D(((lost, 0), (0, 0)), name=f"{name}_last")(x)
            y = layers.Add(name=f"{name}_sum")([y, short])
        x = layers.ReLU(name=name)(y)
    x = layers.Cropping2D(((max(0, int(x.shape[1]) - STREAMING_POOL), 0), (0, 0)), name="last")(
        x
    )
    return _classified(sound, layers.GlobalAveragePooling2D(name="average")(x), classes)


def streaming_layers(width: int) -> list[tuple[str, list[Any]]]:
    """Return the layers of each part of the streaming network, up to its sum."""
    stem = [
        layers.Conv2D(width, (STREAMING_STEM, 1), use_bias=False, name="stem_conv"),
        layers.BatchNormalization(name="stem_norm"),
    ]
    parts = [("stem", stem)]
    for number, kernel in enumerate(STREAMING_KERNELS):
        name = f"block{number}"
        part = [
            layers.DepthwiseConv2D((kernel, 1), use_bias=False, name=f"{name}_depth"),
            layers.BatchNormalization(name=f"{name}_depth_norm"),
            layers.ReLU(name=f"{name}_depth_relu"),
            layers.Conv2D(width, 1, use_bias=False, name=f"{name}_point"),
            layers.BatchNormalization(name=f"{name}_point_norm"),
        ]
        parts.append((name, part))
    return parts


def lstm(frames: int, features: int, classes: int) -> Any:
    """One LSTM layer behind one convolution that halves the frames."""
    sound = keras.Input((frames, features), name="features")
    x = layers.Reshape((frames, 1, features), name="rows")(sound)
    x = layers.Conv2D(
        48, (5, 1), (2, 1), padding="same", use_bias=False, name="stem"
    )(x)  # fmt: skip
    x = _normal(x, "stem")
    x = layers.Reshape((int(x.shape[1]), 48), name="steps")(x)
    return _classified(sound, layers.LSTM(64, name="lstm")(x), classes)


def _separable(x: Any, width: int, name: str, stride: int = 1) -> Any:
    """Look along time in each channel, then across channels; a stride keeps the highest."""
    x = layers.DepthwiseConv2D((9, 1), padding="same", use_bias=False, name=f"{name}_depth")(x)
    if stride > 1:
        x = layers.MaxPooling2D((stride, 1), padding="same", name=f"{name}_highest")(x)
    x = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_point")(x)
    return layers.BatchNormalization(name=f"{name}_norm")(x)


def _normal(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _classified(sound: Any, x: Any, classes: int) -> Any:
    x = layers.Dropout(_DROPOUT, name="drop")(x)
    x = layers.Dense(classes, activation="softmax", name=OUTPUT)(x)
    return keras.Model(sound, x, name="keywords")


NETWORKS: Mapping[str, Network] = {
    "tc-resnet": tc_resnet,
    "ds-cnn": ds_cnn,
    "streaming": streaming,
    "lstm": lstm,
}

"""The net of a detector: backbone, a small feature pyramid, heads as in SSDLite.

All maps get the same number of channels, the coarser ones are added to the finer ones, and
a head of depthwise-separable convolutions reads each. ReLU6 only, nearest upsampling by 2,
so that every op runs on the integer accelerators.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from edgekit.errors import UsageError
from edgekit.vision.outputs.ssd import Level
from edgekit_converters.train.backbone import backbone, take_weights

CHANNELS = 64  # of the pyramid
_PRIOR = 0.01  # score of an anchor before anything was learnt
_COARSEST = 32

layers = keras.layers


def build(
    name: str,
    size: tuple[int, int],
    levels: Sequence[Level],
    classes: int,
    *,
    weights: Path | None = None,
    channels: int = CHANNELS,
) -> Any:
    """Build a detector.

    Args:
        name: Of the backbone, e.g. `mobilenet_v1_0.25`.
        size: Height and width of the input, multiples of 32.
        levels: Anchors of each feature map, strides rising, each twice the one before.
        classes: How many.
        weights: A classifier that the backbone takes its weights from.
        channels: Of the pyramid.

    Returns:
        A Keras model of RGB pictures in [-1, 1] with the outputs `boxes`, shape
        (N, anchors, 4), and `scores`, shape (N, anchors, classes), which are logits.

    Raises:
        SourceError: The weights do not fit the backbone.
        UsageError: There is no such backbone, or the input has no such size.
    """
    if any(side % _COARSEST or side <= 0 for side in size):
        msg = f"A detector's input has sides of a multiple of {_COARSEST}; found {size}."
        raise UsageError(msg)
    body = backbone(name, size, [level.stride for level in levels])
    if weights is not None:
        take_weights(body, weights)
    maps = _pyramid(keras.tree.flatten(body.outputs), channels)
    heads: dict[str, list[Any]] = {"boxes": [], "scores": []}
    for level, each in zip(levels, maps, strict=True):
        for role, values in (("boxes", 4), ("scores", classes)):
            heads[role].append(_head(each, role, level, values))
    outputs = {
        role: layers.Concatenate(axis=1, name=role)(parts)
        if len(parts) > 1
        else layers.Identity(name=role)(parts[0])
        for role, parts in heads.items()
    }
    return keras.Model(body.inputs, outputs, name="detector")


def _pyramid(maps: Sequence[Any], channels: int) -> list[Any]:
    """Bring all maps to the same channels; each gets what the coarser ones know."""
    made: list[Any] = []
    for number, each in reversed(list(enumerate(maps))):
        lateral = _convolved(each, channels, f"lateral_{number}")
        if made:
            above = layers.UpSampling2D(2, name=f"up_{number}")(made[0])
            lateral = layers.Add(name=f"join_{number}")([lateral, above])
            lateral = _separable(lateral, channels, f"smooth_{number}")
        made.insert(0, lateral)
    return made


def _head(x: Any, role: str, level: Level, values: int) -> Any:
    """Read one map: a separable convolution, then one that gives the values of each anchor."""
    name, count = f"{role}_{level.stride}", len(level.sizes)
    rows, columns, channels = x.shape[1:]
    x = _separable(x, channels, name)
    x = _depthwise(x, f"{name}_last")
    prior = -math.log((1 - _PRIOR) / _PRIOR) if role == "scores" else 0.0
    x = layers.Conv2D(
        count * values,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(prior),
        name=f"{name}_values",
    )(x)
    return layers.Reshape((rows * columns * count, values), name=f"{name}_flat")(x)


def _separable(x: Any, channels: int, name: str) -> Any:
    return _convolved(_depthwise(x, name), channels, f"{name}_pw")


def _depthwise(x: Any, name: str) -> Any:
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"{name}_dw")(x)
    return _normalized(x, f"{name}_dw")


def _convolved(x: Any, channels: int, name: str) -> Any:
    x = layers.Conv2D(channels, 1, use_bias=False, name=name)(x)
    return _normalized(x, name)


def _normalized(x: Any, name: str) -> Any:
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x)

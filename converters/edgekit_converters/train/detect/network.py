"""The network: a backbone, a small pyramid of features, and heads of separable convolutions.

Everything is a convolution, an addition or an enlargement by two, with ReLU6 in between:
what integers on every device do well. Scores leave as logits, so that no sigmoid of all
anchors is computed where a threshold on logits does.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras

from edgekit.vision.outputs.ssd import Level
from edgekit_converters.train.backbones import build, norm, relu

INPUT, BOXES, SCORES = "image", "boxes", "scores"
_RARE = 0.01  # probability that any anchor holds an object, before anything is learned


def detector(
    backbone: str, size: int, levels: Sequence[Level], classes: int, width: int
) -> Any:
    """Build a detector.

    Args:
        backbone: Name of the backbone, see `backbones.build`.
        size: Side of its square input, a multiple of 32.
        levels: Its anchors, from fine to coarse.
        classes: How many classes it tells apart.
        width: Channels of the pyramid and of the heads.

    Returns:
        A Keras model with the outputs `boxes` (N, anchors, 4) and `scores` (N, anchors,
        classes).
    """
    picture = keras.Input((size, size, 3), name=INPUT)
    seen = build(backbone, picture, whole=False)
    pyramid = _pyramid(seen.taps, [level.stride for level in levels], width)
    boxes, scores = [], []
    for level, x in zip(levels, pyramid, strict=True):
        count, name = len(level.sizes), f"s{level.stride}"
        boxes.append(_head(x, f"{name}_boxes", width, (count, 4)))
        scores.append(_head(x, f"{name}_scores", width, (count, classes), _RARE))
    outputs = {BOXES: _joined(boxes, BOXES), SCORES: _joined(scores, SCORES)}
    return keras.Model(picture, outputs, name="detector")


def _pyramid(taps: dict[int, Any], strides: Sequence[int], width: int) -> list[Any]:
    """Mix what is seen in detail with what is seen at large."""
    x = _separable(_lateral(taps[32], "p32", width), "p32_mix", width)
    found = {32: x}
    for stride in (16, 8):
        if stride < min(strides):
            break
        wide = keras.layers.UpSampling2D(2, interpolation="nearest", name=f"p{stride}_up")(x)
        side = _lateral(taps[stride], f"p{stride}", width)
        if stride == min(strides) == 16:  # finer detail, at the price of one layer
            side = _summed([side, _detail(taps[8], "p8", width)], "p16_detail")
        x = _separable(_summed([wide, side], f"p{stride}_sum"), f"p{stride}_mix", width)
        found[stride] = x
    if min(strides) < 32:
        down = _separable(x if min(strides) == 16 else found[16], "p32_down", width, 2)
        found[32] = _separable(_summed([found[32], down], "p32_sum"), "p32_last", width)
    return [found[stride] for stride in strides]


def _lateral(x: Any, name: str, width: int) -> Any:
    x = keras.layers.Conv2D(width, 1, use_bias=False, name=f"{name}_side")(x)
    return relu(norm(x, f"{name}_side_bn"), f"{name}_side_relu")


def _detail(x: Any, name: str, width: int) -> Any:
    return _separable(x, f"{name}_detail", width, 2)


def _summed(parts: list[Any], name: str) -> Any:
    return keras.layers.Add(name=name)(parts)


def _separable(x: Any, name: str, width: int, stride: int = 1) -> Any:
    x = keras.layers.DepthwiseConv2D(
        3, stride, padding="same", use_bias=False, name=f"{name}_dw"
    )(x)
    x = relu(norm(x, f"{name}_dw_bn"), f"{name}_dw_relu")
    x = keras.layers.Conv2D(width, 1, use_bias=False, name=f"{name}_pw")(x)
    return relu(norm(x, f"{name}_pw_bn"), f"{name}_pw_relu")


def _head(x: Any, name: str, width: int, shape: tuple[int, int], prior: float = 0.5) -> Any:
    """Give (anchors of a cell, values) for each cell, shape (N, anchors, values)."""
    count, values = shape
    for number in (1, 2):
        x = _separable(x, f"{name}_{number}", width)
    x = keras.layers.Conv2D(
        count * values,
        1,
        name=f"{name}_out",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(math.log(prior / (1 - prior))),
    )(x)
    anchors = x.shape[1] * x.shape[2] * count
    return keras.layers.Reshape((anchors, values), name=f"{name}_flat")(x)


def _joined(parts: list[Any], name: str) -> Any:
    if len(parts) == 1:
        return keras.layers.Reshape(parts[0].shape[1:], name=name)(parts[0])
    return keras.layers.Concatenate(axis=1, name=name)(parts)

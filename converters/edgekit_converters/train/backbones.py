"""Backbones: MobileNet V1 and V2 at any width, layer by layer under their usual names.

Padding is `same` throughout. For sides that are a multiple of 32 it is what the originals
do with layers of their own, so that their weights fit.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from edgekit.errors import SourceError, UsageError
from edgekit_converters.sources import load_source

STRIDES = (8, 16, 32)
_EPSILON = 1e-3
_NAME = re.compile(r"(mobilenet_v[12])_(\d+(?:\.\d+)?)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Features:
    """What a backbone sees.

    Attributes:
        taps: By stride, the last feature map with it.
        top: The very last one, which classifiers take.
    """

    taps: dict[int, Any]
    top: Any


def build(name: str, x: Any, *, whole: bool = True) -> Features:
    """Build a backbone.

    Args:
        name: `mobilenet_v1_W` or `mobilenet_v2_W`, W its width, e.g. `mobilenet_v1_0.25`.
        x: A picture, its pixels from -1 to 1; the sides a multiple of 32.
        whole: With the last block, which knows what classes look like; detectors that have
            a pyramid of their own do without.

    Raises:
        UsageError: There is no such backbone.
    """
    match = _NAME.fullmatch(name)
    if match is None or not 0 < float(match[2]) <= 4:
        msg = (
            f"No backbone named '{name}'. Known: {', '.join(_BUILDERS)}, each followed by its "
            "width, e.g. mobilenet_v1_0.25 or mobilenet_v2_1.0."
        )
        raise UsageError(msg)
    return _BUILDERS[match[1]](x, float(match[2]), whole)


def load_weights(model: Any, path: Path) -> int:
    """Take over the weights of a file's layers of the same name and shape.

    Args:
        model: The model that learns; its weights change.
        path: A Keras file, e.g. a classifier trained on ImageNet.

    Returns:
        How many layers were taken over.

    Raises:
        SourceError: It cannot be imported, or has not a single layer in common.
    """
    theirs = {layer.name: layer for layer in load_source(path).model.layers}
    taken, missing = 0, []
    for layer in model.layers:
        if not layer.weights:
            continue
        other = theirs.get(layer.name)
        if other and [w.shape for w in other.weights] == [w.shape for w in layer.weights]:
            layer.set_weights(other.get_weights())
            taken += 1
        else:
            missing.append(layer.name)
    if not taken:
        msg = (
            f"{path} has no layer that fits: {', '.join(missing[:5])} ... were looked for by "
            f"name and shape; it has {', '.join(list(theirs)[:5])} ...\n"
            "Is it another backbone, or one of another width?"
        )
        raise SourceError(msg)
    _log.info("%s: %d layers begin with its weights.", path.name, taken)
    return taken


def norm(x: Any, name: str) -> Any:
    """Batch normalization, as all layers here have it."""
    return keras.layers.BatchNormalization(epsilon=_EPSILON, momentum=0.97, name=name)(x)


def relu(x: Any, name: str) -> Any:
    """ReLU up to 6, which keeps ranges small for integers."""
    return keras.layers.ReLU(6.0, name=name)(x)


def _v1(x: Any, width: float, whole: bool) -> Features:
    def convolved(x: Any, name: str, filters: int, kernel: int, stride: int = 1) -> Any:
        x = keras.layers.Conv2D(
            filters, kernel, stride, padding="same", use_bias=False, name=name
        )(x)
        return relu(norm(x, f"{name}_bn"), f"{name}_relu")

    x = convolved(x, "conv1", int(32 * width), 3, 2)
    taps, stride = {}, 2
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    plan += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    for number, (filters, step) in enumerate(plan[: None if whole else -1], 1):
        if step == 2:
            taps[stride] = x
            stride *= 2
        depth = f"conv_dw_{number}"
        x = keras.layers.DepthwiseConv2D(3, step, padding="same", use_bias=False, name=depth)(x)
        x = relu(norm(x, f"{depth}_bn"), f"{depth}_relu")
        x = convolved(x, f"conv_pw_{number}", int(filters * width), 1)
    return Features({**taps, stride: x}, x)


def _v2(x: Any, width: float, whole: bool) -> Features:
    def pointwise(x: Any, name: str, bn: str, filters: int) -> Any:
        return norm(keras.layers.Conv2D(filters, 1, use_bias=False, name=name)(x), bn)

    x = keras.layers.Conv2D(
        _even(32 * width), 3, 2, padding="same", use_bias=False, name="Conv1"
    )(x)
    x = relu(norm(x, "bn_Conv1"), "Conv1_relu")
    taps: dict[int, Any] = {}
    stride, number = 2, 0
    plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
    plan += [(6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, filters, repeats, first in plan[: None if whole else -1]:
        for repeat in range(repeats):
            step = first if repeat == 0 else 1
            name = f"block_{number}" if number else "expanded_conv"
            before, channels = x, x.shape[-1]
            if expansion > 1:
                x = pointwise(x, f"{name}_expand", f"{name}_expand_BN", channels * expansion)
                x = relu(x, f"{name}_expand_relu")
            if step == 2:
                taps[stride] = x
                stride *= 2
            depth = f"{name}_depthwise"
            x = keras.layers.DepthwiseConv2D(
                3, step, padding="same", use_bias=False, name=depth
            )(x)
            x = relu(norm(x, f"{depth}_BN"), f"{depth}_relu")
            made = _even(filters * width)
            x = pointwise(x, f"{name}_project", f"{name}_project_BN", made)
            if step == 1 and channels == made:
                x = keras.layers.Add(name=f"{name}_add")([before, x])
            number += 1
    taps[stride] = x
    if whole:
        x = relu(
            pointwise(x, "Conv_1", "Conv_1_bn", max(1280, _even(1280 * width))), "out_relu"
        )
    return Features(taps, x)


def _even(channels: float) -> int:
    """Round to a multiple of 8, by no more than a tenth downwards."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


_BUILDERS: dict[str, Callable[[Any, float, bool], Features]] = {
    "mobilenet_v1": _v1,
    "mobilenet_v2": _v2,
}

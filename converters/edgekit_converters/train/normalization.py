"""BatchNormalization as one kernel, while a model learns.

Keras puts it together from single operators, each of which reads and writes all values again.
TensorFlow has a kernel that does the same in one go, forwards and backwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import keras
import tensorflow as tf

_DIMENSIONS = 4  # that the kernel takes: pictures, channels last


def normalizations(model: Any) -> list[Any]:
    """Return the BatchNormalization layers of a model."""
    return [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]


@contextmanager
def fused(model: Any) -> Iterator[None]:
    """Let the normalizations of a model that see pictures use the kernel, for a while.

    What they compute stays the same, to rounding; the layers are not changed.

    Args:
        model: Keras model whose layers are built.
    """
    chosen = [layer for layer in normalizations(model) if _fits(layer)]
    for layer in chosen:
        layer.call = MethodType(_call, layer)
    try:
        yield
    finally:
        for layer in chosen:
            del layer.call


def _fits(layer: Any) -> bool:
    dimensions = len(layer.input.shape)
    last = layer.axis in (-1, dimensions - 1)
    return dimensions == _DIMENSIONS and last and layer.scale and layer.center


def _call(layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
    """Stand in for `BatchNormalization.call`."""
    if not training or not layer.trainable or mask is not None:
        return type(layer).call(layer, inputs, training=training, mask=mask)
    values, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs, layer.gamma, layer.beta, epsilon=layer.epsilon, is_training=True
    )
    # The kernel's variance is that of a sample, Keras' that of all values.
    count = tf.cast(tf.size(inputs) / layer.gamma.shape[0], variance.dtype)
    _move(layer.moving_mean, mean, layer.momentum)
    _move(layer.moving_variance, variance * (count - 1) / count, layer.momentum)
    return values


def _move(average: Any, value: Any, momentum: float) -> None:
    average.assign(average * momentum + value * (1 - momentum))

"""A bias that overflows its integers is stored whole."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.runtime.opening import load
from edgekit_converters.quantize.second_engine import quantize_tflite

pytestmark = pytest.mark.tf


@pytest.mark.parametrize("scheme", ["int8", "int16x8"])
@pytest.mark.parametrize("kind", ["dense", "conv", "depthwise"])
def test_channels_with_weights_of_nearly_zero_keep_their_bias(
    float_file: Any, tmp_path: Path, scheme: str, kind: str
) -> None:
    import tensorflow as tf

    rng = np.random.default_rng(0)
    faint = np.array([1.0, 1e-4, 1e-12, 1e-9], np.float32)  # as batch normalization leaves them
    bias = tf.constant([0.5, -3.0, 2.0, 0.7])

    def weights(*shape: int) -> Any:
        values = rng.standard_normal(shape).astype(np.float32)
        return tf.constant(
            values * faint.reshape(-1, 1) if kind == "depthwise" else values * faint
        )

    functions = {
        "dense": (lambda x: tf.matmul(x, weights(6, 4)) + bias, (1, 6)),
        "conv": (
            lambda x: tf.nn.conv2d(x, weights(3, 3, 2, 4), 1, "SAME") + bias,
            (1, 5, 5, 2),
        ),
        "depthwise": (
            lambda x: tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 1), [1] * 4, "SAME") + bias,
            (1, 5, 5, 4),
        ),
    }
    function, shape = functions[kind]
    source, made = float_file(function, shape), tmp_path / "made.tflite"
    data = [rng.random(shape, np.float32) for _ in range(10)]
    quantize_tflite(source, made, scheme=scheme, samples=[{"x": each} for each in data])
    exact: Any = load(source, probe=False)
    ours: Any = load(made, probe=False)
    span = np.ptp([exact(each) for each in data])
    for each in data:
        assert np.abs(ours(each) - exact(each)).max() < 0.02 * span

"""Operators that ai-edge-quantizer leaves in float become integer where a kernel exists."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.flatbuffer.graph import Graph
from edgekit.runtime.opening import load
from edgekit_converters.quantize.second_engine import quantize_tflite

pytestmark = pytest.mark.tf

IMAGE = (1, 8, 8, 4)
Function = Callable[[Any, Any], Any]


ISLANDS: list[Any] = [
    pytest.param("LEAKY_RELU", lambda tf, x: tf.nn.leaky_relu(x, 0.2), id="leaky relu"),
    pytest.param("RELU6", lambda tf, x: tf.nn.relu6(x), id="relu6"),
    pytest.param("ELU", lambda tf, x: tf.nn.elu(x), id="elu"),
    pytest.param("EXP", lambda tf, x: tf.exp(x), id="exp"),
    pytest.param("ABS", lambda tf, x: tf.abs(x), id="abs"),
    pytest.param("L2_NORMALIZATION", lambda tf, x: tf.math.l2_normalize(x, -1), id="l2"),
    pytest.param("REDUCE_MAX", lambda tf, x: tf.reduce_max(x, 1, keepdims=True), id="maximum"),
    pytest.param("DEPTH_TO_SPACE", lambda tf, x: tf.nn.depth_to_space(x, 2), id="to space"),
    pytest.param("TILE", lambda tf, x: tf.tile(x, (1, 2, 1, 1)), id="tile"),
    pytest.param("REVERSE_V2", lambda tf, x: tf.reverse(x, [1]), id="reverse"),
    pytest.param(
        "SPACE_TO_BATCH_ND",
        lambda tf, x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]),
        id="to batch",
    ),
]


def quantized(source: Path, made: Path, scheme: str) -> float:
    """Quantize and return the largest error on other samples, as a share of the range."""
    rng = np.random.default_rng(0)
    data = [{"x": rng.uniform(-2, 2, IMAGE).astype(np.float32)} for _ in range(40)]
    quantize_tflite(source, made, scheme=scheme, samples=data[:30])
    exact, ours = load(source, probe=False), load(made, probe=False)
    wanted = np.array([exact(each["x"]) for each in data[30:]])
    found = np.array([ours(each["x"]) for each in data[30:]])
    return float(np.abs(wanted - found).max() / np.ptp(wanted))


@pytest.mark.parametrize(("name", "function"), ISLANDS)
def test_an_operator_between_integers_becomes_integer(
    float_file: Any, tmp_path: Path, name: str, function: Function
) -> None:
    import tensorflow as tf

    def surrounded(x: Any) -> Any:
        return function(tf, tf.concat([x, x * 1.5], -1)) * 2.0

    source, made = float_file(surrounded, IMAGE), tmp_path / "made.tflite"
    assert quantized(source, made, "int8") < 0.03
    graph = Graph(made)
    assert graph.fully_integer
    assert name in {op.op for op in graph.ops}
    assert sum(op.op == "DEQUANTIZE" for op in graph.ops) == 1  # that of the output


def test_prelu_gets_integer_slopes(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    entry = keras.Input(batch_shape=IMAGE)
    slopes = keras.initializers.RandomUniform(0.1, 0.5, seed=0)
    layer = keras.layers.PReLU(alpha_initializer=slopes, shared_axes=[1, 2])
    model = keras.Model(entry, layer(keras.layers.AveragePooling2D(2)(entry)) * 2.0)
    source, made = tmp_path / "float.tflite", tmp_path / "made.tflite"
    source.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    assert quantized(source, made, "int8") < 0.03
    assert Graph(made).fully_integer
    assert "PRELU" in {op.op for op in Graph(made).ops}


def test_operators_in_a_row_at_the_models_border_become_integer(
    float_file: Any, tmp_path: Path
) -> None:
    import tensorflow as tf

    source = float_file(lambda x: tf.abs(tf.nn.leaky_relu(tf.reverse(x, [1]), 0.2)), IMAGE)
    made = tmp_path / "made.tflite"
    assert quantized(source, made, "int8") < 0.02
    names = [op.op for op in Graph(made).ops]
    assert names == ["QUANTIZE", "REVERSE_V2", "LEAKY_RELU", "ABS", "DEQUANTIZE"]


def test_sixteen_bit_kernels_are_used_where_they_exist(float_file: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    source = float_file(lambda x: tf.nn.leaky_relu(tf.nn.relu(x) - 1.0, 0.2), IMAGE)
    made = tmp_path / "made.tflite"
    assert quantized(source, made, "int16x8") < 0.001
    assert Graph(made).fully_integer

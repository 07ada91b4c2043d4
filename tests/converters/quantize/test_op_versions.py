"""The versions that the rules give are those that TensorFlow itself writes."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.flatbuffer.tables import read
from edgekit_converters.quantize.op_versions import (
    RULES,
    Kind,
    Signature,
    op_name,
    set_versions,
    signature,
    version_of,
)
from edgekit_converters.quantize.second_engine import quantize_tflite

pytestmark = [
    pytest.mark.tf,
    pytest.mark.filterwarnings("ignore::UserWarning:tensorflow.*"),  # about its own options
]

IMAGE = (1, 8, 8, 4)
# The calibrated 16-bit route writes 1 for the QUANTIZE of an input, the exporter 2.
QUIRKS = {"int16x8": {"QUANTIZE"}}


def uses(content: bytes) -> Iterator[tuple[Signature, int]]:
    """Every operator of a file with the version that it asks for."""
    model = read(content).model
    for subgraph in model.subgraphs:
        for op in subgraph.operators:
            yield signature(model, subgraph, op), model.operator_codes[op.opcode_index].version


def calibrated(converter: Any, *shapes: tuple[int, ...]) -> Any:
    rng = np.random.default_rng(0)
    converter.representative_dataset = lambda: (
        [rng.standard_normal(shape).astype(np.float32) for shape in shapes] for _ in range(4)
    )
    return converter


def with_scheme(converter: Any, scheme: str, *shapes: tuple[int, ...]) -> bytes:
    import tensorflow as tf

    if scheme != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme in {"int8", "int16x8"}:
        calibrated(converter, *shapes)
    if scheme == "int16x8":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,
        ]
    if scheme == "float16":
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content


def assert_same_versions(content: bytes, *, but: Collection[str] = ()) -> None:
    """All uses of an operator share one version, so the rules' highest one must be it."""
    found: dict[str, int] = {}
    needed: dict[str, int] = {}
    for use, version in uses(content):
        if use.op not in but and (use.quantized or use.op in RULES):
            found[use.op] = version
            needed[use.op] = max(needed.get(use.op, 0), version_of(use) or 0)
    assert needed == found


def mobile(layers: Any, x: Any) -> Any:
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2)(x)))
    y = layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x)
    y = layers.Conv2D(8, 1, activation="hard_swish")(y)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    y = layers.Multiply()([y, layers.Conv2D(8, 1, activation="sigmoid")(gate)])
    x = layers.Add()([x, y])
    return layers.Dense(5, activation="softmax")(layers.GlobalAveragePooling2D()(x))


def decoder(layers: Any, x: Any) -> Any:
    x = layers.LeakyReLU()(layers.Conv2DTranspose(8, 3, strides=2, padding="same")(x))
    y = layers.UpSampling2D(interpolation="bilinear")(layers.MaxPooling2D()(x))
    z = layers.UpSampling2D()(layers.AveragePooling2D(2)(x))
    x = layers.Concatenate()([x, y, z])
    x = layers.ZeroPadding2D()(layers.PReLU(shared_axes=[1, 2])(x))
    x = layers.Cropping2D()(layers.SeparableConv2D(8, 3, padding="same")(x))
    return layers.Conv2DTranspose(3, 3, padding="same", activation="tanh")(x)


def attention(layers: Any, x: Any) -> Any:
    x = layers.Reshape((16, 48))(x)
    x = layers.Dense(16, activation="gelu")(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)])
    x = layers.LayerNormalization()(x)
    return layers.Dense(4)(layers.GlobalMaxPooling1D()(x))


def sequence(layers: Any, x: Any) -> Any:
    x = layers.Reshape((48, 16))(x)
    x = layers.Conv1D(8, 3, dilation_rate=2, padding="causal", activation="relu")(x)
    x = layers.Subtract()(
        [x, layers.Average()([x, layers.DepthwiseConv1D(3, padding="same")(x)])]
    )
    x = layers.GRU(4, unroll=True)(layers.MaxPooling1D(12)(x))
    return layers.Dense(3, activation="sigmoid")(x)


@pytest.mark.parametrize("family", [mobile, decoder, attention, sequence])
def test_rules_give_the_converters_versions_for_int8_keras_nets(
    family: Callable[[Any, Any], Any],
) -> None:
    import keras
    import tensorflow as tf

    entry = keras.Input(batch_shape=(1, 16, 16, 3))
    model = keras.Model(entry, family(keras.layers, entry))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    assert_same_versions(with_scheme(converter, "int8", (1, 16, 16, 3)))


def zoo(x: Any) -> dict[str, Any]:
    """Every operator that ai-edge-quantizer or edgekit makes integer, in its forms."""
    import tensorflow as tf

    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return tf.constant(rng.standard_normal(shape).astype(np.float32))

    flat, rows, gate = tf.reshape(x, (1, 256)), tf.reshape(x, (1, 16, 16)), tf.sigmoid(x)
    deep = tf.reshape(x, (1, 2, 4, 8, 4))
    positive, wide = tf.abs(x) + 1.0, tf.nn.max_pool2d(x, 3, 1, "SAME")
    nn, image = tf.nn, tf.compat.v1.image
    border = [[0, 0], [1, 1], [1, 1], [0, 0]]
    results = [
        nn.relu(nn.conv2d(x, weights(3, 3, 4, 8), 1, "SAME") + weights(8)),
        nn.conv2d(x, weights(3, 3, 4, 8), 1, "SAME", dilations=2),
        nn.conv2d(x, weights(3, 3, 2, 8), 1, "SAME"),  # grouped
        nn.depthwise_conv2d(x, weights(3, 3, 4, 1), [1, 1, 1, 1], "SAME"),
        nn.depthwise_conv2d(x, weights(3, 3, 4, 1), [1, 1, 1, 1], "SAME", dilations=[2, 2]),
        nn.conv2d_transpose(x, weights(3, 3, 6, 4), [1, 16, 16, 6], 2, "SAME"),
        nn.relu(nn.conv2d_transpose(x, weights(2, 2, 6, 4), [1, 16, 16, 6], 2) + weights(6)),
        tf.matmul(flat, weights(256, 32)) + weights(32),
        tf.matmul(flat, weights(256, 3)),
        tf.tensordot(rows, weights(16, 128), 1) + weights(128),
        tf.matmul(rows, rows, transpose_b=True),
        x + gate, x - gate, deep - tf.reduce_mean(deep, 1, keepdims=True), x * gate, x * 50.0,
        x / positive, tf.concat([x, gate], -1), tf.maximum(x, wide), tf.minimum(x, wide),
        tf.reduce_mean(x, [1, 2]), tf.reduce_sum(x, -1),
        tf.reduce_max(x, 1), tf.reduce_min(x, 1),
        nn.softmax(flat), tf.tanh(x), nn.relu(x), nn.relu6(x), nn.leaky_relu(x, 0.1),
        nn.gelu(x, approximate=True), nn.elu(x),
        nn.max_pool2d(x, 2, 2, "SAME"), nn.avg_pool2d(x, 2, 2, "SAME"),
        tf.transpose(x, (0, 3, 1, 2)), tf.transpose(deep, (0, 3, 1, 2, 4)),
        tf.pad(x, border), tf.pad(deep, [*border, [0, 0]]), tf.pad(x, border, "REFLECT"),
        x[:, 1:3, ::2], deep[:, :, 1:3, ::2], tf.slice(x, [0, 1, 1, 0], [1, 4, 4, 2]),
        tf.slice(deep, [0, 0, 1, 1, 0], [1, 1, 2, 2, 2]), tf.add(*tf.split(x, 2, -1)),
        tf.stack([x, gate], 1), tf.gather(x, [1, 2], axis=1), tf.gather_nd(x, [[0, 1], [0, 2]]),
        image.resize_bilinear(x, (16, 16)), tf.image.resize(x, (16, 16)),
        image.resize_nearest_neighbor(x, (16, 16)), tf.image.resize(x, (16, 16), "nearest"),
        tf.sqrt(positive), tf.math.rsqrt(positive), tf.exp(x), tf.math.log(positive),
        tf.math.squared_difference(x, gate), tf.tile(x, (1, 2, 1, 1)), tf.reverse(x, [1]),
        tf.broadcast_to(x, (2, 8, 8, 4)), nn.space_to_depth(x, 2), nn.depth_to_space(x, 2),
        tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), tf.math.l2_normalize(x, -1),
    ]  # fmt: skip
    return {f"y{index}": result for index, result in enumerate(results)}


@pytest.fixture(scope="module")
def zoo_function() -> Any:
    import tensorflow as tf

    return tf.function(zoo).get_concrete_function(tf.TensorSpec(IMAGE, tf.float32, name="x"))


@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_rules_give_the_converters_versions_for_every_operator(
    zoo_function: Any, scheme: str
) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([zoo_function])
    content = with_scheme(converter, scheme, IMAGE)
    assert len({use.op for use, _ in uses(content)}) > 50
    # Float operators of a 16-bit file keep the versions of the integers that they are not.
    but = {use.op for use, _ in uses(content) if scheme == "int16x8" and not use.quantized}
    assert_same_versions(content, but=but | QUIRKS.get(scheme, set()))


@pytest.mark.parametrize("scheme", ["int8", "dynamic", "weight-only", "float16"])
def test_tensorflows_exporter_gives_the_second_engines_files_the_same_versions(
    zoo_function: Any, tmp_path: Path, scheme: str
) -> None:
    import tensorflow as tf
    from tensorflow.lite.python import convert

    source, made = tmp_path / "float.tflite", tmp_path / "made.tflite"
    source.write_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([zoo_function]).convert()
    )
    rng = np.random.default_rng(0)
    samples = [{"x": rng.standard_normal(IMAGE).astype(np.float32)} for _ in range(4)]
    quantize_tflite(source, made, scheme=scheme, samples=samples)

    def counted(content: bytes) -> Counter[tuple[str, int]]:
        return Counter((use.op, version) for use, version in uses(content))

    # Reads the file into MLIR and writes it again, with the versions of the exporter.
    again: bytes = convert.mlir_sparsify(made.read_bytes())
    assert counted(made.read_bytes()) == counted(again)


def kind(dtype: str, *shape: int, scales: int = 1) -> Kind:
    return Kind(dtype, shape, (0.1,) * scales)


@pytest.mark.parametrize(
    ("use", "version"),
    [
        pytest.param(
            Signature(
                "FULLY_CONNECTED",
                (Kind("FLOAT32", (1, 8)), kind("INT8", 4, 8, scales=4)),
                (Kind("FLOAT32", (1, 4)),),
                {"keep_num_dims": False, "asymmetric_quantize_inputs": False},
            ),
            12,
            id="hybrid dense per channel",
        ),
        pytest.param(
            Signature(
                "FULLY_CONNECTED",
                (Kind("FLOAT32", (1, 8)), kind("INT8", 4, 8)),
                (Kind("FLOAT32", (1, 4)),),
                {"keep_num_dims": False, "asymmetric_quantize_inputs": True},
            ),
            9,
            id="hybrid dense per tensor",
        ),
        pytest.param(
            Signature("MUL", (kind("INT8"), kind("INT8")), (Kind("INT8", (), (0.001,)),), {}),
            3,
            id="product with a scale above one",
        ),
        pytest.param(
            Signature("DEQUANTIZE", (kind("INT8", 4, 8, scales=4),), (Kind("FLOAT32"),), {}),
            5,
            id="dequantize per channel",
        ),
        pytest.param(Signature("NO_SUCH_OP", (), (), {}), None, id="unknown"),
    ],
)
def test_known_versions(use: Signature, version: int | None) -> None:
    assert version_of(use) == version


def test_all_uses_of_an_operator_share_one_code_with_the_highest_version(
    float_file: Any,
) -> None:
    import tensorflow as tf

    def function(x: Any) -> Any:
        deep = tf.transpose(tf.reshape(x, (1, 2, 4, 8, 4)), (0, 3, 1, 2, 4))
        return tf.transpose(tf.reshape(deep, (1, 8, 8, 4)), (0, 2, 1, 3))

    model = read(float_file(function, IMAGE).read_bytes()).model
    transposes = [
        op for op in model.subgraphs[0].operators if op_name(model, op) == "TRANSPOSE"
    ]
    model.operator_codes = [*model.operator_codes, *model.operator_codes]
    transposes[0].opcode_index += len(model.operator_codes) // 2
    for code in model.operator_codes:
        code.version = 1
    set_versions(model)
    versions = {
        op_name(model, op): version_in(model, op) for op in model.subgraphs[0].operators
    }
    assert versions == {"TRANSPOSE": 4, "RESHAPE": 1}
    assert len(model.operator_codes) == 2


def version_in(model: Any, op: Any) -> int:
    version: int = model.operator_codes[op.opcode_index].version
    return version

"""Groups of channels: factors on them leave the function of any graph as it is."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.tables import pack
from edgekit_converters.quantize.chain.channels import Channels, find_channels
from edgekit_converters.quantize.chain.patching import rescale
from edgekit_converters.quantize.float_graph import interpreter, prepare, run

pytestmark = pytest.mark.tf

IMAGE = (1, 8, 8, 3)
Net = Callable[..., Any]


def weights(*shape: int, seed: int = 0) -> Any:
    import tensorflow as tf

    spread = 1 / np.sqrt(np.prod(shape[:-1]))
    values = np.random.default_rng(seed).standard_normal(shape) * spread
    return tf.constant(values.astype(np.float32))


def conv(x: Any, channels: int, size: int = 3, seed: int = 0, **options: Any) -> Any:
    import tensorflow as tf

    shape = (size, size, options.pop("read", x.shape[-1]), channels)
    kernel = weights(*shape, seed=seed)
    return tf.nn.conv2d(x, kernel, 1, "SAME", **options) + weights(channels, seed=seed)


def relu(x: Any) -> Any:
    import tensorflow as tf

    return tf.nn.relu(x)


def chain(x: Any) -> Any:
    return conv(relu(conv(relu(conv(x, 8)), 6, seed=1)), 4, seed=2)


def depthwise(x: Any) -> Any:
    import tensorflow as tf

    x = relu(conv(x, 4))
    x = relu(tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 2), [1, 1, 1, 1], "SAME") + weights(8))
    return conv(x, 4, seed=2)


def residual(x: Any) -> Any:
    x = relu(conv(x, 8))
    return conv(relu(x + conv(relu(conv(x, 6, seed=1)), 8, seed=2)), 4, seed=3)


def concatenated(x: Any) -> Any:
    import tensorflow as tf

    a, b = relu(conv(x, 5)), relu(conv(x, 7, seed=1))
    return conv(tf.concat([a, b, a], -1), 4, seed=2)


def flattened(x: Any) -> Any:
    import tensorflow as tf

    x = tf.nn.max_pool2d(relu(conv(x, 6)), 4, 4, "VALID")
    x = relu(tf.matmul(tf.reshape(x, (1, 24)), weights(24, 10)) + weights(10, seed=1))
    return tf.matmul(x, weights(10, 4, seed=2))


def pooled(x: Any) -> Any:
    import tensorflow as tf

    x = tf.nn.avg_pool2d(tf.nn.leaky_relu(conv(x, 6)), 2, 2, "SAME")
    x = tf.reduce_mean(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), [1, 2])
    return tf.matmul(x, weights(6, 4))


def grouped(x: Any) -> Any:
    return conv(relu(conv(relu(conv(x, 8)), 6, seed=1, read=4)), 4, seed=2)


def transposed(x: Any) -> Any:
    import tensorflow as tf

    kernel = weights(3, 3, 5, 6, seed=1)
    x = tf.nn.conv2d_transpose(relu(conv(x, 6)), kernel, (1, 16, 16, 5), 2)
    return conv(relu(x + weights(5, seed=2)), 4, seed=3)


def squeezed(x: Any) -> Any:
    import tensorflow as tf

    x = relu(conv(x, 6))
    gate = relu(conv(tf.reduce_mean(x, [1, 2], keepdims=True), 5, 1, seed=1))
    return conv(x * tf.sigmoid(conv(gate, 6, 1, seed=2)), 4, seed=3)


def largest(x: Any) -> Any:
    import tensorflow as tf

    x = tf.maximum(conv(x, 6), conv(x, 6, seed=1))
    return conv(tf.minimum(x, weights(6, seed=4) + 2.0), 4, seed=2)


def shuffled(x: Any) -> Any:
    import tensorflow as tf

    first, second = tf.split(relu(conv(x, 8)), 2, -1)
    x = tf.nn.space_to_depth(tf.concat([second, first], -1), 2)
    return conv(tf.transpose(x, [0, 2, 1, 3]), 4, seed=2)


def widened(x: Any) -> Any:
    import tensorflow as tf

    x = relu(conv(x, 4))
    y = tf.pad(x, [[0, 0], [0, 0], [0, 0], [0, 2]])
    return conv(relu(y + conv(x, 6, seed=1)), 4, seed=2)


def shared(x: Any) -> Any:
    a = relu(conv(x, 6))
    b = relu(conv(a, 6, seed=1))
    return conv(relu(conv(b, 6, seed=1)), 4, seed=2)


def of_two(x: Any, y: Any) -> Any:
    return conv(relu(conv(x, 6) + conv(y, 6, seed=1)), 4, seed=2)


NETS: Mapping[Net, int] = {  # net -> groups that are free in it
    chain: 14,
    depthwise: 12,
    residual: 14,
    concatenated: 12,
    flattened: 16,
    pooled: 6,
    grouped: 14,
    transposed: 11,
    squeezed: 11,
    largest: 6,
    shuffled: 8,
    widened: 6,
    shared: 6,
    of_two: 6,
}


def outputs(model: bytes, seed: int = 0) -> Any:
    made = interpreter(model, "the model")
    rng = np.random.default_rng(seed)
    for detail in made.get_input_details():
        values = rng.standard_normal(detail["shape"]).astype(np.float32)
        made.set_tensor(detail["index"], values)
    run(made, "the model")
    return made.get_tensor(made.get_output_details()[0]["index"])


def free(channels: Channels) -> int:
    return channels.count - len(channels.frozen)


def moved_by_factors(model: bytes) -> float:
    """Rescale free channels at random; return how far the output moved, relatively."""
    graph = Graph(model)
    channels = find_channels(graph)
    factors = np.exp(np.random.default_rng(1).standard_normal(channels.count))
    factors[list(channels.frozen)] = 1.0
    for tensor in channels.limits:
        factors[channels.groups[tensor]] = 1.0
    rescale(graph, channels, factors)
    assert any((graph.constant(t) != Graph(model).constant(t)).any() for t in constants(graph))
    wanted, found = outputs(model), outputs(pack(graph.file.model))
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_factors_on_free_groups_change_nothing(float_file: Any, net: Net) -> None:
    path: Path = float_file(net, *[IMAGE] * net.__code__.co_argcount)
    assert free(find_channels(Graph(path))) == NETS[net]
    assert moved_by_factors(path.read_bytes()) <= 1e-4


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "face_detection_back.tflite",
        "face_detection_full_range.tflite",
        "pretrainedResnet.tflite",
        "vww_96_float.tflite",
        "ad01_fp32.tflite",
    ],
)
def test_factors_change_nothing_in_models_of_others(data_dir: Path, name: str) -> None:
    path = next((data_dir / "models" / "tflite").rglob(name))
    assert moved_by_factors(prepare(path).data) <= 1e-4


def constants(graph: Graph) -> list[Any]:
    return [t for t in graph.main.tensors if t.is_constant and t.dtype == "float32"]


def test_what_keeps_no_proportions_freezes_its_channels_and_is_named(float_file: Any) -> None:
    import tensorflow as tf

    def net(x: Any) -> Any:
        return tf.nn.softmax(conv(tf.nn.tanh(conv(x, 6)), 4, seed=1))

    channels = find_channels(Graph(float_file(net, IMAGE)))
    assert free(channels) == 0
    assert set(channels.frozen.values()) == {
        "it is an input of the model",
        "TANH does not keep proportions",
        "SOFTMAX does not keep proportions",
    }


def test_relu6_hands_groups_on_and_is_noted_as_a_limit(float_file: Any) -> None:
    import tensorflow as tf

    graph = Graph(float_file(lambda x: conv(tf.nn.relu6(conv(x, 6)), 4, seed=1), IMAGE))
    channels = find_channels(graph)
    assert free(channels) == 6
    assert channels.limits == {graph.ops[0].outputs[0]: 6.0}


def test_padding_with_other_than_zero_freezes(float_file: Any) -> None:
    import tensorflow as tf

    def net(x: Any) -> Any:
        edges = [[0, 0], [1, 1], [1, 1], [0, 0]]
        return conv(tf.pad(relu(conv(x, 6)), edges, constant_values=-1.0), 4, seed=1)

    channels = find_channels(Graph(float_file(net, IMAGE)))
    assert free(channels) == 0
    assert "PADV2 mixes in constants" in channels.frozen.values()

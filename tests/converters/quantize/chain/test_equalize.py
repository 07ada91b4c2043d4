"""Equalisation: ranges become alike, ReLU6 stays, and what moves the outputs is undone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import UnknownName
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.tables import pack
from edgekit.runtime.opening import load
from edgekit_converters.quantize.chain.channels import Channels, Scaled, find_channels
from edgekit_converters.quantize.chain.dead import find_dead
from edgekit_converters.quantize.chain.equalize import Limits, compare_outputs, equalize
from edgekit_converters.quantize.chain.patching import rescale
from edgekit_converters.quantize.chain.peaks import channel_peaks
from edgekit_converters.quantize.chain.scales import METHODS, bounds, find_scales
from edgekit_converters.quantize.second_engine import quantize_tflite

IMAGE = (1, 8, 8, 3)


def weights(*shape: int, seed: int = 0) -> Any:
    import tensorflow as tf

    spread = 1 / np.sqrt(np.prod(shape[:-1]))
    values = np.random.default_rng(seed).standard_normal(shape) * spread
    return tf.constant(values.astype(np.float32))


def net(x: Any) -> Any:
    """Three convolutions with ReLU, one of them around a shortcut."""
    import tensorflow as tf

    x = tf.nn.relu(tf.nn.conv2d(x, weights(3, 3, 3, 8), 1, "SAME") + weights(8))
    y = tf.nn.conv2d(x, weights(3, 3, 8, 8, seed=1), 1, "SAME") + weights(8, seed=1)
    x = tf.reduce_mean(tf.nn.relu(x + y), [1, 2])
    return tf.matmul(x, weights(8, 5, seed=2)) * 8.0


def capped(x: Any) -> Any:
    """ReLU6 with one channel far below 6, one beyond it and one that is always zero."""
    import tensorflow as tf

    kernel = np.zeros((1, 1, 3, 3), np.float32)
    kernel[0, 0, 0] = [0.1, 40.0, -5.0]
    x = tf.nn.relu6(tf.nn.conv2d(x, tf.constant(kernel), 1, "SAME") + tf.constant([0.1, 0, 0]))
    return tf.nn.conv2d(x, weights(3, 3, 3, 4), 1, "SAME")


def pictures(count: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).random((count, *IMAGE), np.float32)


def imbalanced(model: bytes, seed: int = 0) -> bytes:
    """Rescale the free channels by exp(N(0, 1))."""
    graph = Graph(model)
    channels = find_channels(graph)
    factors = np.exp(np.random.default_rng(seed).standard_normal(channels.count) * 1.5)
    factors[list(channels.frozen)] = 1.0
    rescale(graph, channels, factors)
    return pack(graph.file.model)


def run_all(path: Path, inputs: Any) -> Any:
    model = load(path, probe=False, threads=1)
    return np.stack([np.asarray(model(each)) for each in inputs])


@pytest.mark.tf
@pytest.mark.parametrize("method", METHODS)
def test_channels_thrown_out_of_balance_are_brought_back(
    float_file: Any, tmp_path: Path, method: str
) -> None:
    source: Path = float_file(net, IMAGE)
    source.write_bytes(imbalanced(source.read_bytes()))
    data, fresh = pictures(40), pictures(20, seed=1)
    done = equalize(source.read_bytes(), {0: data}, method=method)
    better = tmp_path / "better.tflite"
    better.write_bytes(done.model)
    assert done.change.difference <= 1e-4
    assert len(done.treated) == 2
    assert list(done.left_alone.values()) == ["it is an output of the model"]
    wanted, noise = run_all(source, fresh), {}
    for path in (source, better):
        made = tmp_path / f"{path.stem}_int8.tflite"
        samples = [{"x0": each} for each in data]
        quantize_tflite(path, made, scheme="int8", samples=samples, per_tensor=True)
        noise[path] = compare_outputs([wanted], [run_all(made, fresh)]).sqnr_db
    assert noise[better] > noise[source] + 6


@pytest.mark.tf
def test_relu6_stays_and_saturated_channels_keep_their_factor(float_file: Any) -> None:
    source = float_file(capped, IMAGE).read_bytes()
    graph = Graph(source)
    channels = find_channels(graph)
    peaks = channel_peaks(graph, {0: pictures(20)})
    factors = find_scales(graph, channels, peaks, "activations")
    (tensor,) = channels.limits
    low, beyond, _ = factors[channels.groups[tensor]]
    assert beyond == 1.0
    assert low == pytest.approx(6 / peaks[tensor][0], rel=1e-2)
    done = equalize(source, {0: pictures(20)}, method="activations")
    relus = [op.options["fused_activation_function"] for op in Graph(done.model).ops]
    assert relus == ["RELU6", "NONE"]


@pytest.mark.tf
def test_channels_that_are_always_zero_lose_their_weights(float_file: Any) -> None:
    source = float_file(capped, IMAGE).read_bytes()
    done = equalize(source, {0: pictures(20)})
    assert done.dead == 1
    assert not kernel_of(done.model)[2].any()
    assert done.change.agreement == 1.0


@pytest.mark.tf
def test_a_channel_that_held_out_samples_need_keeps_its_weights(float_file: Any) -> None:
    source = float_file(capped, IMAGE).read_bytes()
    data = pictures(20)
    data[3::4] *= -1  # the judges wake the third channel and silence the others
    done = equalize(source, {0: data}, limits=Limits(sqnr_db=60))
    assert done.dead == 0
    assert "1 channels that are zero on the samples keep their weights" in done.notes[0]


@pytest.mark.tf
def test_capped_factors_that_move_the_outputs_are_undone(float_file: Any) -> None:
    source = float_file(capped, IMAGE).read_bytes()
    data = pictures(20) * 0.1
    data[3::4] *= 400  # what the caps were measured on says nothing about the judges
    done = equalize(source, {0: data}, method="activations", remove_dead=False)
    assert done.change.difference <= 1e-4
    assert done.notes[0].startswith("Capped factors were undone")


def two_of_each(x: Any) -> Any:
    """ReLU6 over one channel for each of the first two of the input, and two zero ones."""
    import tensorflow as tf

    kernel = np.zeros((1, 1, 3, 4), np.float32)
    kernel[0, 0, 0, 0] = kernel[0, 0, 1, 1] = 0.5
    kernel[0, 0, 2, 2:] = -5.0
    x = tf.nn.conv2d(x, tf.constant(kernel), 1, "SAME") + tf.constant([0.1, 0.1, 0, -100])
    return tf.nn.conv2d(tf.nn.relu6(x), weights(1, 1, 4, 4), 1, "SAME")


@pytest.mark.tf
def test_only_the_channels_that_held_out_samples_speak_against_are_left_as_they_are(
    float_file: Any,
) -> None:
    source = float_file(two_of_each, IMAGE).read_bytes()
    data = pictures(20)
    data[3::4, ..., 0] *= 10
    data[3::4, ..., 2] *= -1
    done = equalize(source, {0: data}, limits=Limits(agreement=1.0, sqnr_db=60))
    before, after = (kernel_of(each) for each in (source, done.model))
    factors = np.abs(after).max(axis=(1, 2, 3)) / np.abs(before).max(axis=(1, 2, 3))
    assert factors == pytest.approx([1.0, 10.0, 1.0, 0.0], rel=0.1)
    assert done.dead == 1
    assert len(done.notes) == 2
    assert done.change.difference <= 1e-4


def kernel_of(model: bytes) -> Any:
    graph = Graph(model)
    return graph.constant(graph.main.tensors[graph.ops[0].inputs[1]])


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="weights"):
        equalize(b"", {}, method="magic")


@given(peak=st.floats(0, 10), limit=st.sampled_from([1.0, 6.0]), other=st.floats(1e-3, 5.9))
def test_no_factor_lifts_a_peak_above_its_limit(
    peak: float, limit: float, other: float
) -> None:
    channels = Channels(
        count=2, groups={7: np.array([0, 1])}, constants=(), limits={7: limit}, frozen={}
    )
    lowest, highest = bounds(channels, {7: np.array([peak, other])})
    for value, low, high in zip((peak, other), lowest, highest, strict=True):
        assert low <= 0 <= high
        if value >= limit:
            assert low == high == 0
        else:
            assert value * np.exp(high) <= limit * (1 + 1e-9)


class _Weights:
    """Stands for a graph that has constants only."""

    def __init__(self, *values: Any) -> None:
        self.values = values
        self.main = self
        self.tensors = range(len(values))
        self.ops = ()

    def constant(self, tensor: int) -> Any:
        return self.values[tensor]


def test_weights_before_and_after_a_layer_get_the_same_relative_ranges() -> None:
    rng = np.random.default_rng(0)
    first = rng.standard_normal((6, 3)) * np.exp(rng.standard_normal((6, 1)) * 2)
    second = rng.standard_normal((4, 6))
    up, kept = np.arange(6), np.arange(6, 13)
    graph: Any = _Weights(first, second)
    channels = Channels(
        count=13,
        groups={},
        constants=(
            Scaled(0, 0, up[:, None], kept[None, :3]),
            Scaled(1, 1, kept[3:, None], up[None]),
        ),
        limits={},
        frozen=dict.fromkeys(kept.tolist(), "an end"),
    )
    factors = find_scales(graph, channels, {}, "weights")
    computed = np.abs(first * factors[:6, None]).max(axis=1)
    read = np.abs(second / factors[None, :6]).max(axis=0)
    assert computed / computed.max() == pytest.approx(read / read.max(), rel=0.02)
    assert (factors[6:] == 1).all()


def test_a_group_is_dead_only_if_no_tensor_of_it_says_anything() -> None:
    graph: Any = _Weights()
    graph.ops = [_Reader("ADD", 1), _Reader("CONV_2D", 2)]
    channels = Channels(
        count=3,
        groups={1: np.array([0, 1, 2]), 2: np.array([0, 1, 2])},
        constants=(),
        limits={},
        frozen={2: "an end"},
    )
    peaks = {1: np.array([0.0, 0.5, 0.0]), 2: np.zeros(3)}
    assert find_dead(graph, channels, peaks).tolist() == [True, False, False]


class _Reader:
    def __init__(self, op: str, *inputs: int) -> None:
        self.op, self.inputs = op, inputs

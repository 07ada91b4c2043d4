"""A model with fake quantization, and the integer file made from it, say the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.flatbuffer.graph import Graph
from edgekit.runtime import load
from edgekit_converters.quantize.qat import fold
from edgekit_converters.quantize.qat.build import build as put_in
from edgekit_converters.quantize.qat.export import convert_trained
from edgekit_converters.quantize.qat.fake import FakeQuant, fake_kernel, watching
from edgekit_converters.sources import shapes

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

Build = Callable[[str], Any]


def with_ranges(model: Any, x: Any, *, per_tensor: bool = False) -> Any:
    """Put fake quantization in, with ranges of these samples."""
    fake = put_in(fold(model).model, per_tensor=per_tensor)
    with watching(fake.ranges):
        fake.model(x, training=False)
    return fake


def to_file(fake: Any, path: Path, *, per_tensor: bool = False) -> Path:
    inputs = [keras.Input(batch_shape=(1, *fake.model.input_shape[1:]), name="picture")]
    single = shapes.again(fake.model, keras, inputs)
    content, problem = convert_trained(single, per_tensor=per_tensor)
    assert problem == "", problem
    path.write_bytes(content)
    return path


def noise_db(signal: Any, other: Any) -> float:
    error = ((signal - other) ** 2).sum()
    return float(10 * np.log10((signal**2).sum() / max(error, 1e-12)))


def samples(model: Any, count: int = 200) -> Any:
    rng = np.random.default_rng(2)
    return rng.normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def test_fake_quantization_stays_close_to_float(family: str, build: Build) -> None:
    model = build(family)
    x = samples(model)
    fake = with_ranges(model, x)
    assert noise_db(np.asarray(model(x)), np.asarray(fake.model(x))) > 20
    assert fake.untreated == (("of_rows",) if family == "left_alone" else ())


@pytest.mark.parametrize("per_tensor", [False, True], ids=["per channel", "per tensor"])
@pytest.mark.parametrize(
    "name",
    [
        "dense",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("residual", "depthwise", "sounds", "enlarged", "activations")
        ),
    ],
)
def test_the_file_is_all_integer_and_agrees_with_fake_quantization(
    name: str, per_tensor: bool, build: Build, tmp_path: Path
) -> None:
    model = build(name)
    x = samples(model)
    fake = with_ranges(model, x, per_tensor=per_tensor)
    path = to_file(fake, tmp_path / "one.tflite", per_tensor=per_tensor)
    assert Graph(path).fully_integer
    loaded = load(path)
    assert {each.dtype for each in (*loaded.inputs, *loaded.outputs)} == {"float32"}
    expected, found = np.asarray(fake.model(x)), np.asarray(loaded(x))
    classes = (each.reshape(-1, each.shape[-1]).argmax(-1) for each in (expected, found))
    assert np.mean(np.equal(*classes)) >= 0.97
    assert noise_db(expected, found) > 28


@pytest.mark.parametrize(
    "name", ["plain", *(pytest.param(each, marks=pytest.mark.slow) for each in ("residual",))]
)
def test_fake_quantization_gives_the_very_integers_of_the_file(
    name: str, build: Build, tmp_path: Path
) -> None:
    model = build(name)
    x = samples(model)
    fake = with_ranges(model, x)
    path = to_file(fake, tmp_path / "one.tflite")
    (last,) = Graph(path).outputs
    (source,) = (op.inputs[0] for op in Graph(path).ops if op.outputs[0] == last.index)
    step = Graph(path).main.tensors[source].scale[0]
    steps = (np.asarray(fake.model(x)) - np.asarray(load(path)(x))) / step
    assert np.mean(np.abs(steps) < 0.5) >= 0.98
    assert np.abs(steps).max() < 2


def test_a_bias_is_a_multiple_of_the_steps_of_input_and_kernel() -> None:
    inputs = keras.Input((5,), name="picture")
    model = keras.Model(inputs, keras.layers.Dense(3, bias_initializer="normal")(inputs))
    fake = with_ranges(model, np.linspace(-3, 5, 50, dtype=np.float32).reshape(10, 5))
    ((layer, source),) = fake.kernels
    kernel = np.asarray(layer.inner.kernel)
    step = np.abs(kernel).max(0) / 127 * float(source.step)
    found = np.asarray(layer(np.zeros((1, 5), np.float32), source=source))[0] / step
    np.testing.assert_allclose(found, np.rint(found), atol=1e-2)
    np.testing.assert_allclose(found, np.asarray(layer.inner.bias) / step, atol=0.51)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        pytest.param(keras.layers.AveragePooling2D(2), (6, 6, 2), id="2 by 2"),
        pytest.param(
            keras.layers.AveragePooling2D(3, strides=1, padding="same"), (6, 6, 2), id="border"
        ),
        pytest.param(keras.layers.AveragePooling1D(2), (8, 3), id="1D"),
    ],
)
def test_halves_of_an_average_go_where_the_kernels_round_them(
    layer: Any, shape: tuple[int, ...], tmp_path: Path
) -> None:
    inputs = keras.Input(shape, name="picture")
    model = keras.Model(inputs, layer(inputs))
    x = np.random.default_rng(0).integers(-100, 156, (40, *shape)).astype(np.float32)
    fake = with_ranges(model, x)
    fake.ranges[0].low.assign(-100.0)
    fake.ranges[0].high.assign(155.0)
    found = np.asarray(load(to_file(fake, tmp_path / "one.tflite"))(x))
    np.testing.assert_array_equal(np.asarray(fake.model(x)), found)
    assert np.any(np.abs(np.asarray(layer(x)) - found) == 0.5)


@pytest.mark.slow
def test_one_scale_a_tensor_is_what_the_file_holds(build: Build, tmp_path: Path) -> None:
    model = build("residual")
    fake = with_ranges(model, samples(model), per_tensor=True)
    graph = Graph(to_file(fake, tmp_path / "one.tflite", per_tensor=True)).main
    assert {len(each.scale) for each in graph.tensors if each.dtype == "int8"} == {1}


def test_nothing_is_rounded_between_an_addition_and_its_relu(build: Build) -> None:
    model = build("residual")
    fake = with_ranges(model, samples(model))
    add = next(each for each in fake.model.layers if isinstance(each, keras.layers.Add))
    (after,) = (node.operation for node in add._outbound_nodes)
    assert isinstance(after, keras.layers.ReLU)


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(keras.layers.AveragePooling2D(3), id="average pool"),
        pytest.param(keras.layers.UpSampling2D(interpolation="bilinear"), id="bilinear"),
    ],
)
def test_what_averages_is_rounded_in_the_range_of_its_input(layer: Any) -> None:
    inputs = keras.Input((6, 6, 2), name="picture")
    model = keras.Model(inputs, layer(inputs))
    x = samples(model, 4)
    fake = with_ranges(model, x)
    (only,) = fake.ranges
    step = (float(only.high) - float(only.low)) / 255
    steps = np.asarray(fake.model(x)) / step
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    assert np.abs(np.asarray(layer(x)) / step - steps).max() < 1.1


def test_what_is_rounded_in_the_range_of_another_leaves_it() -> None:
    layer = FakeQuant()
    layer(np.array([[-9.0, 9.0]], np.float32), training=True, follows=True)
    assert (float(layer.low), float(layer.high)) == (-1.0, 1.0)


@pytest.mark.parametrize(
    "axes", [(), (-1,), (-2,), (-2, -1)], ids=["tensor", "last", "transposed", "depthwise"]
)
def test_a_kernel_has_at_most_255_values_a_channel_and_keeps_its_largest(
    axes: tuple[int, ...],
) -> None:
    kernel = np.random.default_rng(0).normal(size=(5, 5, 6, 4)).astype(np.float32)
    rounded, steps = map(np.asarray, fake_kernel(keras.ops.convert_to_tensor(kernel), axes))
    others = tuple(i for i in range(4) if i - 4 not in axes)
    limit = np.abs(kernel).max(axis=others, keepdims=True)
    np.testing.assert_allclose(
        np.abs(rounded).max(axis=others, keepdims=True), limit, rtol=1e-6
    )
    np.testing.assert_allclose(steps, limit.ravel() / 127, rtol=1e-6)
    numbers = rounded / (limit / 127)
    np.testing.assert_allclose(numbers, np.rint(numbers), atol=1e-3)
    assert np.abs(rounded - kernel).max() <= limit.max() / 254 * 1.001


def test_a_range_follows_the_data_in_training_only_and_rests_when_told() -> None:
    layer = FakeQuant()
    x = np.array([[-2.0, 6.0]], np.float32)
    layer(x)
    assert (float(layer.low), float(layer.high)) == (-1.0, 1.0)
    layer(x, training=True)
    assert float(layer.low) == pytest.approx(-1.01)
    assert float(layer.high) == pytest.approx(1.05)
    layer.learning.assign(0.0)
    layer(x, training=True)
    assert float(layer.high) == pytest.approx(1.05)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        pytest.param(keras.layers.LSTM(3, name="memory"), (6, 4), id="LSTM"),
        pytest.param(
            keras.layers.Bidirectional(keras.layers.GRU(3), name="memory"),
            (6, 4),
            id="both ways",
        ),
    ],
)
def test_a_recurrent_layer_is_refused_by_name(layer: Any, shape: tuple[int, ...]) -> None:
    model = keras.Sequential([keras.Input(shape), layer, keras.layers.Dense(2)])
    with pytest.raises(SourceError, match=r"memory.*\n?Leave --qat out") as caught:
        put_in(model)
    assert caught.value.exit_code == 3


def test_attention_is_refused_by_name() -> None:
    inputs = keras.Input((6, 8))
    x = keras.layers.MultiHeadAttention(2, 4, name="looks")(inputs, inputs)
    with pytest.raises(SourceError, match=r"looks \(MultiHeadAttention\)"):
        put_in(keras.Model(inputs, x))

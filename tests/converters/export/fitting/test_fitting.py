"""What a target would refuse is written with what it takes, and the numbers stay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.flatbuffer.graph import Graph
from edgekit.placement import place
from edgekit.targets import load_target
from edgekit_converters.export.artifact import finish
from edgekit_converters.export.fitting import Rewritten, fit

pytestmark = [
    pytest.mark.tf,
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning"),
]

Build = Callable[[Any, Any], Any]
CORAL = load_target("coral-usb")
PICTURE = (1, 8, 8, 4)


def int8_file(build: Build, shape: tuple[int, ...], folder: Path) -> bytes:
    """Return an int8 model: a convolution, what `build` makes, and another convolution."""
    import keras

    from edgekit_converters.quantize.engine import convert_keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    convolution = layers.Conv2D if len(shape) == 4 else layers.Conv1D
    x = keras.Input(batch_shape=shape)
    y = build(layers, convolution(8, 3, padding="same")(x))
    model = keras.Model(x, convolution(4, 3)(y))
    samples = np.random.default_rng(1).standard_normal((20, *shape[1:])).astype(np.float32)
    np.savez(folder / "probe.npz", x=samples)
    made = convert_keras(model, "int8", lambda: ({x.name: each[None]} for each in samples))
    return finish(made, "int8", None)


def fitted(content: bytes, folder: Path) -> tuple[bytes, tuple[Rewritten, ...]]:
    """Fit a model to the Edge TPU."""
    return fit(content, CORAL, folder / "probe.npz", folder)


def ops(content: bytes) -> list[str]:
    """Return the names of the operators between the two convolutions."""
    return [op.op for op in Graph(content).ops][1:-1]


def uncertain_or_cpu(content: bytes) -> list[str]:
    """Return the operators that are not sure to run on the Edge TPU."""
    placed = place(Graph(content), CORAL)
    return [each.op for each in placed if each.placement != "edgetpu"]


STEP = 1 / 127  # of an output, as a share of its largest value
REWRITTEN = {
    "nearest upsampling": (
        lambda layers, x: layers.UpSampling2D(2)(x),
        ["RESIZE_NEAREST_NEIGHBOR"],
        0,
    ),
    "convolution in four groups": (
        lambda layers, x: layers.Conv2D(16, 3, groups=4, strides=2, activation="relu")(x),
        ["SPLIT", *["CONV_2D"] * 4, "CONCATENATION"],
        0,
    ),
    "convolution in a group a channel": (
        lambda layers, x: layers.Conv2D(16, 3, groups=8, padding="same")(x),
        ["DEPTHWISE_CONV_2D"],
        0,
    ),
    "LeakyReLU": (lambda layers, x: layers.LeakyReLU(0.1)(x), ["PRELU"], 2 * STEP),
    "hard swish": (
        lambda layers, x: layers.Activation("hard_silu")(x),
        ["ADD", "MUL", "MUL"],
        2 * STEP,
    ),
}


@pytest.mark.parametrize(("build", "wanted", "most"), REWRITTEN.values(), ids=list(REWRITTEN))
def test_what_the_edge_tpu_refuses_runs_there_and_computes_the_same(
    build: Build, wanted: list[str], most: float, tmp_path: Path
) -> None:
    """Bit for bit where values are only moved or split, within two steps elsewhere."""
    before = int8_file(build, PICTURE, tmp_path)
    after, (done,) = fitted(before, tmp_path)
    assert uncertain_or_cpu(before)
    assert uncertain_or_cpu(after) == []
    assert ops(after) == wanted
    assert done.difference <= most
    assert done.samples == 20


@pytest.mark.parametrize("factors", [(1, 3), (7, 5)], ids=str)
def test_every_factor_of_upsampling_is_one_resize(
    factors: tuple[int, int], tmp_path: Path
) -> None:
    before = int8_file(lambda layers, x: layers.UpSampling2D(factors)(x), PICTURE, tmp_path)
    after, (done,) = fitted(before, tmp_path)
    assert ops(after) == ["RESIZE_NEAREST_NEIGHBOR"]
    assert done.difference == 0


def test_upsampling_of_a_sequence_is_a_resize_of_one_column(tmp_path: Path) -> None:
    before = int8_file(lambda layers, x: layers.UpSampling1D(2)(x), (1, 8, 4), tmp_path)
    after, (done,) = fitted(before, tmp_path)
    assert "RESIZE_NEAREST_NEIGHBOR" in ops(after)
    assert "TILE" not in ops(after)
    assert done.difference == 0


def test_a_tile_that_is_no_upsampling_stays(tmp_path: Path) -> None:
    def repeated(layers: Any, x: Any) -> Any:
        return layers.Concatenate(axis=1)([x, x])

    before = int8_file(repeated, PICTURE, tmp_path)
    assert fitted(before, tmp_path) == (before, ())


def test_a_model_that_fits_comes_back_as_it_was(tmp_path: Path) -> None:
    before = int8_file(lambda layers, x: layers.ReLU()(x), PICTURE, tmp_path)
    assert fitted(before, tmp_path) == (before, ())


def test_a_target_that_takes_no_more_of_it_keeps_the_fused_operator(tmp_path: Path) -> None:
    before = int8_file(lambda layers, x: layers.Conv2D(16, 3, groups=4)(x), PICTURE, tmp_path)
    pi = load_target("raspberry-pi-4")
    assert fit(before, pi, tmp_path / "probe.npz", tmp_path) == (before, ())


def test_operators_that_hold_each_other_back_are_all_written_anew(tmp_path: Path) -> None:
    def both(layers: Any, x: Any) -> Any:
        y = layers.Activation("hard_silu")(x)
        return layers.UpSampling2D(2)(layers.Conv2D(8, 3, groups=2, padding="same")(y))

    after, done = fitted(int8_file(both, PICTURE, tmp_path), tmp_path)
    assert uncertain_or_cpu(after) == []
    assert len(done) == 3


@pytest.mark.parametrize(
    ("shape", "keepdims", "squares"),
    [
        pytest.param((1, 128, 96, 4), True, (1, 64, 48, 4), id="many places"),
        pytest.param((1, 56, 56, 96), False, (1, 28, 28, 96), id="many values"),
        pytest.param((1, 91, 91, 36), False, (1, 13, 13, 36), id="squares of seven"),
    ],
)
def test_averages_of_large_pictures_are_taken_in_two_steps(
    shape: tuple[int, ...], keepdims: bool, squares: tuple[int, ...], tmp_path: Path
) -> None:
    before = averaged(shape, tmp_path, keepdims=keepdims)
    after, (done,) = fitted(before, tmp_path)
    assert "MEAN" in uncertain_or_cpu(before)
    assert uncertain_or_cpu(after) == []
    graph = Graph(after)
    mean = next(op for op in graph.ops if op.op == "MEAN")
    assert graph.main.tensors[mean.inputs[0]].shape == squares
    assert done.difference <= 2 * STEP


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((1, 40, 40, 8), id="small enough"),
        pytest.param((1, 127, 127, 4), id="no square fits"),
    ],
)
def test_other_averages_stay(shape: tuple[int, ...], tmp_path: Path) -> None:
    before = averaged(shape, tmp_path, keepdims=True)
    assert fitted(before, tmp_path) == (before, ())


def averaged(shape: tuple[int, ...], folder: Path, *, keepdims: bool) -> bytes:
    """Return an int8 model that averages a picture and tells classes by it."""
    import keras

    from edgekit_converters.quantize.engine import convert_keras

    keras.utils.set_random_seed(0)
    x = keras.Input(batch_shape=shape)
    y = keras.layers.ReLU()(keras.layers.DepthwiseConv2D(1)(x))
    y = keras.layers.GlobalAveragePooling2D(keepdims=keepdims)(y)
    model = keras.Model(x, keras.layers.Dense(8)(y))
    rng = np.random.default_rng(1)
    levels = rng.uniform(0.2, 2, (6, 1, 1, shape[-1]))
    samples = (levels * rng.standard_normal((6, *shape[1:]))).astype(np.float32)
    np.savez(folder / "probe.npz", x=samples)
    made = convert_keras(model, "int8", lambda: ({x.name: each[None]} for each in samples))
    return finish(made, "int8", None)

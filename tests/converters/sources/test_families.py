"""Families of models that tf_keras wrote, as .h5 and .keras: imported exactly."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit_converters.sources import check_import, fix_batch, load_source, write_float

pytestmark = pytest.mark.tf
tf = pytest.importorskip("tensorflow")
k = pytest.importorskip("tf_keras")

REBUILT = "rebuilt from tf_keras"


def sequential_without_input() -> Any:
    model = k.Sequential([k.layers.Dense(8, activation="relu"), k.layers.Dense(3)])
    model(np.zeros((1, 5), "float32"))
    return model


def compiled_dense() -> Any:
    model = k.Sequential([k.Input((6,)), k.layers.Dense(8), k.layers.Dense(3)])
    model.compile("adam", "mse", metrics=["mse"])
    return model


def depthwise_and_separable() -> Any:
    x = given = k.Input((12, 12, 3))
    x = k.layers.DepthwiseConv2D(3, padding="same", name="block/depthwise")(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.ReLU(6.0)(x)
    x = k.layers.SeparableConv2D(8, 3, activation="relu6")(x)
    x = k.layers.GlobalAveragePooling2D()(x)
    return k.Model(given, k.layers.Dense(4, activation="softmax")(x))


def lstm_and_gru() -> Any:
    x = given = k.Input((7, 5))
    x = k.layers.GRU(4)(k.layers.LSTM(6, return_sequences=True)(x))
    return k.Model(given, k.layers.Dense(2)(x))


def masked_embedding_and_bidirectional_lstm() -> Any:
    x = given = k.Input((7,), dtype="int32")
    x = k.layers.Embedding(20, 5, mask_zero=True)(x)
    x = k.layers.Bidirectional(k.layers.LSTM(6))(x)
    return k.Model(given, k.layers.Dense(2)(x))


def transposed_convolution_and_leaky_relu() -> Any:
    x = given = k.Input((6, 6, 3))
    x = k.layers.Conv2DTranspose(5, 3, strides=2, padding="same")(x)
    x = k.layers.BatchNormalization()(x)
    return k.Model(given, k.layers.LeakyReLU(0.07)(x))


def attention() -> Any:
    given = k.Input((6, 8))
    x = k.layers.MultiHeadAttention(2, 4)(given, given)
    return k.Model(given, k.layers.LayerNormalization()(x + given))


def arithmetic_in_the_graph() -> Any:
    given = k.Input((8, 8, 3))
    x = k.layers.Conv2D(4, 3)(given / 127.5 - 1)
    x = tf.nn.relu6(x + 3.0) * (1 / 6.0)
    x = tf.reshape(tf.reduce_mean(x, axis=[1, 2], keepdims=True), [-1, 4])
    return k.Model(given, k.layers.Dense(3)(x))


def slicing() -> Any:
    given = k.Input((8, 6))
    x = tf.concat([given[:, 1:5], given[:, ::2, :]], 1)
    return k.Model(given, k.layers.Dense(3)(x[:, :, 0]))


def transfer() -> Any:
    base = k.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=None)
    given = k.Input((32, 32, 3))
    x = k.Sequential([k.layers.RandomFlip(), k.layers.RandomRotation(0.1)])(given)
    x = base(k.layers.Rescaling(1 / 127.5, -1)(x), training=False)
    x = k.layers.Dropout(0.2)(k.layers.GlobalAveragePooling2D()(x))
    return k.Model(given, k.layers.Dense(3)(x))


def several_inputs_and_outputs() -> Any:
    wide, narrow = k.Input((4,), name="zeta"), k.Input((3,), name="alpha")
    hidden = k.layers.Dense(5, name="hidden/one")(wide)
    last = k.layers.Dense(2, name="z_out")(hidden)
    first = k.layers.Dense(2, name="a_out")(k.layers.concatenate([hidden, narrow]))
    return k.Model([wide, narrow], [last, first])


def inputs_and_outputs_in_tables() -> Any:
    plain = several_inputs_and_outputs()
    inputs = dict(zip(plain.input_names, plain.inputs, strict=True))
    return k.Model(inputs, {"x": plain.outputs[0], "b": plain.outputs[1]})


def shared_layers_and_models() -> Any:
    inner = k.Sequential([k.Input((3,)), k.layers.Dense(3, kernel_regularizer="l2")])
    dense = k.layers.Dense(3, activation="tanh")
    both = [k.Input((4,)), k.Input((4,))]
    return k.Model(both, k.layers.Add()([inner(dense(each)) for each in both]))


def over_time() -> Any:
    x = given = k.Input((3, 8, 8, 2))
    x = k.layers.TimeDistributed(k.layers.Conv2D(3, 3))(x)
    x = k.layers.TimeDistributed(k.layers.GlobalMaxPooling2D())(x)
    return k.Model(given, k.layers.SimpleRNN(3)(x))


def adapted_normalization() -> Any:
    normalization = k.layers.Normalization()
    normalization.adapt(np.random.default_rng(0).uniform(0, 9, (50, 4)).astype("float32"))
    given = k.Input((4,))
    x = k.layers.PReLU()(k.layers.Dense(3)(normalization(given)))
    return k.Model(given, k.layers.ThresholdedReLU(0.1)(k.layers.ELU(0.5)(x)))


def mixed_precision() -> Any:
    x = given = k.Input((4,))
    x = k.layers.Dense(3, dtype="mixed_float16")(x)
    return k.Model(given, k.layers.Dense(2, dtype="float32")(x))


def hard_sigmoid_of_keras_2() -> Any:
    given = k.Input((7, 5))
    return k.Model(given, k.layers.LSTM(6, recurrent_activation="hard_sigmoid")(given))


def spectrogram() -> Any:
    given = k.Input((512,))
    x = k.layers.Flatten()(tf.abs(tf.signal.stft(given, 128, 64)))
    return k.Model(given, k.layers.Dense(2)(x))


FAMILIES: dict[Callable[[], Any], str] = {
    sequential_without_input: "keras",
    compiled_dense: "keras",
    depthwise_and_separable: REBUILT,
    lstm_and_gru: REBUILT,
    masked_embedding_and_bidirectional_lstm: REBUILT,
    transposed_convolution_and_leaky_relu: REBUILT,
    attention: REBUILT,
    arithmetic_in_the_graph: REBUILT,
    slicing: REBUILT,
    transfer: REBUILT,
    several_inputs_and_outputs: REBUILT,
    shared_layers_and_models: REBUILT,
    over_time: REBUILT,
    adapted_normalization: REBUILT,
    mixed_precision: REBUILT,
    hard_sigmoid_of_keras_2: "tf_keras",
    spectrogram: "tf_keras",
}
SLOW = {transfer, over_time, lstm_and_gru, masked_embedding_and_bidirectional_lstm}
NORMALIZING = {arithmetic_in_the_graph, transfer, adapted_normalization}


def saved(make: Callable[[], Any], path: Path) -> Path:
    k.utils.set_random_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both libraries advise against these formats
        model = make()
        for weight in model.weights:
            if any(word in weight.name for word in ("moving_mean", "beta", "bias")):
                weight.assign(0.1 * tf.random.normal(weight.shape))
            if "moving_variance" in weight.name:
                weight.assign(tf.random.uniform(weight.shape, 0.5, 1.5))
        model.save(path)
    return path


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize(
    ("make", "loaded_by"),
    [
        pytest.param(
            make, how, id=make.__name__, marks=[pytest.mark.slow] if make in SLOW else []
        )
        for make, how in FAMILIES.items()
    ],
)
def test_import_is_exact(
    make: Callable[[], Any], loaded_by: str, suffix: str, tmp_path: Path
) -> None:
    source = load_source(saved(make, tmp_path / f"model.{suffix}"))
    assert source.loaded_by == loaded_by, source.attempts
    assert source.normalizes_itself is (make in NORMALIZING)
    if loaded_by == "tf_keras":
        assert source.kind == "tf_keras"
        assert any("tf_keras carries this model" in note for note in source.notes)
    else:
        assert source.difference is not None
        assert source.difference <= 1e-4
    fixed = fix_batch(source)
    write_float(fixed, tmp_path / "float.tflite")
    assert check_import(fixed, tmp_path / "float.tflite").max_relative_difference <= 1e-4


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize(
    ("make", "outputs"),
    [
        pytest.param(several_inputs_and_outputs, {"z_out", "a_out"}, id="lists"),
        pytest.param(inputs_and_outputs_in_tables, {"x", "b"}, id="tables"),
    ],
)
def test_names_of_several_inputs_and_outputs_reach_the_tflite(
    make: Callable[[], Any], outputs: set[str], suffix: str, tmp_path: Path
) -> None:
    from edgekit.flatbuffer.graph import Graph

    source = fix_batch(load_source(saved(make, tmp_path / f"model.{suffix}")))
    write_float(source, tmp_path / "float.tflite")
    check_import(source, tmp_path / "float.tflite")
    main = Graph(tmp_path / "float.tflite").main
    assert set(main.input_names.values()) == {"zeta", "alpha"}
    assert set(main.output_names.values()) == outputs == set(source.outputs)


def test_the_embedding_says_which_indices_are_valid(tmp_path: Path) -> None:
    path = saved(masked_embedding_and_bidirectional_lstm, tmp_path / "model.h5")
    assert load_source(path).inputs[0].indices == 20


def test_a_model_inside_a_model_is_dissolved(tmp_path: Path) -> None:
    source = fix_batch(load_source(saved(shared_layers_and_models, tmp_path / "model.h5")))
    assert not any(hasattr(layer, "layers") for layer in source.model.layers)
    assert fix_batch(source) is source

"""The chain on models that edgekit rewrites: recurrent layers, masked attention."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from edgekit.flatbuffer.graph import Graph
from edgekit.runtime import load
from edgekit_converters.pipeline import ArtifactResult, quantize
from edgekit_converters.recipe import Recipe

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings("ignore::UserWarning:keras.*")]

STEPS, FEATURES = 8, 6
SHARED = "it has no bias, and others share its weights"


def hidden(x: Any) -> Any:
    """Two convolutions with channels of uneven size between them."""
    layers = keras.layers
    first = layers.Conv1D(12, 3, padding="same", activation="relu", bias_initializer="normal")
    second = layers.Conv1D(12, 3, padding="same")
    y = second(first(x))
    factor = np.exp(np.random.default_rng(1).normal(size=12)).astype(np.float32)
    first.kernel.assign(first.kernel * factor)
    first.bias.assign(first.bias * factor)
    second.kernel.assign(second.kernel / factor[:, None])
    return y


def scores(x: Any) -> Any:
    spread = keras.initializers.RandomNormal(stddev=1.0)
    return keras.layers.Dense(4, "softmax", kernel_initializer=spread)(x)


def recurrent(layer: Any) -> Callable[[], Any]:
    def build() -> Any:
        given = keras.Input((STEPS, FEATURES), name="signal")
        return keras.Model(given, scores(layer()(hidden(given))))

    return build


def attention() -> Any:
    given = keras.Input((STEPS, FEATURES), name="signal")
    x = hidden(given)
    x = x + keras.layers.MultiHeadAttention(2, 6)(x, x, use_causal_mask=True)
    return keras.Model(given, scores(keras.layers.GlobalAveragePooling1D()(x)))


def several_inputs() -> Any:
    layers = keras.layers
    signal = keras.Input((STEPS, FEATURES), name="signal")
    facts = keras.Input((5,), name="facts")
    x = layers.GRU(6, bias_initializer="normal")(hidden(signal))
    y = layers.Dense(6, "relu", bias_initializer="normal")(facts)
    x = layers.Concatenate()([layers.Add()([x, y]), y])
    return keras.Model([facts, signal], [scores(x), layers.Dense(1)(x)])


def converted(model: Any, folder: Path, **wishes: Any) -> ArtifactResult:
    rng = np.random.default_rng(3)
    names = {each.name: each.shape[1:] for each in model.inputs}
    data: dict[str, Any] = {
        name if len(names) > 1 else "x": rng.normal(size=(60, *shape)).astype(np.float32)
        for name, shape in names.items()
    }
    np.savez(folder / "x.npz", **data)
    model.save(folder / "model.keras")
    recipe = Recipe(
        model=str(folder / "model.keras"), calibrate=str(folder / "x.npz"), **wishes
    )
    return quantize(recipe, folder / "one.tflite")


layers = keras.layers


@pytest.mark.parametrize(
    ("build", "named"),
    [
        pytest.param(
            recurrent(lambda: layers.SimpleRNN(6)),
            SHARED,
            id="SimpleRNN",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            recurrent(lambda: layers.GRU(6)), SHARED, id="GRU", marks=pytest.mark.slow
        ),
        pytest.param(
            recurrent(lambda: layers.LSTM(6)),
            "UNIDIRECTIONAL_SEQUENCE_LSTM is not treated",
            id="LSTM",
        ),
        pytest.param(
            recurrent(lambda: layers.Bidirectional(layers.LSTM(6))),
            "UNIDIRECTIONAL_SEQUENCE_LSTM is not treated",
            id="bidirectional LSTM",
            marks=[pytest.mark.slow, pytest.mark.long],
        ),
        pytest.param(attention, None, id="masked attention"),
        pytest.param(several_inputs, None, id="several inputs"),
    ],
)
def test_a_rewritten_model_goes_through_the_chain_and_gets_no_worse(
    build: Callable[[], Any], named: str | None, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(4)
    made = converted(build(), tmp_path)
    assert [each.name for each in made.steps[:2]] == ["nearest rounding", "bias correction"]
    before, after = made.steps[0], [each for each in made.steps if each.kept][-1]
    assert set(made.left_alone.values()) == ({named} if named else set())
    if before.divergence is None or after.divergence is None:
        assert after.sqnr_db >= before.sqnr_db
    else:
        assert after.divergence <= before.divergence
    assert Graph(tmp_path / "one.tflite").fully_integer == made.fully_integer
    assert len(load(tmp_path / "one.tflite").outputs) == len(made.sqnr_db)
    assert min(made.sqnr_db.values()) > 20


@pytest.mark.slow
def test_uneven_channels_beside_masked_attention_are_evened_out(tmp_path: Path) -> None:
    keras.utils.set_random_seed(4)
    made = converted(attention(), tmp_path)
    steps = {step.name: step for step in made.steps}
    assert steps["equalisation"].kept
    assert steps["equalisation"].sqnr_db > steps["nearest rounding"].sqnr_db + 3

"""Recurrent layers: fused or unrolled, equal to what they were, and integer afterwards."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import SourceError
from edgekit.flatbuffer.graph import Graph
from edgekit.runtime import load
from edgekit_converters.quantize import lstm_scales
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.quantize.recurrent import MOST_STEPS, TOLERANCE, without_loops
from edgekit_converters.sources import Source, describe, fix_batch
from edgekit_converters.sources.checking import relative_difference
from edgekit_converters.sources.invoke import predict

pytestmark = [
    pytest.mark.tf,
    # The converter says these of every model that is calibrated.
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning"),
]

STEPS, FEATURES, UNITS = 6, 4, 8


def source_of(layers: list[Any], library: Any, steps: int = STEPS) -> Source:
    """Return a small model of those layers and a Dense layer, batch 1."""
    library.utils.set_random_seed(5)
    x = given = library.Input((steps, FEATURES), name="signal")
    for layer in layers:
        x = layer(x)
    model = library.Model(given, library.layers.Dense(3, name="scores")(x))
    kind: Any = "keras" if library.__name__ == "keras" else "tf_keras"
    return fix_batch(
        Source(
            kind=kind,
            model=model,
            path=Path("small.keras"),
            loaded_by=kind,
            inputs=describe.input_specs(model),
            outputs=describe.output_names(model),
        )
    )


def samples(count: int = 30, steps: int = STEPS) -> list[Any]:
    rng = np.random.default_rng(2)
    return [rng.standard_normal((1, steps, FEATURES)).astype(np.float32) for _ in range(count)]


def difference(source: Source, suited: Source) -> float:
    return max(
        relative_difference(predict(source.model, [x]), predict(suited.model, [x]))
        for x in samples(5)
    )


def ops(content: bytes) -> Counter[str]:
    return Counter(op.op for op in Graph(content).ops)


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    import keras

    yield
    keras.backend.clear_session()


def lstms(layers: Any) -> dict[str, list[Any]]:
    """The forms of LSTM that the fused op computes."""
    return {
        "plain": [layers.LSTM(UNITS)],
        "without bias": [layers.LSTM(UNITS, use_bias=False)],
        "stacked": [layers.LSTM(UNITS, return_sequences=True), layers.LSTM(UNITS)],
        "backwards": [layers.LSTM(UNITS, go_backwards=True)],
        "two ways": [layers.Bidirectional(layers.LSTM(UNITS))],
        "two ways, summed": [layers.Bidirectional(layers.LSTM(UNITS), merge_mode="sum")],
        "two ways, sequences": [
            layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True)),
            layers.LSTM(UNITS),
        ],
    }


@pytest.mark.parametrize(
    "form",
    [
        "plain",
        "without bias",
        "stacked",
        "backwards",
        "two ways",
        "two ways, summed",
        "two ways, sequences",
    ],
)
def test_a_plain_lstm_takes_the_form_of_the_fused_op_and_stays_equal(form: str) -> None:
    import keras

    source = source_of(lstms(keras.layers)[form], keras)
    suited = without_loops(source, "int8")
    kinds = {type(layer).__name__ for layer in suited.model.layers}
    assert "FusedLSTM" in kinds
    assert not kinds & {"LSTM", "Bidirectional"}
    assert not suited.notes
    assert difference(source, suited) <= TOLERANCE


def unrolled_layers(layers: Any) -> dict[str, Any]:
    """Layers that no fused op computes."""
    return {
        "GRU": layers.GRU(UNITS),
        "GRU, reset before": layers.GRU(UNITS, reset_after=False),
        "GRU, two ways": layers.Bidirectional(layers.GRU(UNITS)),
        "SimpleRNN": layers.SimpleRNN(UNITS),
        "LSTM, hard sigmoid": layers.LSTM(UNITS, recurrent_activation="hard_sigmoid"),
        "cells": layers.RNN([layers.GRUCell(UNITS), layers.LSTMCell(UNITS)]),
    }


@pytest.mark.parametrize(
    "form",
    ["GRU", "GRU, reset before", "GRU, two ways", "SimpleRNN", "LSTM, hard sigmoid", "cells"],
)
@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_every_other_layer_is_unrolled_and_stays_equal(form: str, library: str) -> None:
    import importlib

    chosen = importlib.import_module(library)
    source = source_of([unrolled_layers(chosen.layers)[form]], chosen)
    suited = without_loops(source, "int8")
    assert any("was unrolled: 6 steps" in note for note in suited.notes)
    assert difference(source, suited) <= TOLERANCE


def test_a_masked_lstm_is_unrolled() -> None:
    import keras

    source = source_of([keras.layers.Masking(), keras.layers.LSTM(UNITS, name="cell")], keras)
    suited = without_loops(source, "int8")
    assert suited.notes == ("The layer 'cell' (LSTM) was unrolled: 6 steps.",)
    assert difference(source, suited) <= TOLERANCE


def test_int16x8_unrolls_because_the_fused_op_has_8_bits() -> None:
    import keras

    source = source_of([keras.layers.LSTM(UNITS)], keras)
    suited = without_loops(source, "int16x8")
    assert len(suited.notes) == 1


@pytest.mark.parametrize("scheme", ["dynamic", "float16"])
def test_schemes_with_float_activations_keep_the_loop(scheme: str) -> None:
    import keras

    source = source_of([keras.layers.GRU(UNITS)], keras)
    assert without_loops(source, scheme) is source


def test_a_model_without_recurrent_layers_is_left_alone() -> None:
    import keras

    source = source_of([keras.layers.Flatten()], keras)
    assert without_loops(source, "int8") is source


def test_too_many_steps_are_refused_with_the_remedy() -> None:
    import keras

    steps = MOST_STEPS + 1
    source = source_of([keras.layers.GRU(UNITS, name="long")], keras, steps)
    with pytest.raises(SourceError, match=rf"'long' \(GRU\) runs over {steps} .*\n.*dynamic"):
        without_loops(source, "int8")


def test_a_long_plain_lstm_is_fused_all_the_same() -> None:
    import keras

    source = source_of([keras.layers.LSTM(UNITS)], keras, MOST_STEPS + 1)
    assert not without_loops(source, "int8").notes


def test_a_bidirectional_lstm_keeps_one_scale_for_its_state(tmp_path: Path) -> None:
    import keras

    source = source_of([keras.layers.Bidirectional(keras.layers.LSTM(UNITS))], keras)
    suited = without_loops(source, "int8")
    content = convert_keras(
        suited.model, "int8", lambda: ({"signal": x} for x in samples()), per_tensor=False
    )
    graph = Graph(content)
    assert graph.fully_integer
    found = [op for op in graph.ops if op.op == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    assert len(found) == 2
    for op in found:
        tensors = [
            graph.main.tensors[i] for i in (op.intermediates[4], op.inputs[18], op.outputs[0])
        ]
        assert len({(each.scale, each.zero_point) for each in tensors}) == 1
    path = tmp_path / "two_ways.tflite"
    path.write_bytes(content)
    model = load(path)
    pairs = [(predict(source.model, [x])[0], model(x)) for x in samples(20)]
    noise = np.mean([np.square(a - b).mean() for a, b in pairs])
    signal = np.mean([np.square(a).mean() for a, _ in pairs])
    assert 10 * np.log10(signal / noise) > 25


def test_a_model_without_lstm_is_returned_byte_for_byte() -> None:
    from small import small_model

    content = small_model()
    assert lstm_scales.align(content) is content

"""The chain: layers are paired and corrected, and nothing gets worse."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import Net, Node, conv, dense, depthwise, floats, integers, pair_of

from edgekit.errors import SourceError
from edgekit.flatbuffer.tables import pack
from edgekit_converters.quantize.chain import biases, rounding
from edgekit_converters.quantize.chain import improve as chain_of_steps
from edgekit_converters.quantize.chain.biases import applied, correct, float_means, limited
from edgekit_converters.quantize.chain.improve import Wishes, improve
from edgekit_converters.quantize.chain.judge import Judge, Nearness, divergence
from edgekit_converters.quantize.chain.pair import Pair
from edgekit_converters.quantize.chain.rounding import round_weights
from edgekit_converters.quantize.chain.taps import mean_taps
from edgekit_converters.quantize.chain.walk import Walk, samples_within

SHAPE = (1, 10, 10, 3)
RELU = 1


def uneven(*shape: int, seed: int) -> Any:
    """Return weights whose output channels differ in size, as BatchNorm leaves them."""
    rng = np.random.default_rng(seed)
    axis = -1 if shape[0] == 1 else 0
    sizes = np.exp(rng.normal(0, 1.0, shape[axis]))
    spread = sizes if axis == -1 else sizes.reshape(-1, *[1] * (len(shape) - 1))
    return rng.normal(0, 0.3, shape) * spread


def net() -> Net:
    bias = np.random.default_rng(9).normal(0, 0.2, 8)
    return {
        "a": conv(
            uneven(8, 3, 3, 3, seed=1),
            bias,
            stride_h=2,
            stride_w=2,
            fused_activation_function=RELU,
        ),
        "b": depthwise(uneven(1, 3, 3, 8, seed=2), bias, "a", fused_activation_function=RELU),
        "c": conv(uneven(8, 1, 1, 8, seed=3), bias, "b"),
        "d": Node(op="ADD", inputs=("a", "c")),
        "e": conv(uneven(8, 3, 3, 4, seed=4), bias, "d"),  # two groups
        "f": Node(op="RESHAPE", inputs=("e",), weights=np.array([1, 200]), options={}),
        "g": dense(uneven(5, 200, seed=5), bias[:5], "f"),
    }


def draw(count: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (count, 1, 5, 5, 3)).repeat(2, axis=2).repeat(2, axis=3)


@pytest.fixture
def pair() -> Pair:
    return pair_of(net(), SHAPE, draw(30, seed=0))


def test_every_layer_with_weights_is_paired(pair: Pair) -> None:
    kinds = [layer.op.op for layer in pair.layers]
    assert kinds == ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "CONV_2D", "FULLY_CONNECTED"]
    assert pair.left_alone == {}
    for layer in pair.layers:
        away = np.abs(pair.real_weights(layer) - layer.weights).max()
        assert away <= 0.51 * pair.scales(layer).max()


def test_a_layer_with_other_weights_is_left_alone_with_the_reason(pair: Pair) -> None:
    layer = pair.layers[0]
    pair.set_weights(layer, np.zeros_like(pair.weights(layer)))
    again = Pair(pair.float_graph.file.data, pair.pack())
    assert len(again.layers) == 4
    assert again.left_alone == {"a": "its weights are others in the integer file"}


def without_bias() -> Net:
    """Return two layers without biases behind one with; it is called twice."""
    shared, bias = uneven(4, 4, seed=6), np.full(4, 0.1)
    return {
        "a": dense(uneven(4, 6, seed=5), bias),
        "b": Node(op="FULLY_CONNECTED", inputs=("a",), weights=shared),
        "c": Node(op="FULLY_CONNECTED", inputs=("b",), weights=uneven(4, 4, seed=7)),
    }


def test_a_layer_without_bias_gets_one_for_its_correction() -> None:
    samples = np.random.default_rng(0).normal(size=(30, 1, 6)).repeat(2, axis=0)
    pair = pair_of(without_bias(), (1, 6), samples)
    assert [layer.name for layer in pair.layers] == ["a", "b", "c"]
    for layer in pair.layers[1:]:
        assert bias_of(pair, layer).tolist() == [0.0] * 4
    correct(pair, integers(pair, samples), floats(pair, samples))
    again = Pair(pair.float_graph.file.data, pair.pack())
    assert np.abs(bias_of(again, again.layers[1])).max() > 0


def test_steps_that_share_their_weights_get_no_bias_each() -> None:
    samples = np.random.default_rng(0).normal(size=(30, 1, 6))
    pair = pair_of(without_bias(), (1, 6), samples)
    for graph in (pair.float_graph, pair.graph):
        operators = graph.file.model.subgraphs[0].operators
        ends = slice(None, 2 if graph is pair.graph else None)
        operators[2].inputs = np.array([operators[2].inputs[0], operators[1].inputs[1]])
        operators[1].inputs = operators[1].inputs[ends]
    again = Pair(pack(pair.float_graph.file.model), pair.pack())
    assert [layer.name for layer in again.layers] == ["a"]
    assert again.left_alone == dict.fromkeys(
        "bc", "it has no bias, and others share its weights"
    )


def test_a_step_that_does_not_run_is_left_out_and_named(
    pair: Pair,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any) -> None:
        msg = "operator CONV_2D does not run\nin this interpreter"
        raise SourceError(msg)

    monkeypatch.setattr(biases, "correct", fail)
    original, before = pair.float_graph.file.data, pair.graph.file.data
    made = improve(original, before, named(draw(9, seed=4)), tmp_path, Wishes(equalize=False))
    assert made.model == before
    said = "The step 'bias correction' was left out. operator CONV_2D does not run"
    assert [each.message for each in caplog.records] == [said]


def test_a_step_that_leaves_more_operators_in_float_is_left_out(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_float(source: Path, result: Path, **_: Any) -> None:
        result.write_bytes(source.read_bytes())

    monkeypatch.setattr(chain_of_steps, "quantize_tflite", in_float)
    wishes, samples = Wishes(bias_correction=False), named(draw(9, seed=4))
    made = improve(pair.float_graph.file.data, pair.graph.file.data, samples, tmp_path, wishes)
    assert [step.name for step in made.steps] == ["nearest rounding"]


def test_a_bias_that_is_set_reads_back_within_a_step(pair: Pair) -> None:
    layer = pair.layers[2]
    wanted = np.linspace(-1, 1, len(layer.bias))
    pair.set_bias(layer, wanted)
    again = Pair(pair.float_graph.file.data, pair.pack())
    assert np.abs(bias_of(again, again.layers[2]) - wanted).max() <= pair.bias_step(layer).max()


def test_corrected_layers_have_the_mean_that_they_have_in_float(pair: Pair) -> None:
    samples = draw(20, seed=1)
    correct(pair, integers(pair, samples), floats(pair, samples))
    wanted = float_means(pair, floats(pair, samples))
    layers = {layer.op.index: layer for layer in pair.layers}
    walk = Walk(pair.graph, integers(pair, samples))
    for op in walk.steps():
        if (layer := layers.get(op.index)) is not None:
            taps = mean_taps(pair.graph, op, walk.values[op.inputs[0]])
            found = applied(pair.real_weights(layer), taps, layer) + bias_of(pair, layer)
            assert np.abs(found - wanted[op.index]).max() <= 0.51 * pair.bias_step(layer).max()


def test_correction_brings_a_model_nearer_on_samples_it_never_saw(
    pair: Pair, tmp_path: Path
) -> None:
    before = pair.graph.file.data
    samples = draw(40, seed=1)
    correct(pair, integers(pair, samples), floats(pair, samples))
    judge = Judge(pair.float_graph.file.data, named(draw(60, seed=2)), tmp_path)
    assert judge.nearness(pair.pack()).sqnr_db > judge.nearness(before).sqnr_db


def test_the_chain_keeps_only_what_helps(pair: Pair, tmp_path: Path) -> None:
    before = pair.graph.file.data
    wishes = Wishes(rounding=True)
    original, samples = pair.float_graph.file.data, named(draw(40, seed=3))
    made = improve(original, before, samples, tmp_path, wishes)
    names = ["nearest rounding", "bias correction", "covariance rounding", "equalisation"]
    assert [step.name for step in made.steps] == names
    assert len([step for step in made.steps if step.kept]) > 1
    judge = Judge(original, samples[::4], tmp_path)
    assert judge.nearness(made.model).beats(judge.nearness(before))


def test_auto_tries_every_estimator_and_says_which(pair: Pair, tmp_path: Path) -> None:
    original, before = pair.float_graph.file.data, pair.graph.file.data
    wishes = Wishes(equalize=False, estimator="auto")
    made = improve(original, before, named(draw(40, seed=3)), tmp_path, wishes)
    tried = [step.name for step in made.steps if step.name.startswith("ranges by ")]
    assert tried == [f"ranges by {name}" for name in ("typical", "p99.99", "mse", "kl")]


def test_without_wishes_the_chain_changes_nothing(pair: Pair, tmp_path: Path) -> None:
    before, samples = pair.graph.file.data, named(draw(9, seed=4))
    original = pair.float_graph.file.data
    nothing = Wishes(equalize=False, bias_correction=False)
    made = improve(original, before, samples, tmp_path, nothing)
    assert made.model == before
    assert [step.name for step in made.steps] == ["nearest rounding"]


SCORES = st.lists(st.floats(1e-6, 1.0), min_size=4, max_size=4).map(
    lambda each: np.array(each) / sum(each)
)


@given(SCORES, SCORES)
def test_a_divergence_is_never_below_zero(wanted: Any, found: Any) -> None:
    assert divergence(wanted, found) >= -1e-12
    assert divergence(wanted, wanted) == 0


@pytest.mark.parametrize(
    ("mine", "theirs", "wins"),
    [
        pytest.param((0.9, 0.5), (0.5, 0.1), True, id="many more agree"),
        pytest.param((0.9, 0.1), (0.9, 0.2), True, id="as many agree, less divergence"),
        pytest.param((0.92, 0.3), (0.9, 0.2), False, id="a few more agree, more divergence"),
        pytest.param((0.5, 0.1), (0.9, 0.2), False, id="many fewer agree"),
    ],
)
def test_what_beats_what(
    mine: tuple[float, float], theirs: tuple[float, float], *, wins: bool
) -> None:
    one, other = (
        Nearness(agreement=share, divergence=apart, sqnr_db=20.0, samples=50)
        for share, apart in (mine, theirs)
    )
    assert one.beats(other) is wins


def test_probabilities_in_8_bits_that_do_not_add_up_to_1_are_still_probabilities() -> None:
    wanted = np.append(np.full(1000, 0.0007), 0.3)
    found = np.rint(wanted * 256) / 256
    assert found.sum() < 0.5
    assert abs(divergence(wanted, found)) < 0.01


def test_scores_that_are_no_probabilities_go_through_a_softmax() -> None:
    scores = np.array([3.0, -1.0, 0.5])
    assert divergence(scores, scores + 7.0) == pytest.approx(0.0, abs=1e-12)
    assert divergence(scores, -scores) > 1.0


def test_without_classes_less_noise_beats_more() -> None:
    one, other = (
        Nearness(agreement=None, divergence=None, sqnr_db=noise, samples=50)
        for noise in (21.0, 20.0)
    )
    assert one.beats(other)
    assert not other.beats(one)


@pytest.mark.parametrize("step", [correct, round_weights])
def test_memory_does_not_grow_with_the_number_of_samples(
    monkeypatch: pytest.MonkeyPatch, pair: Pair, step: Callable[..., object]
) -> None:
    budget = 2**20
    monkeypatch.setattr(rounding, "BUDGET_BYTES", budget)
    monkeypatch.setattr(biases, "samples_within", lambda graph: samples_within(graph, budget))

    def peak(count: int) -> int:
        samples = draw(count, seed=6)
        given = integers(pair, samples), floats(pair, samples)
        tracemalloc.start()
        step(pair, *given)
        _, found = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return found

    some = max(samples_within(graph, budget) for graph in (pair.graph, pair.float_graph))
    assert peak(4 * some) <= 1.25 * peak(some)


def test_fewer_samples_are_spread_over_all_of_them() -> None:
    assert limited({0: np.arange(10)}, 4)[0].tolist() == [0, 2, 5, 7]


def bias_of(pair: Pair, layer: Any) -> Any:
    bias = pair.graph.constant(pair.graph.main.tensors[layer.op.inputs[2]])
    return bias * pair.bias_step(layer)


def named(samples: Any) -> list[dict[str, Any]]:
    return [{"x": each[0].astype(np.float32)} for each in samples]


def test_where_the_classes_are_settled_less_noise_beats_more() -> None:
    """Fractions of a thousandth of a nat say nothing; 13 dB do."""
    quiet, loud = (
        Nearness(agreement=1.0, divergence=apart, sqnr_db=noise, samples=50)
        for apart, noise in ((0.0006, 25.8), (0.0004, 12.9))
    )
    assert quiet.beats(loud)
    assert not loud.beats(quiet)

"""Scores of a final SOFTMAX get finer steps where the winners are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import Net, Node, dense, floats, integers, outputs, pair_of

from edgekit_converters.quantize.chain.logits import best_range, refine_scores
from edgekit_converters.quantize.chain.pair import Pair
from edgekit_converters.quantize.chain.ranges import step_of
from edgekit_converters.quantize.chain.rounding import round_weights

SHAPE = (1, 16)
SOFTMAX: dict[str, Any] = {"op": "SOFTMAX", "options": {"beta": 1.0}}


def some(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).normal(0, 1.0, shape)


def samples(count: int = 200) -> Any:
    return np.random.default_rng(7).normal(0, 1, (count, *SHAPE))


def classifier() -> Net:
    many = np.arange(40)
    bias = np.where(many < 8, 0.0, -30.0)  # most classes never win, and spread far below 0
    return {
        "scores": dense(some(40, 16), bias),
        "again": Node(op="RESHAPE", inputs=("scores",), weights=np.array([1, 40])),
        "result": Node(inputs=("again",), **SOFTMAX),
    }


def softmax(scores: Any) -> Any:
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def divergence(scores: Any, ends: tuple[float, float]) -> float:
    scale, zero = step_of(*ends)
    steps = np.clip(np.rint(scores / scale) + zero, -128, 127)
    p, q = softmax(scores), np.maximum(softmax((steps - zero) * scale), 1e-30)
    return float((p * np.log(np.maximum(p, 1e-30) / q)).sum(axis=-1).mean())


def agreement(model: bytes, given: Any, wanted: Any) -> float:
    found = outputs(model, given).argmax(axis=-1)
    return float((found == wanted.argmax(axis=-1)).mean())


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.floats(0.1, 10), st.floats(-20, 20))
@settings(deadline=None, max_examples=30)
def test_probabilities_diverge_no_more_than_with_everything_that_is_seen(
    seed: int, classes: int, spread: float, middle: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(middle, spread, (20, classes)).astype(np.float32)
    low, high = best_range(scores)
    seen = (min(float(scores.min()), 0.0), max(float(scores.max()), 0.0))
    assert seen[0] <= low <= 0.0 <= high <= seen[1] + 1e-6
    assert divergence(scores, (low, high)) <= divergence(scores, seen) + 1e-6


def test_the_class_that_wins_is_more_often_that_of_float() -> None:
    pair = pair_of(classifier(), SHAPE, samples())
    wanted = outputs(pair.float_graph.file.data, samples().astype(np.float32))
    (given,) = integers(pair, samples()).values()
    before = agreement(pair.pack(), given, wanted)
    assert refine_scores(pair, floats(pair, samples())) == ("again",)
    assert agreement(pair.pack(), given, wanted) > before


def test_scores_and_what_only_moves_them_have_one_range() -> None:
    pair = pair_of(classifier(), SHAPE, samples())
    old = {tensor.name: tensor for tensor in pair.graph.main.tensors}
    refine_scores(pair, floats(pair, samples()))
    changed = {tensor.name: tensor for tensor in pair.graph.main.tensors}
    assert changed["again"].scale[0] < old["again"].scale[0]
    assert changed["scores"].scale == changed["again"].scale
    assert changed["scores"].zero_point == changed["again"].zero_point
    assert changed["result"].scale == old["result"].scale


def test_it_can_follow_rounding() -> None:
    pair = pair_of(classifier(), SHAPE, samples())
    round_weights(pair, integers(pair, samples()), floats(pair, samples()))
    rounded = Pair(pair.float_graph.file.data, pair.pack(), rounded=True)
    weights = rounded.weights(rounded.layers[0]).copy()
    assert refine_scores(rounded, floats(pair, samples())) == ("again",)
    assert np.array_equal(rounded.weights(rounded.layers[0]), weights)


NOT_FINAL: dict[str, Net] = {
    "no softmax": {"scores": dense(some(5, 16), some(5))},
    "softmax inside": {
        "scores": dense(some(5, 16), some(5)),
        "share": Node(inputs=("scores",), **SOFTMAX),
        "last": dense(some(3, 5), some(3), "share"),
    },
    "softmax of the input": {"result": Node(inputs=("x",), **SOFTMAX)},
}


@pytest.mark.parametrize("name", NOT_FINAL)
def test_without_a_final_softmax_behind_a_layer_nothing_changes(name: str) -> None:
    pair = pair_of(NOT_FINAL[name], SHAPE, samples(5))
    before = pair.pack()
    assert refine_scores(pair, floats(pair, samples(5))) == ()
    assert pair.pack() == before

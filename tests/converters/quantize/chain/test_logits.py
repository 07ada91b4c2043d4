"""Scores of a final SOFTMAX get finer steps where the winners are."""

from typing import Any

import numpy as np
import pytest
from pairs import Net, Node, dense, floats, integers, outputs, pair_of

from edgekit_converters.quantize.chain.biases import correct
from edgekit_converters.quantize.chain.logits import narrow_logits

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


def agreement(model: bytes, given: Any, wanted: Any) -> float:
    found = outputs(model, given).argmax(axis=-1)
    return float((found == wanted.argmax(axis=-1)).mean())


def test_the_class_that_wins_is_more_often_that_of_float() -> None:
    pair = pair_of(classifier(), SHAPE, samples())
    wanted = outputs(pair.float_graph.file.data, samples().astype(np.float32))
    inputs = integers(pair, samples())
    (given,) = inputs.values()
    before = agreement(pair.pack(), given, wanted)
    assert set(narrow_logits(pair)) == {"again"}
    correct(pair, inputs, floats(pair, samples()))
    assert agreement(pair.pack(), given, wanted) > before


def test_scores_and_what_only_moves_them_are_narrowed_together() -> None:
    pair = pair_of(classifier(), SHAPE, samples())
    old = {tensor.name: tensor for tensor in pair.graph.main.tensors}
    narrow_logits(pair, share=0.5)
    changed = {tensor.name: tensor for tensor in pair.graph.main.tensors}
    high = (127 - old["scores"].zero_point[0]) * old["scores"].scale[0]
    for name in ("scores", "again"):
        assert changed[name].zero_point == (-128,)
        assert changed[name].scale[0] == pytest.approx(0.5 * high / 255)
    assert changed["result"].scale == old["result"].scale


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
    assert narrow_logits(pair) == ()
    assert pair.pack() == before

"""Ranges change group by group, and the model keeps computing the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs import Net, Node, conv, dense, floats, integers, outputs, pair_of

from edgekit_converters.quantize.chain.pair import Pair
from edgekit_converters.quantize.chain.ranges import (
    changeable,
    counterparts,
    groups,
    set_ranges,
    step_of,
)
from edgekit_converters.quantize.chain.walk import Walk

SHAPE = (1, 6, 6, 2)
POOL = {"padding": 1, "stride_h": 2, "stride_w": 2, "filter_height": 2, "filter_width": 2}


def some(*shape: int) -> Any:
    return np.random.default_rng(len(shape)).normal(0, 0.4, shape)


def net() -> Net:
    return {
        "a": conv(some(3, 3, 3, 2), some(3)),
        "b": conv(some(4, 1, 1, 3), some(4), "a"),
        "c": Node(op="CONCATENATION", inputs=("a", "b"), options={"axis": 3}),
        "d": Node(op="MAX_POOL_2D", inputs=("c",), options=POOL),
        "e": dense(some(5, 63), some(5), "d"),
        "f": Node(op="SOFTMAX", inputs=("e",), options={"beta": 1.0}),
    }


@pytest.fixture
def samples() -> Any:
    return np.random.default_rng(3).normal(0, 1, (9, *SHAPE))


@pytest.fixture
def pair(samples: Any) -> Pair:
    return pair_of(net(), SHAPE, samples)


def names(pair: Pair, indices: Any) -> set[str]:
    return {pair.graph.main.tensors[i].name for i in indices}


def number(pair: Pair, name: str) -> int:
    return next(tensor.index for tensor in pair.graph.main.tensors if tensor.name == name)


def test_what_only_moves_values_shares_its_step(pair: Pair) -> None:
    assert [names(pair, group) for group in groups(pair)] == [{"a", "b", "c", "d"}, {"e"}]


def test_inputs_outputs_and_softmax_keep_their_steps(pair: Pair) -> None:
    assert not names(pair, changeable(pair)) & {"x", "f"}
    before = pair.pack()
    set_ranges(pair, {number(pair, "x"): (0.0, 1.0), number(pair, "f"): (0.0, 0.5)})
    assert pair.pack() == before


def test_layers_that_are_not_treated_keep_what_they_read_and_write(pair: Pair) -> None:
    pair.layers = [layer for layer in pair.layers if layer.name != "e"]
    assert changeable(pair) == frozenset()


def test_a_group_takes_the_widest_of_its_ranges(pair: Pair) -> None:
    set_ranges(pair, {number(pair, "a"): (-1.0, 2.0), number(pair, "b"): (-3.0, 1.0)})
    steps = {
        (tensor.scale, tensor.zero_point)
        for tensor in pair.graph.main.tensors
        if tensor.name in {"a", "b", "c", "d"}
    }
    scale, zero = step_of(-3.0, 2.0)
    assert steps == {((scale,), (zero,))}


def test_the_same_ranges_change_nothing_that_counts(pair: Pair, samples: Any) -> None:
    given = next(iter(integers(pair, samples).values()))
    before = outputs(pair.pack(), given)
    tensors = pair.graph.main.tensors
    same = {
        i: tuple((end - tensors[i].zero_point[0]) * tensors[i].scale[0] for end in (-128, 127))
        for i in changeable(pair)
    }
    set_ranges(pair, same)  # type: ignore[arg-type]
    np.testing.assert_allclose(outputs(pair.pack(), given), before, atol=2 / 256)


def test_biases_keep_their_real_values(pair: Pair) -> None:
    def real() -> list[Any]:
        tensors = pair.graph.main.tensors
        biases = [tensors[layer.op.inputs[2]] for layer in pair.layers]
        return [pair.graph.constant(bias) * np.array(bias.scale) for bias in biases]

    before = real()
    set_ranges(pair, dict.fromkeys(changeable(pair), (-20.0, 20.0)))
    for old, new, layer in zip(before, real(), pair.layers, strict=True):
        np.testing.assert_allclose(new, old, atol=pair.bias_step(layer).max())


def test_a_range_twice_as_wide_still_computes_about_the_same(pair: Pair, samples: Any) -> None:
    wanted = outputs(pair.float_graph.file.data, samples.astype(np.float32))
    found = counterparts(pair)
    tensors = pair.graph.main.tensors
    set_ranges(
        pair, {i: (-256 * tensors[i].scale[0], 254 * tensors[i].scale[0]) for i in found}
    )
    after = outputs(pair.pack(), next(iter(integers(pair, samples).values())))
    assert np.abs(after - wanted).max() < 0.1


def test_each_activation_has_its_counterpart_in_the_float_file(
    pair: Pair, samples: Any
) -> None:
    walk = Walk(pair.float_graph, floats(pair, samples))
    list(walk.steps())
    for index, float_index in counterparts(pair).items():
        mine = pair.graph.main.tensors[index].name
        assert mine == pair.float_graph.main.tensors[float_index].name


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_step_spans_its_range_and_holds_zero(one: float, other: float) -> None:
    low, high = min(one, other, 0.0), max(one, other, 0.0)
    scale, zero = step_of(low, high)
    assert -128 <= zero <= 127
    assert scale > 0
    assert (-128 - zero) * scale <= low + scale
    assert (127 - zero) * scale >= high - scale

"""Covariance rounding never costs more than nearest, and often finds the best there is."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pairs import Net, conv, dense, depthwise, floats, integers, outputs, pair_of

from edgekit.flatbuffer.tables import pack
from edgekit_converters.quantize.chain import rounding
from edgekit_converters.quantize.chain.pair import Pair
from edgekit_converters.quantize.chain.rounding import (
    best_rounding,
    cost,
    made_up,
    round_weights,
)
from edgekit_converters.quantize.chain.taps import covariance, groups_of, seen, windows


def problem(seed: int, groups: int, rows: int, taps: int) -> tuple[Any, Any]:
    """Draw weights in steps and a covariance whose taps vary together."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(groups, 50, taps)) @ rng.normal(size=(groups, taps, taps))
    seen += rng.normal(size=(groups, 50, 1)) * rng.uniform(0, 5)
    seen -= seen.mean(axis=1, keepdims=True)
    return rng.uniform(-130, 130, (groups, rows, taps)), seen.swapaxes(1, 2) @ seen / 50


def damped(moments: Any) -> Any:
    mean = np.trace(moments, axis1=1, axis2=2) / moments.shape[-1]
    return moments + 0.01 * mean[:, None, None] * np.eye(moments.shape[-1])


def nearest(weights: Any) -> Any:
    return np.clip(np.rint(weights), -127, 127)


seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)


@given(seeds, sizes, sizes, st.integers(1, 12))
@settings(deadline=None)
def test_no_row_costs_more_than_with_nearest_rounding(
    seed: int, groups: int, rows: int, taps: int
) -> None:
    weights, moments = problem(seed, groups, rows, taps)
    found = best_rounding(weights, moments)
    assert (found == np.rint(found)).all()
    assert np.abs(found).max() <= 127
    after = cost(weights - found, damped(moments))
    assert (after <= cost(weights - nearest(weights), damped(moments)) * (1 + 1e-9)).all()


@given(seeds, sizes, sizes, st.integers(1, 12))
@settings(deadline=None)
def test_with_taps_that_vary_apart_it_is_nearest_rounding(
    seed: int, groups: int, rows: int, taps: int
) -> None:
    rng = np.random.default_rng(seed)
    moments = rng.uniform(0.0, 4.0, (groups, taps, 1)) * np.eye(taps)
    weights = rng.uniform(-130, 130, (groups, rows, taps))
    assert np.array_equal(best_rounding(weights, moments), nearest(weights))


def test_with_few_taps_it_leaves_a_tenth_of_what_the_best_of_all_roundings_gains() -> None:
    """Over many problems; of a single one it may leave up to a half."""
    left, gain = np.array([gains(seed) for seed in range(60)]).T
    assert left.sum() <= 0.1 * gain.sum()
    assert (left <= 0.5 * gain + 1e-9).all()


def gains(seed: int) -> tuple[float, float]:
    """Return what rounding, and what nearest rounding, costs more than the best."""
    weights, moments = problem(seed, 1, 100, 3)
    weights = np.clip(weights, -120, 120)
    tried = np.array(list(itertools.product(range(-4, 5), repeat=3)))
    lattice = nearest(weights)[0, :, None] + tried  # (rows, tries, taps)
    errors = weights[0, :, None] - lattice
    best = np.einsum("otk,kl,otl->ot", errors, damped(moments)[0], errors).min(axis=1)
    found, before = (
        cost(weights - each, damped(moments))[0].sum()
        for each in (best_rounding(weights, moments), nearest(weights))
    )
    return float(found - best.sum()), float(before - best.sum())


def test_two_taps_that_move_together_share_their_errors() -> None:
    together = np.array([[[1.0, 0.999], [0.999, 1.0]]])
    found = best_rounding(np.array([[[0.4, 0.4], [10.3, -3.3]]]), together)
    assert found.sum(axis=2).tolist() == [[1.0, 7.0]]


SHAPE = (1, 8, 8, 4)


def seen_by(pair: Any, samples: Any) -> tuple[Any, Any]:
    """Return the covariance of the only layer, and what its taps see, (places, taps)."""
    (values,) = integers(pair, samples).values()
    (op,) = pair.graph.ops
    each = [window.reshape(-1, window.shape[-1]) for window in windows(pair.graph, op, values)]
    mine = seen(pair.graph, op, values)
    moments = covariance(mine, mine, groups_of(pair.graph, op))
    return moments, np.stack(each, axis=1).astype(float)


def some(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0, 0.4, shape)


def pictures(count: int = 12) -> Any:
    rng = np.random.default_rng(5)
    base = rng.normal(size=(count, 1, 1, 1, 4))
    return base + 0.3 * rng.normal(size=(count, *SHAPE))


def test_the_covariance_of_a_convolution_is_in_the_order_of_its_weights() -> None:
    pair = pair_of({"a": conv(some(3, 3, 3, 4), some(3))}, SHAPE, pictures())
    found, seen = seen_by(pair, pictures())
    wanted = np.cov(seen.reshape(len(seen), -1).T, bias=True)
    np.testing.assert_allclose(found, wanted[None], rtol=1e-3, atol=0.5)


def test_a_depthwise_convolution_has_a_covariance_for_each_channel() -> None:
    pair = pair_of({"a": depthwise(some(1, 3, 3, 4), some(4))}, SHAPE, pictures())
    found, seen = seen_by(pair, pictures())
    wanted = [np.cov(seen[..., channel].T, bias=True) for channel in range(4)]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=0.5)


def test_a_grouped_convolution_has_a_covariance_for_each_group() -> None:
    pair = pair_of({"a": conv(some(6, 3, 3, 2), some(6))}, SHAPE, pictures())
    found, seen = seen_by(pair, pictures())
    halves = [seen[..., :2], seen[..., 2:]]
    wanted = [np.cov(half.reshape(len(half), -1).T, bias=True) for half in halves]
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=0.5)


NETS: dict[str, Net] = {
    "conv": {"a": conv(some(5, 3, 3, 4), some(5)), "b": conv(some(3, 1, 1, 5), some(3), "a")},
    "depthwise": {"a": depthwise(some(1, 3, 3, 4), some(4))},
    "multiplier": {"a": depthwise(some(1, 3, 3, 8), some(8), "x", depth_multiplier=2)},
    "grouped": {"a": conv(some(6, 3, 3, 2), some(6))},
    "dense": {"a": dense(some(7, 256), some(7))},
}


@pytest.mark.parametrize("name", NETS)
def test_rounded_layers_compute_nearer_to_float(name: str) -> None:
    samples = pictures(40)
    pair = pair_of(NETS[name], SHAPE, samples)
    wanted = outputs(pair.float_graph.file.data, samples.astype(np.float32))
    before = outputs(pair.pack(), *integers(pair, samples).values())
    left = round_weights(pair, integers(pair, samples), floats(pair, samples))
    after = outputs(pair.pack(), *integers(pair, samples).values())
    assert left == {}
    assert np.square(after - wanted).mean() <= np.square(before - wanted).mean() * 1.02
    step = pair.graph.outputs[0].scale[0]
    drift = (after - wanted).reshape(-1, wanted.shape[-1]).mean(axis=0)
    assert np.abs(drift).max() < step


@given(seeds, sizes, sizes, st.integers(1, 12))
@settings(deadline=None)
def test_weights_that_read_what_they_were_made_for_stay(
    seed: int, groups: int, rows: int, taps: int
) -> None:
    weights, moments = problem(seed, groups, rows, taps)
    assert np.array_equal(made_up(weights, moments, moments), weights)


@given(seeds, st.integers(1, 12))
@settings(deadline=None)
def test_weights_make_up_for_what_earlier_layers_changed(seed: int, taps: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = rng.normal(size=(300, taps)) @ rng.normal(size=(taps, taps))
    given = wanted * rng.uniform(0.5, 1.5, taps) + rng.normal(0, 0.1, (300, taps))
    given, wanted = given - given.mean(axis=0), wanted - wanted.mean(axis=0)
    weights = rng.normal(size=(1, 1, taps))
    own, crossed = given.T @ given / 300, given.T @ wanted / 300
    moved = made_up(weights, own[None], crossed[None])
    before, after = (
        np.square(wanted @ weights[0, 0] - given @ each[0, 0]).sum()
        for each in (weights, moved)
    )
    assert after <= before


def test_a_layer_with_too_many_taps_is_named_and_keeps_its_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounding, "MOST_TAPS", 100)
    samples = pictures()
    pair = pair_of(NETS["dense"], SHAPE, samples)
    before = pair.weights(pair.layers[0]).copy()
    left = round_weights(pair, integers(pair, samples), floats(pair, samples))
    assert left == {"a": "an output has 256 weights, more than 100"}
    assert np.array_equal(pair.weights(pair.layers[0]), before)


def test_operators_that_share_weights_are_named_and_keep_them() -> None:
    samples = pictures()
    net = {"a": conv(some(4, 1, 1, 4), some(4)), "b": conv(some(4, 1, 1, 4), some(4), "a")}
    pair = pair_of(net, SHAPE, samples)
    for graph in (pair.float_graph, pair.graph):
        one, other = graph.file.model.subgraphs[0].operators
        other.inputs = np.array([other.inputs[0], one.inputs[1], other.inputs[2]], np.int32)
    pair = Pair(pack(pair.float_graph.file.model), pair.pack())
    before = pair.weights(pair.layers[0]).copy()
    left = round_weights(pair, integers(pair, samples), floats(pair, samples))
    assert left == dict.fromkeys("ab", "2 operators share its weights")
    assert np.array_equal(pair.weights(pair.layers[0]), before)


def test_a_layer_that_always_sees_the_same_keeps_nearest_rounding() -> None:
    samples = np.ones((5, *SHAPE))
    pair = pair_of(NETS["dense"], SHAPE, samples)
    before = pair.weights(pair.layers[0]).copy()
    round_weights(pair, integers(pair, samples), floats(pair, samples))
    assert np.array_equal(pair.weights(pair.layers[0]), before)

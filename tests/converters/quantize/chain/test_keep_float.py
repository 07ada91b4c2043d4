"""Layers that stay in float are few and cheap, and found in a limited number of tries."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pairs import Net, Node, conv, dense, depthwise, pair_of

from edgekit_converters.quantize.chain.diagnosis import LayerDiagnosis
from edgekit_converters.quantize.chain.keep_float import TRIES, between, fewest, readers

SHAPE = (1, 10, 10, 3)


def net() -> Net:
    rng, bias = np.random.default_rng(1), np.zeros(8)
    return {
        "a": conv(rng.normal(0, 1, (8, 3, 3, 3)), bias),
        "b": depthwise(rng.normal(0, 1, (1, 3, 3, 8)), bias, "a"),
        "c": conv(rng.normal(0, 1, (8, 1, 1, 8)), bias, "b"),
        "d": Node(op="ADD", inputs=("a", "c")),
        "e": conv(rng.normal(0, 1, (8, 3, 3, 8)), bias, "d", stride_h=2, stride_w=2),
        "f": Node(op="RESHAPE", inputs=("e",), weights=np.array([1, 200])),
        "g": dense(rng.normal(0, 1, (5, 200)), bias[:5], "f"),
    }


def draw(count: int) -> Any:
    return np.random.default_rng(0).normal(0, 1, (count, *SHAPE))


def layer(name: str, sensitivity: float, macs: int) -> LayerDiagnosis:
    return LayerDiagnosis(
        name=name,
        op="CONV_2D",
        sqnr_db=20.0,
        sensitivity=sensitivity,
        alone_db=20.0,
        agreement=None,
        cause="",
        remedy="",
        macs=macs,
        samples=1,
    )


def needs(*wanted: str) -> Callable[[tuple[str, ...]], bool]:
    return lambda names: set(names) >= set(wanted)


def test_layers_that_are_not_needed_are_taken_out_again() -> None:
    layers = [layer("a", 0.5, 100), layer("b", 0.4, 100), layer("c", 0.1, 100)]
    choice = fewest(layers, needs("c"))
    assert choice is not None
    assert choice.names == ("c",)
    assert choice.macs == 100


def test_cheap_layers_come_before_expensive_ones() -> None:
    layers = [layer("dear", 0.6, 1_000_000), layer("cheap", 0.4, 10)]
    choice = fewest(layers, lambda names: len(names) == 1)
    assert choice is not None
    assert choice.names == ("cheap",)


def test_a_layer_that_costs_nothing_is_never_kept() -> None:
    assert fewest([layer("a", 0.0, 10)], needs()) is None


def test_what_reads_a_layer_goes_with_it() -> None:
    layers = [layer("a", 0.9, 10), layer("b", 0.05, 10), layer("c", 0.05, 10)]
    choice = fewest(layers, needs("a", "c"), tries=1, readers={"a": ["c"]})
    assert choice is not None
    assert choice.names == ("a", "c")


def test_readers_are_found_behind_operators_without_weights() -> None:
    graph = pair_of(net(), SHAPE, draw(2)).float_graph
    assert readers(graph) == {
        "a": ("b", "e"),
        "b": ("c",),
        "c": ("e",),
        "e": ("g",),
        "g": (),
    }


def test_what_lies_between_two_layers_is_found() -> None:
    graph = pair_of(net(), SHAPE, draw(2)).float_graph
    assert between(graph, ["e", "g"]) == ("f",)
    assert between(graph, ["c", "e"]) == ("d",)
    assert between(graph, ["a", "g"]) == ()


def test_nothing_is_chosen_where_nothing_helps() -> None:
    assert fewest([layer("a", 1.0, 10)], lambda _: False) is None


@given(
    sizes=st.lists(st.integers(1, 10**6), min_size=1, max_size=60),
    wanted=st.integers(0, 59),
    tries=st.integers(1, TRIES),
)
def test_a_choice_was_tried_and_tries_are_limited(
    sizes: list[int], wanted: int, tries: int
) -> None:
    asked: list[tuple[str, ...]] = []

    def good_enough(names: tuple[str, ...]) -> bool:
        asked.append(names)
        return str(wanted) in names

    layers = [layer(str(i), 1 / len(sizes), macs) for i, macs in enumerate(sizes)]
    choice = fewest(layers, good_enough, tries)
    assert len(asked) <= tries
    if choice is not None:
        assert choice.names in asked
        assert str(wanted) in choice.names

"""Holding pictures out: whole shootings, even classes, and something left to learn from."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit_converters.train.split import histogram, hold_out, shootings

RED, BLUE = (
    histogram(np.full((8, 8, 3), color, np.uint8)) for color in ((250, 0, 0), (0, 0, 250))
)


def test_pictures_that_count_up_and_look_alike_are_one_shooting() -> None:
    names = ["IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg"]
    assert shootings(names, [RED] * 3) == [[0, 1, 2]]


def test_numbers_are_counted_not_spelt() -> None:
    names = ["IMG_10.jpg", "IMG_9.jpg", "IMG_11.jpg"]
    assert shootings(names, [RED] * 3) == [[1, 0, 2]]


def test_a_gap_in_the_numbers_begins_a_shooting() -> None:
    assert shootings(["a1.png", "a2.png", "a40.png"], [RED] * 3) == [[0, 1], [2]]


def test_another_prefix_begins_a_shooting() -> None:
    assert shootings(["a1.png", "b2.png"], [RED] * 2) == [[0], [1]]


def test_other_colours_begin_a_shooting() -> None:
    names = ["a1.png", "a2.png", "a3.png"]
    assert shootings(names, [RED, RED, BLUE]) == [[0, 1], [2]]


@st.composite
def grouped(draw: st.DrawFn) -> tuple[list[list[int]], list[Any]]:
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=12))
    edges = np.cumsum([0, *sizes]).tolist()
    groups = [list(range(a, b)) for a, b in itertools.pairwise(edges)]
    each = st.lists(st.integers(0, 2), min_size=1, max_size=3)
    classes = [np.array(draw(each), np.intp) for _ in range(edges[-1])]
    return groups, classes


@given(grouped(), st.integers(0, 5))
def test_every_picture_is_on_one_side_with_its_whole_group(
    drawn: tuple[list[list[int]], list[Any]], seed: int
) -> None:
    groups, classes = drawn
    kept, held = hold_out(groups, classes, 0.2, seed)
    assert sorted(kept + held) == list(range(len(classes)))
    assert kept == sorted(kept)
    assert held
    for group in groups if len(groups) >= 4 else []:  # fewer are cut
        assert len({place in set(held) for place in group}) == 1


def test_one_shooting_is_cut_into_runs_and_that_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept, held = hold_out([list(range(10))], [np.array([0])] * 10, 0.2, 0)
    assert len(held) == 2
    assert held[1] == held[0] + 1
    assert sorted(kept + held) == list(range(10))
    assert "another day" in caplog.text


@given(grouped(), st.integers(0, 5))
def test_something_is_left_to_learn_from(
    drawn: tuple[list[list[int]], list[Any]], seed: int
) -> None:
    kept, _ = hold_out(*drawn, 0.2, seed)
    assert kept


def test_the_same_seed_holds_the_same_pictures_out() -> None:
    groups = [[place] for place in range(40)]
    classes = [np.array([place % 3]) for place in range(40)]
    assert hold_out(groups, classes, 0.2, 1) == hold_out(groups, classes, 0.2, 1)
    assert hold_out(groups, classes, 0.2, 1) != hold_out(groups, classes, 0.2, 2)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_classes_are_held_out_evenly(share: float) -> None:
    groups = [[place] for place in range(120)]
    classes = [np.array([place % 4]) for place in range(120)]
    _, held = hold_out(groups, classes, share, 0)
    counts = np.bincount([place % 4 for place in held], minlength=4)
    assert np.abs(counts - 30 * share).max() <= 3

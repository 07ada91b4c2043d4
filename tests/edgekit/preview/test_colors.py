"""Colours of labels: stable, far apart, readable."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.preview.colors import Color, color_of, hexadecimal

LEAST_CONTRAST = 7.0  # WCAG 2, level AAA


def luminance(color: Color) -> float:
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
        for each in (channel / 255 for channel in color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(label=st.text(), labels=st.lists(st.text(), max_size=9))
def test_black_letters_can_be_read_on_every_colour(label: str, labels: list[str]) -> None:
    color = color_of(label, labels)
    assert all(0 <= each <= 255 for each in color)
    assert (luminance(color) + 0.05) / 0.05 >= LEAST_CONTRAST


@given(label=st.text(), labels=st.lists(st.text()), more=st.lists(st.text()))
def test_a_label_keeps_its_colour_when_others_are_added(
    label: str, labels: list[str], more: list[str]
) -> None:
    known = [*labels, label]
    assert color_of(label, known) == color_of(label, known + more)


@pytest.mark.parametrize("count", [2, 6, 8])
def test_colours_of_few_labels_are_far_apart(count: int) -> None:
    labels = [f"label {number}" for number in range(count)]
    colors = [color_of(label, labels) for label in labels]
    assert min(math.dist(*pair) for pair in itertools.combinations(colors, 2)) > 30


def test_a_colour_is_written_as_pages_do() -> None:
    assert hexadecimal((0, 10, 255)) == "#000aff"

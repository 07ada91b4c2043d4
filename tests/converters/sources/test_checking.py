"""Laws of the relative difference and of random input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edgekit_converters.sources.checking import (
    TOLERANCE,
    Feed,
    compare,
    random_feeds,
    relative_difference,
)
from edgekit_converters.sources.source import InputSpec

outputs = arrays(np.float32, (2, 3), elements=st.floats(-1e6, 1e6, width=32))


@given(output=outputs)
def test_a_model_does_not_differ_from_itself(output: NDArray[np.float32]) -> None:
    assert relative_difference([output], [output.copy()]) == 0


@given(output=outputs, factor=st.floats(0.01, 100))
def test_the_scale_of_the_outputs_does_not_matter(
    output: NDArray[np.float32], factor: float
) -> None:
    wide = output.astype(np.float64) + 2e6  # an output of zeros has no scale
    expected = relative_difference([wide], [wide + 1])
    found = relative_difference([wide * factor], [(wide + 1) * factor])
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_worst_output_counts() -> None:
    good, bad = np.array([1.0]), np.array([2.0])
    assert relative_difference([good, bad], [good, bad + 0.5]) == 0.25


@pytest.mark.parametrize(
    ("expected", "found", "difference"),
    [
        pytest.param([np.nan, 1.0], [np.nan, 1.0], 0.0, id="the same NaN"),
        pytest.param([np.nan, 1.0], [0.0, 1.0], np.inf, id="NaN on one side"),
        pytest.param([np.inf, 1.0], [-np.inf, 1.0], np.inf, id="infinities apart"),
        pytest.param([1.0], [1.0, 1.0], np.inf, id="other shape"),
        pytest.param([0.0], [0.0], 0.0, id="zeros"),
    ],
)
def test_values_that_are_no_numbers(
    expected: list[float], found: list[float], difference: float
) -> None:
    assert relative_difference([np.array(expected)], [np.array(found)]) == difference


def test_indices_stay_below_the_rows_of_the_embedding() -> None:
    spec = InputSpec(name="words", shape=(50,), dtype="float32", indices=7)
    values = np.concatenate([f[0] for f in random_feeds([spec], normalizes_itself=False)])
    assert set(np.unique(values)) <= set(range(7))
    assert values.dtype == np.float32


def test_pictures_that_the_graph_scales_are_pixels() -> None:
    spec = InputSpec(name="x", shape=(8, 8, 3), dtype="float32")
    values = np.concatenate([f[0] for f in random_feeds([spec], normalizes_itself=True)])
    assert values.min() >= 0
    assert 200 < values.max() <= 255


def test_a_fixed_batch_is_kept_and_the_numbers_repeat() -> None:
    spec = InputSpec(name="x", shape=(4,), dtype="float32", batch=3)
    first, second = (random_feeds([spec], normalizes_itself=False, count=2) for _ in range(2))
    assert first[0][0].shape == (3, 4)
    assert not np.array_equal(first[0][0], first[1][0])
    np.testing.assert_array_equal(first[1][0], second[1][0])


def _wild(feed: Feed, last_bits: int = 0) -> list[NDArray[np.float32]]:
    """Make a thousandth of the output of the last bit of the input."""
    x = feed[0]
    for _ in range(last_bits):
        x = np.nextafter(x, np.float32(np.inf))
    return [np.sin(x.astype(np.float64) * 2e4).astype(np.float32)]


def _calm(feed: Feed, off: float = 0.0) -> list[NDArray[np.float32]]:
    return [feed[0] * np.float32(1 + off)]


_FEEDS = [
    [np.random.default_rng(each).uniform(1, 2, (1, 64)).astype(np.float32)] for each in (1, 2)
]


def test_a_net_that_makes_much_of_the_last_bit_may_differ_by_that() -> None:
    difference, allowed = compare(_wild, lambda feed: _wild(feed, last_bits=2), _FEEDS)
    assert TOLERANCE < difference < allowed


def test_a_net_that_makes_much_of_the_last_bit_may_not_differ_by_all() -> None:
    difference, allowed = compare(_wild, lambda feed: [-_wild(feed)[0]], _FEEDS)
    assert difference > 10 * allowed


@pytest.mark.parametrize("off", [2e-4, 1e-2, 1.0])
def test_a_calm_net_may_differ_by_its_own_rounding_only(off: float) -> None:
    difference, allowed = compare(_calm, lambda feed: _calm(feed, off), _FEEDS)
    assert difference > allowed == TOLERANCE


def test_indices_are_not_moved() -> None:
    def table(feed: Feed) -> list[NDArray[np.float32]]:
        return [np.arange(8, dtype=np.float32)[feed[0].astype(int)]]

    words = [[np.arange(8, dtype=np.float32)]]
    assert compare(table, lambda feed: [table(feed)[0] + 0.01], words)[1] == TOLERANCE

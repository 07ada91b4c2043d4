"""Running statistics equal those of all samples at once."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.data.samples import Sample
from edgekit.data.statistics import Statistics
from edgekit.errors import DataError


def seen(samples: NDArray[Any]) -> Statistics:
    statistics = Statistics()
    for number, values in enumerate(samples):
        statistics.add(Sample(f"s{number}", {"x": values}, number % 3))
    return statistics


@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 5)),
        st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3)),
    ),
    count=st.integers(1, 12),
    scale=st.floats(1e-3, 1e4),
    offset=st.floats(-1e4, 1e4),
    seed=st.integers(0, 9),
)
def test_they_equal_numpy_over_everything(
    shape: tuple[int, ...], count: int, scale: float, offset: float, seed: int
) -> None:
    values = np.random.default_rng(seed).standard_normal((count, *shape)) * scale + offset
    samples = values.astype(np.float32)
    found = seen(samples).inputs["x"]
    flat = samples.reshape(-1, shape[-1] if len(shape) == 3 else 1).astype(np.float64)
    assert np.array_equal(found.minimum, flat.min(axis=0))
    assert np.array_equal(found.maximum, flat.max(axis=0))
    assert np.allclose(found.mean, flat.mean(axis=0), rtol=1e-6, atol=1e-6 * scale)
    assert np.allclose(found.std, flat.std(axis=0), rtol=1e-3, atol=1e-3 * scale)
    assert found.count == flat.shape[0]


def test_watching_hands_on_every_sample() -> None:
    statistics = Statistics()
    samples = [Sample(f"s{i}", {"x": np.full(2, i, np.float32)}, None) for i in range(4)]
    assert list(statistics.watch(samples)) == samples
    assert statistics.names == ["s0", "s1", "s2", "s3"]


def test_copies_are_known_by_content() -> None:
    samples = np.array([[1, 2], [3, 4], [1, 2], [1, 2]], np.float32)
    assert seen(samples).duplicates == [("s2", "s0"), ("s3", "s0")]


def test_samples_are_copies_only_if_all_inputs_are() -> None:
    statistics = Statistics()
    for name, second in (("a", 1), ("b", 2), ("c", 1)):
        inputs = {"x": np.zeros(2, np.float32), "y": np.full(2, second, np.int32)}
        statistics.add(Sample(name, inputs, None))
    assert statistics.duplicates == [("c", "a")]
    assert statistics.inputs["y"].integer


def test_classes_are_counted() -> None:
    assert seen(np.zeros((7, 2), np.float32)).classes == {0: 3, 1: 2, 2: 2}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_an_error_that_names_the_sample(value: float) -> None:
    samples = np.zeros((3, 4), np.float32)
    samples[1, 2] = value
    with pytest.raises(DataError, match="s1: 1 of 4 values of input 'x' are not finite"):
        seen(samples)

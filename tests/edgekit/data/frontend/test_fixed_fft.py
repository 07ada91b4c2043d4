"""The fixed-point transform is the true one, but for the rounding of its stages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from edgekit.data.frontend.fixed_fft import fixed_rfft

Integers = NDArray[np.int64]
samples = arrays.arrays(np.int64, (3, 512), elements=st.integers(-16_384, 16_383))


def true(values: Integers) -> NDArray[np.complex128]:
    return np.asarray(np.fft.rfft(values) / values.shape[1])


def computed(values: Integers) -> NDArray[np.complex128]:
    real, imaginary = fixed_rfft(values)
    return real + 1j * imaginary


@given(values=samples)
def test_it_is_the_transform_to_a_few_units(values: Integers) -> None:
    assert np.abs(computed(values) - true(values)).max() < 8


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048])
def test_every_power_of_two_is_transformed(size: int) -> None:
    values = np.random.default_rng(size).integers(-9000, 9000, (2, size))
    assert computed(values).shape == (2, size // 2 + 1)
    assert np.abs(computed(values) - true(values)).max() < 8


@given(values=samples)
def test_results_are_integers_of_16_bits(values: Integers) -> None:
    for part in fixed_rfft(values):
        assert (part == part.astype(np.int16)).all()


@given(values=samples)
def test_a_row_does_not_depend_on_the_others(values: Integers) -> None:
    together = computed(values)
    for row, alone in zip(together, values, strict=True):
        assert (computed(alone[np.newaxis])[0] == row).all()


def test_silence_stays_silence() -> None:
    assert not computed(np.zeros((1, 512), np.int64)).any()


def test_the_constant_component_is_real() -> None:
    spectrum = computed(np.full((1, 512), 8000))
    assert spectrum[0, 0].real == pytest.approx(8000, abs=8)
    assert spectrum[0, 0].imag == 0
    assert np.abs(spectrum[0, 1:]).max() <= 2


def test_samples_beyond_the_range_of_a_stage_wrap_as_16_bits_do() -> None:
    # At full scale in both halves of a pair, sums may leave 16 bits; they stay 16 bits.
    values = np.where(np.arange(512) % 4 < 2, 32767, -32768)[np.newaxis]
    for part in fixed_rfft(values):
        assert np.abs(part).max() <= 32768

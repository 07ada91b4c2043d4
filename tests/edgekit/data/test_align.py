"""The window that is cut out of a recording holds its word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.align import align, prominence, window_start, word_span

RATE = 16000
LENGTHS = st.integers(1, 30000)


def recording(length: int, start: int, end: int, noise: float = 1e-3) -> np.ndarray:
    """Faint noise with a loud tone between two samples."""
    rng = np.random.default_rng(0)
    wave = rng.normal(0, noise, length) if noise else np.zeros(length)
    wave[start:end] += 0.3 * np.sin(np.arange(end - start) / 5)
    return wave.astype(np.float32)


@given(length=LENGTHS, samples=st.integers(1, 30000), seed=st.integers(0, 99))
def test_the_window_always_has_the_length_asked_for(
    length: int, samples: int, seed: int
) -> None:
    wave = np.random.default_rng(seed).normal(0, 0.1, length).astype(np.float32)
    assert align(wave, samples, RATE).shape == (samples,)


@given(length=LENGTHS, longer=st.integers(0, 20000), seed=st.integers(0, 99))
def test_a_short_recording_is_kept_whole_between_zeros(
    length: int, longer: int, seed: int
) -> None:
    wave = np.random.default_rng(seed).normal(0, 0.1, length).astype(np.float32)
    before = -window_start(wave, length + longer, RATE)
    found = align(wave, length + longer, RATE)
    np.testing.assert_array_equal(found[before : before + length], wave)
    assert not found[:before].any()
    assert not found[before + length :].any()


@given(start=st.integers(3200, 28000), length=st.integers(3200, 12800))
def test_a_word_anywhere_comes_to_the_middle(start: int, length: int) -> None:
    wave = recording(48000, start, start + length)
    begins = window_start(wave, RATE, RATE)
    middle = start + length / 2 - begins
    free = 0 < begins < len(wave) - RATE
    assert middle == pytest.approx(RATE / 2, abs=500) or not free
    assert begins <= start + 320
    assert begins + RATE >= start + length - 320


@given(start=st.integers(3200, 28000), length=st.integers(3200, 12800))
def test_the_span_of_a_word_is_found_to_20_ms(start: int, length: int) -> None:
    span = word_span(recording(48000, start, start + length), RATE)
    assert span == pytest.approx((start, start + length), abs=0.02 * RATE)


def test_a_click_is_no_word() -> None:
    wave = recording(48000, 30000, 38000)
    wave[5000:5020] = 1.0
    assert 26000 <= window_start(wave, RATE, RATE) + RATE / 2 <= 42000
    span = word_span(wave, RATE)
    assert span is not None
    assert span[0] > 29000


def test_zeros_around_a_recording_are_no_background() -> None:
    wave = np.pad(recording(24000, 12000, 20000), (24000, 0))
    span = word_span(wave, RATE)
    assert span == pytest.approx((36000, 44000), abs=0.02 * RATE)


@pytest.mark.parametrize("wave", [np.zeros(48000), np.full(48000, 0.5), np.zeros(0)])
def test_where_nothing_stands_out_the_centre_is_taken(wave: np.ndarray) -> None:
    wave = wave.astype(np.float32)
    assert word_span(wave, RATE) is None
    assert window_start(wave, RATE, RATE) == (wave.size - RATE) // 2


def test_prominence_counts_hops_of_10_ms() -> None:
    assert prominence(np.zeros(1601, np.float32), RATE).shape == (11,)

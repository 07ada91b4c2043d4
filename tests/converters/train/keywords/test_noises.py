"""Laws of invented noises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit_converters.train.keywords import noises
from edgekit_converters.train.keywords.augment import level

RATE = 16_000
MAKERS = sorted({*noises.KINDS}, key=lambda make: make.__name__)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
@given(seed=seeds, samples=st.integers(2000, 30_000), rate=st.sampled_from((8000, RATE)))
def test_every_kind_is_as_long_as_asked_and_can_be_heard(
    make: noises.Maker, seed: int, samples: int, rate: int
) -> None:
    noise = make(samples, rate, np.random.default_rng(seed))
    assert noise.dtype == np.float32
    assert noise.shape == (samples,)
    assert np.isfinite(noise).all()
    assert level(noise) > 1e-4


@given(seed=seeds)
def test_the_same_draws_make_the_same_noise(seed: int) -> None:
    one, other = (noises.invented(4000, RATE, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(8))
def test_tones_are_few_narrow_lines(seed: int) -> None:
    noise = noises.tones(2 * RATE, RATE, np.random.default_rng(seed))
    spectrum = np.abs(np.fft.rfft(noise * np.hanning(noise.size))) ** 2
    spectrum = np.sort(spectrum)[::-1]
    assert spectrum[:200].sum() > 0.8 * spectrum.sum()


@pytest.mark.parametrize("seed", range(8))
def test_knocks_are_loud_for_moments_only(seed: int) -> None:
    noise = noises.knocks(2 * RATE, RATE, np.random.default_rng(seed))
    assert np.abs(noise).max() > 4 * level(noise)

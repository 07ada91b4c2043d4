"""Laws of what happens between a mouth and the samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit_converters.train.keywords import augment
from edgekit_converters.train.keywords.augment import Way

RATE = 16_000
seeds = st.integers(0, 2**32 - 1)


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def pitch(wave: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(wave.size)))
    return float(spectrum.argmax() * RATE / wave.size)


def test_the_plain_way_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    wave = rng.normal(size=5000).astype(np.float32)
    moved = augment.travel(wave, RATE, Way(), rng)
    np.testing.assert_allclose(moved, wave, atol=1e-5)


@pytest.mark.parametrize("speed", [0.85, 1.0, 1.18])
def test_a_faster_voice_is_shorter_and_higher(speed: float) -> None:
    wave = tone(500)
    moved = augment.travel(wave, RATE, Way(speed=speed), np.random.default_rng(0))
    real = wave.size / moved.size
    assert real == pytest.approx(speed, rel=0.03)
    assert pitch(moved) == pytest.approx(500 * real, rel=0.01)


def test_what_is_above_the_limit_is_gone() -> None:
    way = Way(high_hz=3000)
    low, high = (
        augment.travel(tone(hz), RATE, way, np.random.default_rng(0)) for hz in (1000, 6000)
    )
    assert augment.level(high) < 0.01 * augment.level(low)


def test_an_echo_follows_the_sound() -> None:
    click = np.zeros(RATE // 2, np.float32)
    click[1000] = 1
    way = Way(echo_s=0.4, direct_db=0)
    moved = augment.travel(click, RATE, way, np.random.default_rng(0))
    assert abs(int(np.abs(moved).argmax()) - 1000) <= 1
    assert np.abs(moved[:990]).max() < 0.02
    early, late = (augment.level(moved[at : at + 800]) for at in (1100, 5000))
    assert early > 2 * late > 0


@given(seed=seeds, size=st.integers(200, 30_000))
def test_every_way_gives_real_sound(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    wave = rng.uniform(-1, 1, size).astype(np.float32)
    way = augment.draw_way(rng)
    moved = augment.travel(wave, RATE, way, rng)
    assert moved.dtype == np.float32
    assert np.isfinite(moved).all()
    assert moved.size == pytest.approx(size / way.speed, rel=0.1)


@given(seed=seeds)
def test_what_is_mixed_fits_a_microphone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = augment.coloured(8000, RATE, rng)
    wave = tone(300, 0.5)
    mixed = augment.mixed(wave, augment.level(wave), noise, rng)
    assert mixed.shape == (8000,)
    assert np.abs(mixed).max() <= 1
    assert np.isfinite(mixed).all()


def test_silence_with_silence_is_silence() -> None:
    quiet = np.zeros(4000, np.float32)
    mixed = augment.mixed(quiet, 0.0, quiet, np.random.default_rng(0))
    assert not mixed.any()


@given(seed=seeds)
def test_noises_are_finite_and_heard(seed: int) -> None:
    noise = augment.coloured(6000, RATE, np.random.default_rng(seed))
    assert noise.shape == (6000,)
    assert np.isfinite(noise).all()
    assert augment.level(noise) > 0


@given(seed=seeds)
def test_what_is_hidden_is_little_and_the_rest_as_it_was(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(64, 40)).astype(np.float32)
    hidden = augment.hide(features, rng)
    kept = hidden == features
    assert kept.mean() > 0.7
    assert (hidden[~kept] == 0).all()

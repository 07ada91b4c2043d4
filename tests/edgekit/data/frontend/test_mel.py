"""Laws of the mel bands and of the coefficients made of them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.data.frontend import FrontEnd, extract, preset
from edgekit.data.frontend.mel import cosine_transform, hamming, hann, mel_bank

PLAIN = FrontEnd()


def tone(hz: float, amplitude: float = 0.5) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(4000) / 16_000)).astype(np.float32)


def test_two_bands_share_every_frequency_between_the_outer_peaks() -> None:
    bank = mel_bank(PLAIN)
    peaks = bank.argmax(axis=0)
    inner = bank[peaks[0] + 1 : peaks[-1]]
    np.testing.assert_allclose(inner.sum(axis=1), 1, atol=1e-12)
    assert (np.diff(peaks) > 0).sum() >= 30
    assert not bank[0].any()


@given(hz=st.floats(200, 7000))
def test_a_tone_is_loudest_in_the_band_whose_peak_is_nearest(hz: float) -> None:
    def mel(frequency: float) -> float:
        return 1127 * math.log1p(frequency / 700)

    edges = np.linspace(mel(PLAIN.low_hz), mel(PLAIN.high_hz), PLAIN.bins + 2)
    nearest = int(np.abs(edges[1:-1] - mel(hz)).argmin())
    loudest = extract(tone(hz), PLAIN).mean(axis=0).argmax()
    assert abs(loudest - nearest) <= 1


@given(gain=st.floats(0.1, 4))
def test_louder_sound_adds_the_same_to_every_band(gain: float) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 4000).astype(np.float32)
    added = extract(noise * np.float32(gain), PLAIN) - extract(noise, PLAIN)
    np.testing.assert_allclose(added, 2 * math.log(gain), atol=2e-3)


def test_the_energy_of_a_tone_is_that_of_its_window() -> None:
    # 1000 Hz is frequency 32 of 512; a Hann window of 512 gives half a tone's height.
    front_end = replace(PLAIN, frame_samples=512, bins=3, low_hz=0.0, high_hz=8000.0)
    row = extract(tone(1000), front_end)[0]
    side = (0.5 * 512 / 8) ** 2
    main = (0.5 * 512 / 4) ** 2
    bank = mel_bank(front_end)[31:34].T @ np.array([side, main, side])
    np.testing.assert_allclose(np.exp(row), bank + 1e-6, rtol=1e-4)


def test_silence_is_the_floor() -> None:
    rows = extract(np.zeros(4000, np.float32), PLAIN)
    np.testing.assert_allclose(rows, math.log(1e-6), rtol=1e-6)


def test_magnitude_is_the_root_of_power() -> None:
    front_end = replace(PLAIN, bins=1, low_hz=990.0, high_hz=1010.0, floor=1e-30)
    power = extract(tone(1000), front_end)
    magnitude = extract(tone(1000), replace(front_end, spectrum="magnitude"))
    # The only frequency in the band has one weight in both.
    weight = math.log(mel_bank(front_end).max())
    np.testing.assert_allclose(magnitude - weight, (power - weight) / 2, atol=1e-4)


def test_preemphasis_takes_the_sample_before_off() -> None:
    noise = np.random.default_rng(2).normal(0, 0.1, 4000).astype(np.float32)
    by_hand = noise - np.float32(0.5) * np.concatenate(([np.float32(0)], noise[:-1]))
    assert extract(noise, replace(PLAIN, preemphasis=0.5)).tobytes() == (
        extract(by_hand, PLAIN).tobytes()
    )


def test_coefficients_are_a_turn_of_the_bands() -> None:
    turn = cosine_transform(40, 40).astype(np.float64)
    turn[:, 0] /= math.sqrt(2)  # the first one's scale
    np.testing.assert_allclose(turn.T @ turn, np.eye(40), atol=1e-6)


def test_mfcc_is_the_transform_of_log_mel() -> None:
    mfcc = preset("mlperf-tiny")
    bands = replace(mfcc, kind="log-mel", coefficients=0)
    noise = np.random.default_rng(3).normal(0, 0.1, 4000).astype(np.float32)
    expected = extract(noise, bands).astype(np.float64) @ cosine_transform(40, 10)
    np.testing.assert_allclose(extract(noise, mfcc), expected, atol=1e-4)


def test_windows_have_their_known_values() -> None:
    np.testing.assert_allclose(hann(4), [0, 0.5, 1, 0.5], atol=1e-15)
    np.testing.assert_allclose(hamming(5), [0.08, 0.54, 1, 0.54, 0.08], atol=1e-15)


@pytest.mark.parametrize("bins", [1, 2, 40, 128])
def test_more_bands_than_frequencies_still_give_rows(bins: int) -> None:
    # Low bands may hold no frequency of a short transform; they stay at the floor.
    front_end = FrontEnd(frame_samples=64, step_samples=64, fft_size=64, bins=bins)
    rows = extract(tone(1000), front_end)
    assert rows.shape == (front_end.count(4000), bins)
    assert np.isfinite(rows).all()


@pytest.mark.parametrize("bins", [1, 7, 40, 80])
@pytest.mark.parametrize("fft_size", [512, 2048])
def test_rows_are_those_of_the_formula(bins: int, fft_size: int) -> None:
    front_end = FrontEnd(fft_size=fft_size, bins=bins, frame_samples=500, step_samples=333)
    noise = np.random.default_rng(4).normal(0, 0.1, 5000).astype(np.float32)
    rows = []
    for start in range(0, 5000 - 500 + 1, 333):
        spectrum = np.fft.rfft(noise[start : start + 500] * hann(500), fft_size)
        rows.append(np.log(np.abs(spectrum) ** 2 @ mel_bank(front_end) + 1e-6))
    np.testing.assert_allclose(extract(noise, front_end), rows, atol=1e-4)

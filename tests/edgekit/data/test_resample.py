"""What a resampler must do: keep sound that fits the rate, remove what does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.data.resample import Resampler, resample
from edgekit.errors import DataError

rates = st.sampled_from([8000, 11025, 16000, 22050, 32000, 44100, 48000])
PAIRS = [
    (8000, 16000),
    (16000, 8000),
    (44100, 16000),
    (16000, 44100),
    (48000, 16000),
    (22050, 16000),
    (44101, 16000),
]


def sine(frequency: float, rate: int, seconds: float = 0.25) -> NDArray[np.float32]:
    time = np.arange(int(rate * seconds)) / rate
    return np.sin(2 * np.pi * frequency * time).astype(np.float32)


def inner(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Leave out the ends, where the sound begins and stops at once."""
    return wave[wave.size // 4 : -wave.size // 4]


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_sine_below_the_nyquist_frequency_is_kept(
    from_hz: int, to_hz: int, share: float
) -> None:
    frequency = share * min(from_hz, to_hz) / 2
    found = resample(sine(frequency, from_hz), from_hz, to_hz)
    assert np.abs(inner(found - sine(frequency, to_hz))).max() < 1e-4


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_what_lies_above_the_nyquist_frequency_is_gone(from_hz: int, to_hz: int) -> None:
    frequency = min(1.02 * to_hz / 2, from_hz / 2 - 100)
    found = resample(sine(frequency, from_hz), from_hz, to_hz)
    assert np.abs(inner(found)).max() < 10 ** (-90 / 20)


@given(from_hz=rates, to_hz=rates, samples=st.integers(1, 300))
def test_the_duration_is_kept(from_hz: int, to_hz: int, samples: int) -> None:
    found = resample(np.ones(samples, np.float32), from_hz, to_hz)
    assert found.size == -(-samples * to_hz // from_hz)
    assert found.dtype == np.float32


@given(from_hz=rates, to_hz=rates, seed=st.integers(0, 99))
def test_it_is_linear(from_hz: int, to_hz: int, seed: int) -> None:
    first, second = np.random.default_rng(seed).standard_normal((2, 200)).astype(np.float32)
    both = resample(first + 2 * second, from_hz, to_hz)
    apart = resample(first, from_hz, to_hz) + 2 * resample(second, from_hz, to_hz)
    assert np.allclose(both, apart, atol=1e-4)


def test_a_constant_stays_what_it_is() -> None:
    found = resample(np.ones(4000, np.float32), 44100, 16000)
    assert np.abs(inner(found) - 1).max() < 1e-4


def test_the_same_rate_changes_nothing() -> None:
    wave = sine(440, 16000)
    assert resample(wave, 16000, 16000) is wave


@pytest.mark.parametrize("rate", [0, 999, 10**9])
def test_a_rate_that_sound_does_not_have_is_refused(rate: int) -> None:
    with pytest.raises(DataError, match="sample rate"):
        resample(np.ones(10, np.float32), rate, 16000)


@given(
    from_hz=st.sampled_from([8000, 11025, 16000, 44100, 44101, 48000, 192_000]),
    to_hz=st.sampled_from([8000, 16000, 44100]),
    pieces=st.lists(st.integers(0, 900), max_size=6),
    seed=st.integers(0, 99),
)
def test_pieces_give_what_the_whole_gives_bit_for_bit(
    from_hz: int, to_hz: int, pieces: list[int], seed: int
) -> None:
    wave = np.random.default_rng(seed).standard_normal(sum(pieces)).astype(np.float32)
    stream = Resampler(from_hz, to_hz)
    found = [stream.push(piece) for piece in np.split(wave, np.cumsum(pieces))]
    assert np.array_equal(
        np.concatenate([*found, stream.finish()]), resample(wave, from_hz, to_hz)
    )


def test_after_the_end_another_sound_may_follow() -> None:
    wave, stream = sine(440, 44100), Resampler(44100, 16000)
    first, second = (np.concatenate([stream.push(wave), stream.finish()]) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_sample_leaves_soon_after_its_place(from_hz: int, to_hz: int) -> None:
    stream = Resampler(from_hz, to_hz)
    left = sum(stream.push(np.ones(100, np.float32)).size for _ in range(40))
    assert 4000 / from_hz - left / to_hz < 66 / min(from_hz, to_hz)


def test_a_stream_without_end_holds_no_more_and_more() -> None:
    stream = Resampler(44100, 16000)
    held = []
    for _ in range(50):
        stream.push(np.ones(4410, np.float32))
        held.append(stream._held.size)
    assert max(held) < 1000

"""A sound in pieces gives the features of the whole, bit for bit."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.data.frontend import PRESETS, FrontEnd, Stream, extract, preset
from edgekit.errors import DataError

Floats = NDArray[np.float32]

RNG = np.random.default_rng(6)
NOISE = RNG.normal(0, 0.1, 16_000).astype(np.float32)
RISING = (NOISE * np.linspace(0, 3, 16_000)).astype(np.float32)  # silence first, clipped last

every_preset = pytest.mark.parametrize("name", PRESETS)


def in_pieces(stream: Stream, wave: Floats, sizes: Iterable[int]) -> Floats:
    """Push pieces of these sizes, then the rest."""
    rows, start = [], 0
    for size in sizes:
        rows.append(stream.push(wave[start : start + size]))
        start += size
    return np.concatenate([*rows, stream.push(wave[start:])])


@every_preset
@pytest.mark.parametrize("ms", [10, 20, 80])
def test_even_pieces_give_the_rows_of_the_whole(name: str, ms: int) -> None:
    whole = extract(RISING, preset(name))
    assert whole.shape == (preset(name).count(RISING.size), preset(name).features)
    assert whole.dtype == np.float32
    pieces = in_pieces(Stream(preset(name)), RISING, [16 * ms] * (1000 // ms))
    assert pieces.tobytes() == whole.tobytes()


@every_preset
@given(sizes=st.lists(st.integers(0, 3000), max_size=12))
def test_odd_pieces_give_the_rows_of_the_whole(name: str, sizes: list[int]) -> None:
    wave = NOISE[:6000]
    pieces = in_pieces(Stream(preset(name)), wave, sizes)
    assert pieces.tobytes() == extract(wave, preset(name)).tobytes()


@every_preset
def test_single_samples_give_the_rows_of_the_whole(name: str) -> None:
    wave = NOISE[:1500]
    pieces = in_pieces(Stream(preset(name)), wave, [1] * wave.size)
    assert pieces.tobytes() == extract(wave, preset(name)).tobytes()


@every_preset
def test_long_sounds_give_the_rows_of_short_ones(name: str) -> None:
    # Rows are computed in blocks; a row is the same wherever it stands in one.
    wave = np.tile(NOISE, 3)
    whole = extract(wave, preset(name))
    assert whole[: preset(name).frames].tobytes() == extract(NOISE, preset(name)).tobytes()
    halves = in_pieces(Stream(preset(name)), wave, [wave.size // 2])
    assert halves.tobytes() == whole.tobytes()


@every_preset
def test_a_reset_begins_a_sound(name: str) -> None:
    stream = Stream(preset(name))
    stream.push(RISING)
    stream.reset()
    assert stream.push(NOISE).tobytes() == extract(NOISE, preset(name)).tobytes()


@every_preset
def test_two_streams_do_not_hear_each_other(name: str) -> None:
    first, second = Stream(preset(name)), Stream(preset(name))
    rows = []
    for start in range(0, 4000, 500):
        rows.append(first.push(NOISE[start : start + 500]))
        second.push(RISING[start : start + 500])
    assert np.concatenate(rows).tobytes() == extract(NOISE[:4000], preset(name)).tobytes()


@every_preset
@pytest.mark.parametrize("samples", [0, 1, 479])
def test_less_than_a_frame_gives_no_rows(name: str, samples: int) -> None:
    assert extract(NOISE[:samples], preset(name)).shape == (0, preset(name).features)


@every_preset
def test_silence_gives_finite_features(name: str) -> None:
    silence = extract(np.zeros(16_000, np.float32), preset(name))
    assert np.isfinite(silence).all()
    assert np.ptp(silence, axis=0).max() == 0


@every_preset
def test_what_is_given_stays_as_it_is(name: str) -> None:
    wave = NOISE[:5000].copy()
    extract(wave, preset(name))
    assert wave.tobytes() == NOISE[:5000].tobytes()


def test_every_second_sample_of_an_array_is_a_sound_too() -> None:
    strided = np.repeat(NOISE, 2)[::2]
    assert not strided.flags.c_contiguous
    assert extract(strided, preset("log-mel")).tobytes() == (
        extract(NOISE, preset("log-mel")).tobytes()
    )


def test_mean_and_std_are_applied_before_the_limits() -> None:
    plain = extract(NOISE, FrontEnd())
    scaled = extract(NOISE, FrontEnd(mean=1.5, std=2.0, limits=(-2.0, 1.0)))
    expected = np.clip((plain - np.float32(1.5)) / np.float32(2), -2, 1)
    assert scaled.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        pytest.param(
            np.zeros((800, 2), np.float32), r"shape \(n,\); found \(800, 2\)", id="2d"
        ),
        pytest.param(np.zeros(800, np.int16), "found int16.\nDivide", id="integers"),
        pytest.param(np.full(800, np.nan, np.float32), "800 of 800 samples", id="nan"),
        pytest.param(np.full(2, np.inf, np.float32), "2 of 2 samples", id="inf"),
        pytest.param(np.full(2, 1e300), r"\[-1, 1\]; .* 1e\+300 to 1e\+300", id="huge"),
        pytest.param(
            np.array([-9e3, 2.0], np.float32), "from -9000 to 2.\nDivide", id="16-bit numbers"
        ),
    ],
)
def test_what_is_no_sound_is_refused_and_not_taken(wave: NDArray[Any], message: str) -> None:
    stream = Stream(preset("log-mel"))
    first = stream.push(NOISE[:1000])
    with pytest.raises(DataError, match=message):
        stream.push(wave)
    rows = np.concatenate([first, stream.push(NOISE[1000:])])
    assert rows.tobytes() == extract(NOISE, preset("log-mel")).tobytes()

"""Missing samples are found out by the time, and nothing else is taken for them."""

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.audio.sources.clock import DRIFT, TOLERANCE_S, WINDOW_S, SampleClock

RATE, PIECE = 16_000, 800
MANY = 400  # pieces, 20 s

seeds = st.randoms(use_true_random=False)


def lost(clock: SampleClock, times: Iterable[float]) -> list[int]:
    """Count one piece at each time."""
    return [clock.count(PIECE, time) for time in times]


@settings(max_examples=20)
@given(random=seeds, start=st.floats(0, 1e6))
def test_pieces_that_wait_before_they_come_are_not_missing(
    random: Random, start: float
) -> None:
    jitter = [random.random() * 0.03 for _ in range(MANY)]
    times = [start + index * PIECE / RATE + each for index, each in enumerate(jitter)]
    clock = SampleClock(RATE)
    assert not any(lost(clock, times))
    assert clock.position == MANY * PIECE


@pytest.mark.parametrize("stall", [0.3, 1.0, 3.0])
def test_a_computer_that_stalls_and_then_gets_everything_has_lost_nothing(stall: float) -> None:
    ideal = [index * PIECE / RATE for index in range(MANY)]
    times = [max(time, 5.02 + stall) if time > 5 else time for time in ideal]
    assert not any(lost(SampleClock(RATE), times))


@settings(max_examples=20)
@given(share=st.floats(-DRIFT * 0.9, DRIFT * 0.9))
def test_a_device_whose_clock_drifts_loses_nothing(share: float) -> None:
    times = [index * PIECE / RATE * (1 + share) for index in range(5 * MANY)]
    assert not any(lost(SampleClock(RATE), times))


@given(gap=st.floats(TOLERANCE_S * 1.5, 10), at=st.integers(30, MANY - 60))
def test_a_gap_is_found_within_two_windows_and_as_long_as_it_is(gap: float, at: int) -> None:
    times = [index * PIECE / RATE + gap * (index >= at) for index in range(MANY)]
    found = lost(SampleClock(RATE), times)
    assert sum(found) == pytest.approx(gap * RATE, abs=5e-3 * RATE)
    last = max(index for index, each in enumerate(found) if each)
    assert times[last] - times[at] <= 2 * WINDOW_S


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_device_that_always_loses_some_is_found_out(share: float) -> None:
    times = [index * PIECE / RATE / (1 - share) for index in range(5 * MANY)]
    clock = SampleClock(RATE)
    missing = sum(lost(clock, times))
    assert missing == pytest.approx(times[-1] * share * RATE, rel=0.35)
    assert clock.position == missing + 5 * MANY * PIECE


def test_a_sound_server_that_holds_back_more_for_some_time_loses_nothing() -> None:
    times = [index * PIECE / RATE + 0.06 * (100 < index < 180) for index in range(MANY)]
    assert not any(lost(SampleClock(RATE), times))


def test_after_a_break_all_of_it_is_missing_at_once() -> None:
    clock = SampleClock(RATE)
    lost(clock, [index * PIECE / RATE for index in range(100)])
    found = clock.count(PIECE, 100 * PIECE / RATE + 7, after_break=True)
    assert found == 7 * RATE
    assert clock.position == 7 * RATE + 101 * PIECE
    rest = [7 + index * PIECE / RATE for index in range(101, 200)]
    assert not any(lost(clock, rest))

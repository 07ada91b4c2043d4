"""Speed and times of the stages, over the last seconds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.preview.meter import Meter


@given(rate=st.floats(0.5, 120), count=st.integers(2, 300))
def test_even_frames_give_their_rate(rate: float, count: int) -> None:
    meter = Meter()
    times = [place / rate for place in range(count)]
    for t in times:
        meter.count(t, {})
    assert meter.fps(times[-1]) == pytest.approx(rate, abs=0.051)


def test_a_stream_that_stopped_has_no_rate() -> None:
    meter = Meter()
    for t in (0.0, 0.1, 0.2):
        meter.count(t, {})
    assert meter.fps(0.2) == 10.0
    assert meter.fps(60.0) is None


def test_stages_come_in_their_order_with_median_and_95_percent() -> None:
    meter = Meter()
    for number in range(101):
        meter.count(number, {"capture": float(number), "inference": 7.0})
    assert meter.stages() == [
        {"name": "capture", "p50": 50.0, "p95": 95.0},
        {"name": "inference", "p50": 7.0, "p95": 7.0},
    ]


def test_a_time_that_is_none_is_not_counted() -> None:
    meter = Meter()
    meter.count(0.0, {"capture": math.nan})
    meter.count(1.0, {"capture": math.inf, "inference": 2.0})
    assert meter.stages() == [{"name": "inference", "p50": 2.0, "p95": 2.0}]

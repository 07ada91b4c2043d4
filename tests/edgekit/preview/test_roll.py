"""The last seconds of a sound stand where they belong."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.preview import Roll
from edgekit.preview.roll import _points

STEP_S, ROW_S, ROWS = 0.02, 0.03, 50
LENGTH = 300  # rows in six seconds


def roll(**settings: Any) -> Roll:
    usual = {"features": 4, "step_s": STEP_S, "row_s": ROW_S, "rows": ROWS}
    return Roll(["yes", "no"], [0.5, 0.7], **usual | settings)


def end_s(row: int) -> float:
    """Return when a row ends by the clock of the spotter."""
    return row * STEP_S + ROW_S


def fill(to: Roll, rows: int, first: int = 0, events: Any = ()) -> None:
    """Add rows one by one, each with scores that tell its number."""
    for row in range(first, first + rows):
        features = np.full((1, 4), row, np.float32)
        scores = np.array([[row % 100 / 100, 0.2]], np.float32)
        now = [each for each in events if each[0] == end_s(row)]
        to.add(features, scores, np.array([end_s(row)]), now)


def test_an_empty_roll_can_be_shown() -> None:
    strip = roll().strip()
    assert strip.picture.size == (LENGTH, 4)
    assert strip.picture.encoded().startswith(b"\x89PNG")
    assert strip.seconds == pytest.approx(6.0)
    assert strip.words == ()


def test_a_word_has_the_box_of_what_the_model_had_in_view() -> None:
    shown = roll()
    fill(shown, 400, events=[(end_s(380), "yes", 0.9)])
    (word,) = shown.strip().words
    assert word == {"label": "yes", "score": 0.9, "box": (281 - ROWS, 0, 281, 4)}


@pytest.mark.parametrize(
    ("row", "kept"), [(100, True), (99, False)], ids=["just in view", "gone"]
)
def test_a_word_goes_when_it_leaves_the_roll(row: int, *, kept: bool) -> None:
    shown = roll()
    fill(shown, 400, events=[(end_s(row), "yes", 0.9)])
    assert len(shown.strip().words) == kept


def test_scores_are_the_newest_and_their_curve_ends_there() -> None:
    shown = roll()
    fill(shown, 350)
    strip = shown.strip()
    assert [each["score"] for each in strip.scores] == pytest.approx([0.49, 0.2])
    assert [each["threshold"] for each in strip.scores] == [0.5, 0.7]
    assert [curve[-1] for curve in strip.curves] == [49, 20]
    assert len(strip.curves[0]) == 150


@given(cuts=st.lists(st.integers(0, 90), max_size=9))
def test_it_shows_the_same_however_the_sound_is_cut(cuts: list[int]) -> None:
    whole, pieces = roll(), roll()
    features = np.arange(90 * 4, dtype=np.float32).reshape(-1, 4)
    scores = np.linspace(0, 1, 180, dtype=np.float32).reshape(-1, 2)
    times = np.array([end_s(row) for row in range(90)])
    whole.add(features, scores, times, [(end_s(70), "no", 0.8)])
    for first, last in zip([0, *sorted(cuts)], [*sorted(cuts), 90], strict=True):
        events = [(end_s(70), "no", 0.8)] if first <= 70 < last else []
        pieces.add(features[first:last], scores[first:last], times[first:last], events)
    expected, found = whole.strip(), pieces.strip()
    assert found.words == expected.words
    assert found.scores == expected.scores
    assert found.curves == expected.curves
    assert found.picture.encoded() == expected.picture.encoded()


def test_time_may_begin_anew_with_another_recording() -> None:
    shown = roll()
    fill(shown, 100)
    shown.begin()
    fill(shown, 60, events=[(end_s(59), "no", 0.8)])
    (word,) = shown.strip().words
    assert word["box"] == (LENGTH - ROWS, 0, LENGTH, 4), "the newest row of all"


def test_more_than_it_holds_at_once_leaves_the_last() -> None:
    shown = roll()
    rows = 2000
    features = np.arange(rows * 4, dtype=np.float32).reshape(-1, 4)
    times = np.array([end_s(row) for row in range(rows)])
    scores = np.zeros((rows, 2), np.float32)
    scores[-1] = 1
    shown.add(features, scores, times, [(end_s(5), "yes", 0.9), (end_s(1990), "no", 0.9)])
    strip = shown.strip()
    assert [each["label"] for each in strip.words] == ["no"]
    assert [each["score"] for each in strip.scores] == [1.0, 1.0]


def test_scores_that_are_none_are_shown_as_shares() -> None:
    shown = roll()
    odd = np.array([[np.nan, 7.0]], np.float32)
    shown.add(np.zeros((1, 4), np.float32), odd, np.array([end_s(0)]), [])
    assert [each["score"] for each in shown.strip().scores] == [0.0, 1.0]


def test_coefficients_of_different_size_are_all_seen() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(0, [1000, 1, 1, 0.01], (LENGTH, 4)).astype(np.float32)
    shown = roll(level_rows=True)
    shown.add(features, np.zeros((0, 2), np.float32), np.zeros(0), [])
    cv2 = pytest.importorskip("cv2")
    png = np.frombuffer(shown.strip().picture.encoded(), np.uint8)
    spread = cv2.imdecode(png, cv2.IMREAD_GRAYSCALE).std(axis=1)
    assert spread.min() > 0.8 * spread.max()


@given(st.lists(st.integers(0, 100), min_size=2, max_size=1000))
def test_a_curve_keeps_its_peak_and_has_few_points(percents: list[int]) -> None:
    found = _points(np.array(percents, np.float32) / np.float32(100))
    assert len(found) <= 150
    assert max(found) == max(percents)

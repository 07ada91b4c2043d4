"""Words are heard once each, the same however the stream is cut."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.audio.decisions import (
    BACKGROUND,
    Decider,
    Event,
    Settings,
    load_settings,
    words_of,
)
from edgekit.errors import RecordError
from edgekit.records import to_json

LABELS = (*BACKGROUND, "yes", "no")


def events(
    scores: np.ndarray, cuts: list[int] | None = None, **settings: object
) -> list[Event]:
    """Push scores of the word yes, one each 100 ms, in pieces."""
    rows = np.zeros((len(scores), len(LABELS)), np.float32)
    rows[:, 2] = scores
    times = np.arange(1, len(scores) + 1) / 10
    decider = Decider(LABELS, Settings(**settings))  # type: ignore[arg-type] # by the test
    edges = [0, *sorted(cuts or []), len(scores)]
    return [
        event
        for first, last in itertools.pairwise(edges)
        for event in decider.push(rows[first:last], times[first:last])
    ]


@given(
    scores=st.lists(st.floats(0, 1, width=32), max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    smooth=st.integers(1, 5),
    refractory=st.floats(0, 2),
)
def test_cutting_the_stream_changes_nothing(
    scores: list[float], cuts: list[int], smooth: int, refractory: float
) -> None:
    row = np.array(scores, np.float32)
    cuts = [min(cut, len(scores)) for cut in cuts]
    whole = events(row, smooth=smooth, refractory_s=refractory)
    assert events(row, cuts, smooth=smooth, refractory_s=refractory) == whole


@given(
    scores=st.lists(st.floats(0, 1, width=32), max_size=60),
    refractory=st.floats(0.05, 2),
)
def test_no_word_is_heard_twice_in_its_refractory_time(
    scores: list[float], refractory: float
) -> None:
    found = events(np.array(scores, np.float32), refractory_s=refractory)
    gaps = np.diff([event.t for event in found])
    assert (gaps >= refractory - 1e-9).all()


@given(scores=st.lists(st.floats(0, 1, width=32), max_size=60), low=st.floats(0.01, 0.9))
def test_every_event_reaches_the_threshold(scores: list[float], low: float) -> None:
    for event in events(np.array(scores, np.float32), thresholds={"yes": low}):
        assert event.score >= np.float32(low)


def test_a_score_that_stays_high_is_one_event() -> None:
    assert [each.t for each in events(np.ones(100))] == [0.1]


def test_a_word_said_again_in_its_refractory_time_is_heard_when_that_is_over() -> None:
    scores = np.zeros(30)
    scores[[0, 1, *range(8, 16)]] = 1
    assert [each.t for each in events(scores)] == [pytest.approx(0.1), pytest.approx(1.1)]


def test_one_high_score_among_three_decides_nothing() -> None:
    scores = np.array([0.9, 0, 0, 0.9, 0.9, 0, 0])
    found = events(scores, smooth=3)
    assert [each.t for each in found] == [0.5]
    assert found[0].score == pytest.approx(0.6)


def test_words_are_heard_apart_and_in_the_order_of_time() -> None:
    decider = Decider(LABELS, Settings(thresholds={"yes": 0.9, "no": 0.4}))
    rows = np.array([[0, 0, 0.5, 0.5], [0, 0, 1, 0], [1, 1, 0, 0]], np.float32)
    found = decider.push(rows, np.array([0.1, 0.2, 0.3]))
    assert [(each.keyword, each.t) for each in found] == [("no", 0.1), ("yes", 0.2)]


def test_a_score_that_is_no_number_counts_as_nothing() -> None:
    assert [each.t for each in events(np.array([np.nan, 1.0, 1.0]), smooth=2)] == [0.2]


def test_after_a_reset_nothing_is_remembered() -> None:
    decider = Decider(LABELS, Settings(smooth=2))
    rows = np.ones((1, 4), np.float32)
    assert len(decider.push(rows, np.array([0.1]))) == 2
    decider.reset()
    assert len(decider.push(rows, np.array([0.1]))) == 2


def test_silence_and_unknown_are_no_words() -> None:
    assert words_of(("silence", "unknown", "_silence_", "_unknown_", "yes")) == ("yes",)


def test_settings_stand_in_a_manifest() -> None:
    settings = Settings(every=2, smooth=3, thresholds={"yes": 0.7}, states={"in": "out"})
    assert load_settings(to_json(settings)) == settings
    assert load_settings(None) == Settings()


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        pytest.param({"kind": "ssd"}, "kind must be one of keywords", id="a detector's"),
        pytest.param({"every": 0}, "every must be 1 or more; found 0", id="never"),
        pytest.param({"smooth": -1}, "smooth must be 1 or more", id="no score"),
        pytest.param({"refractory_s": -1.0}, "refractory_s must be 0 or more", id="past"),
        pytest.param({"thresholds": {"a": 3.0}}, "'a' must lie in 0..1; found 3", id="three"),
        pytest.param({"step": 1}, "unknown step", id="unknown field"),
    ],
)
def test_wrong_settings_are_refused(decoding: dict[str, object], message: str) -> None:
    with pytest.raises(RecordError, match=message):
        load_settings(decoding)


def test_the_page_of_keywords_describes_every_field() -> None:
    page = Path(__file__).resolve().parents[3] / "docs/keywords.md"
    text = page.read_text(encoding="utf-8")
    wanted = [field.name for field in dataclasses.fields(Settings)]
    assert [name for name in wanted if f"| `{name}` |" not in text] == []

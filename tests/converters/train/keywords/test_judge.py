"""The judge hears as a spotter does, and finds words where the model hears them."""

from typing import Any

import numpy as np
import pytest

from edgekit.audio.decisions import BACKGROUND
from edgekit.data.frontend import FrontEnd
from edgekit_converters.train.keywords.judge import EVERY, Judge, _common, _windows
from edgekit_converters.train.keywords.recordings import Recording
from edgekit_converters.train.keywords.views import Material, Place

FRONT_END = FrontEnd(frames=32, sample_rate_hz=8000, frame_samples=240, step_samples=160,
                     fft_size=256, high_hz=3800.0)  # fmt: skip
RATE = FRONT_END.sample_rate_hz
LABELS = (*BACKGROUND, "high")


def burst(at_s: float, hz: float, seconds: float = 3.0) -> Any:
    wave = np.random.default_rng(0).normal(0, 1e-3, round(seconds * RATE))
    start, t = round(at_s * RATE), np.arange(RATE // 2) / RATE
    wave[start : start + t.size] += 0.3 * np.sin(2 * np.pi * hz * t)
    return wave.astype(np.float32)


def hears_high(windows: Any) -> Any:
    """Stand for a model that knows a window with a whole high tone."""
    loud = windows > -4
    high = (loud[:, :, 30:].any(axis=2).sum(axis=1) >= 24).astype(np.float32)
    low = (1 - high) * loud[:, :, :20].any(axis=(1, 2))
    return np.stack([1 - high - low, low, high], axis=1)


@pytest.fixture
def judge() -> Judge:
    return Judge(hears_high, LABELS, FRONT_END)


def test_windows_are_rows_one_after_the_other() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(12, 2)
    found = _windows(rows, 5, 3)
    assert found.shape == (3, 5, 2)
    np.testing.assert_array_equal(found[1], rows[3:8])
    assert _windows(rows[:4], 5, 3).shape == (0, 5, 2)


def test_a_recording_is_scored_with_silence_around_it(judge: Judge) -> None:
    scored = judge.scored(burst(1.0, 3000), [(RATE, RATE + RATE // 2, "high")])
    assert scored.scores.shape == (len(scored.times), 3)
    np.testing.assert_allclose(np.diff(scored.times), EVERY * 160 / RATE)
    (mark,) = scored.marks
    heard = scored.times[scored.scores[:, 2] > 0.5]
    assert mark.holds(heard[0])


def test_the_window_around_a_word_is_judged(judge: Judge) -> None:
    right = judge.right(
        [
            Recording("a", "high", "", burst(0.4, 3000)),
            Recording("b", "high", "", burst(1, 300)),
        ]
    )
    assert right.tolist() == [True, False]


def test_a_louder_sound_is_not_taken_for_the_word(judge: Judge) -> None:
    wave = burst(0.3, 3000, 4) + 2 * burst(3.0, 300, 4)
    recording = Recording("both", "high", "", wave)
    found = judge.relocated(Place(recording, round(2.9 * RATE), round(3.6 * RATE)))
    assert found.start < 0.4 * RATE
    assert 0.7 * RATE < found.end < 1.5 * RATE


def test_a_word_that_the_model_hears_where_it_was_stays_there(judge: Judge) -> None:
    recording = Recording("a", "high", "", burst(1, 3000))
    place = Place(recording, round(1.05 * RATE), round(1.45 * RATE))
    assert judge.relocated(place) == place


def test_what_comes_near_to_a_word_is_found_with_some_margin(judge: Judge) -> None:
    low, high = burst(1, 300), burst(1.5, 3000, 4)
    others = [Recording(f"{n}", "", "", wave) for n, wave in enumerate((low, high, low))]
    (span,) = judge.mistaken(others, 1)
    assert span.number == 1
    assert span.start <= 1.5 * RATE
    assert 2 * RATE <= span.end <= 3 * RATE
    least = FRONT_END.samples + round(0.2 * RATE)
    assert least <= span.end - span.start <= least + round(0.2 * RATE)


def test_every_word_has_as_many_mistakes(judge: Judge) -> None:
    several = [Recording(f"{n}", "", "", burst(1, 300 + 900 * n)) for n in range(4)]
    assert len(judge.mistaken(several, 3)) == 3
    assert len(judge.mistaken(several, 9)) == 4
    assert judge.mistaken([], 3) == []


@pytest.mark.parametrize(
    ("low", "high", "common"),
    [
        pytest.param(0, 100, (0, 100), id="one window"),
        pytest.param(0, 140, (40, 100), id="three"),
        pytest.param(0, 400, (175, 225), id="too many"),
    ],
)
def test_what_windows_have_in_common(low: int, high: int, common: tuple[int, int]) -> None:
    assert _common(low, high, 100) == common


def test_thresholds_are_chosen_for_every_word(judge: Judge) -> None:
    words = [
        Place(Recording(f"{n}", "high", "", burst(1, 3000 + 50 * n)), RATE, RATE + RATE // 2)
        for n in range(4)
    ]
    material = Material(
        labels=LABELS, words=words, unknown=(), background=(), synthetic=(), front_end=FRONT_END
    )
    low = Recording("low", "", "", burst(0.5, 300, 1.5))
    found = judge.thresholds(material, [low], [low], 0.5, 0)
    assert list(found) == ["high"]
    assert 0 < found["high"] <= 1

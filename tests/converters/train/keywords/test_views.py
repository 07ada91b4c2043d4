"""Views: repeatable, of the right shape, and each what its class says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.audio.decisions import BACKGROUND
from edgekit.data.frontend import FrontEnd
from edgekit_converters.train.keywords.recordings import Recording
from edgekit_converters.train.keywords.views import (
    SILENCE,
    Material,
    Place,
    Views,
    locate,
    said_by_few,
    synthetic_share,
    words_share,
)

FRONT_END = FrontEnd(frames=32, sample_rate_hz=8000, frame_samples=240, step_samples=160,
                     fft_size=256, high_hz=3800.0)  # fmt: skip
RATE = FRONT_END.sample_rate_hz


def recording(number: int, label: str, *, seconds: float = 2.0, at: float = 0.8) -> Recording:
    """Return a burst of 0.5 s in a quiet recording."""
    rng = np.random.default_rng(number)
    wave = rng.normal(0, 1e-3, round(seconds * RATE))
    start = round(at * RATE)
    t = np.arange(RATE // 2) / RATE
    wave[start : start + t.size] += 0.3 * np.sin(2 * np.pi * (400 + 200 * t) * t)
    return Recording(f"{label}/{number}.wav", label, "", wave.astype(np.float32))


def material(**rest: Any) -> Material:
    words = [
        locate(recording(n, label), FRONT_END) for label in ("yes", "no") for n in range(6)
    ]
    parts = {"unknown": (), "background": (), "synthetic": (), **rest}
    return Material(
        labels=(*BACKGROUND, "yes", "no"), words=words, front_end=FRONT_END, **parts
    )


def test_a_word_is_found_with_a_margin() -> None:
    place = locate(recording(0, "yes"), FRONT_END)
    assert 0.65 * RATE < place.start <= 0.8 * RATE
    assert 1.3 * RATE <= place.end < 1.45 * RATE


def test_a_short_recording_is_the_word() -> None:
    short = recording(0, "yes", seconds=0.7, at=0.1)
    place = locate(short, FRONT_END)
    assert (place.start, place.end) == (0, short.wave.size)


def test_a_word_is_looked_for_where_one_is_told() -> None:
    wave = recording(0, "yes", seconds=4).wave + np.roll(
        recording(1, "yes", seconds=4).wave, RATE * 2
    )
    both = Recording("both", "yes", "", wave)
    assert locate(both, FRONT_END, 2 * RATE, 4 * RATE).start > 2.5 * RATE
    assert locate(both, FRONT_END, 0, 2 * RATE).end < 1.5 * RATE


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param({}, id="words alone"),
        pytest.param({"unknown": [recording(9, "", seconds=3)]}, id="speech"),
        pytest.param({"background": [recording(9, "", seconds=0.6, at=0)]}, id="a short noise"),
        pytest.param(
            {"synthetic": [recording(8, "yes"), recording(9, "", seconds=0.9, at=0.2)]},
            id="voices",
        ),
    ],
)
def test_a_batch_depends_on_the_seed_and_the_step_alone(rest: dict[str, Any]) -> None:
    one, other = (Views(material(**rest), 16, 5) for _ in range(2))
    other(0)
    x, y = one(3)
    again = other(3)
    assert x.shape == (16, 32, 40)
    assert y.shape == (16, 4)
    assert np.isfinite(x).all()
    np.testing.assert_array_equal(x, again[0])
    np.testing.assert_array_equal(y, again[1])


def test_what_was_mistaken_for_words_is_shown_more_often() -> None:
    mistaken = np.full(RATE, 0.5, np.float32)
    views = Views(material(mistaken=[mistaken]), 8, 0)
    rng = np.random.default_rng(0)
    shown = sum(views._speech(rng) is mistaken for _ in range(200))
    assert 30 <= shown <= 90


def test_all_classes_are_in_a_batch() -> None:
    _, y = Views(material(), 32, 0)(0)
    assert (y.sum(axis=0) > 0).all()
    assert (y.sum(axis=1) == 1).all()


def test_the_share_of_each_class_is_told() -> None:
    whole = material()
    views = Views(replace(whole, words=whole.words[:9]), 32, 0)  # six times yes, three times no
    shown = np.mean([views(step)[1].mean(axis=0) for step in range(9)], axis=0)
    np.testing.assert_allclose(views.shares(), shown, atol=0.03)


def test_an_epoch_shows_every_recording() -> None:
    views = Views(material(), 8, 0)
    assert views.steps * views._words >= 12


def test_a_word_stands_whole_in_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Views, "_finished", lambda _self, window, _voice, _rng: window)
    views = Views(material(), 8, 0)
    loud = recording(3, "yes")
    place = Place(loud, round(0.8 * RATE), round(1.3 * RATE))
    rng = np.random.default_rng(0)
    for _ in range(10):
        window = views._word(place, rng)
        heard = np.abs(window) > 0.2 * np.abs(window).max()
        assert np.flatnonzero(heard)[0] > 0
        assert 0.3 * RATE < np.ptp(np.flatnonzero(heard)) < 0.75 * RATE


def test_silence_may_be_total() -> None:
    views = Views(material(), 64, 0)
    waves, classes = views.waves(0, np.random.default_rng(1))
    quiet = [wave for wave, number in zip(waves, classes, strict=True) if number == SILENCE]
    assert quiet
    assert all(np.abs(wave).max() <= 1 for wave in quiet)


@pytest.mark.parametrize(
    ("people", "share"),
    [(0, 0.12), (1, 0.5), (5, 0.3), (40, 0.12)],
    ids=["unknown", "one", "five", "many"],
)
def test_synthetic_voices_say_more_beside_few_people(people: int, share: float) -> None:
    names = [f"p{number}" for number in range(people)] or [""]
    words = [replace(recording(0, "yes"), speaker=name) for name in names]
    assert synthetic_share(words) == pytest.approx(share)
    assert said_by_few(words) == (0 < people < 40)


@pytest.mark.parametrize(
    ("count", "synthetic", "share"),
    [(1, 0.12, 0.4), (4, 0.12, 0.5), (10, 0.12, 0.714), (10, 0.5, 0.815), (90, 0.12, 0.82)],
    ids=["one word", "four", "ten of many people", "ten of few people", "ninety"],
)
def test_words_are_shown_more_the_more_there_are_and_the_fewer_people_say_them(
    count: int, synthetic: float, share: float
) -> None:
    assert words_share(count, synthetic) == pytest.approx(share, abs=1e-3)

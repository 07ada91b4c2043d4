"""What is heard gets the time of its source, and goes wherever somebody waits for it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_spotters import FRONT_END, RATE, silence, tone, write_words

from edgekit.audio.chunk import Chunk
from edgekit.audio.spotter import Spotter, open_spotter
from edgekit_demos.listen import Ear, Gauge, Piece, Progress, Tally

TALK = np.concatenate([silence(1.0), tone("low"), silence(1.5), tone("high"), silence(1.0)])


@pytest.fixture(scope="module")
def spotter(tmp_path_factory: pytest.TempPathFactory) -> Spotter:
    model = write_words(tmp_path_factory.mktemp("model") / "words.tflite")
    return open_spotter(model, probe=False)


def told(ear: Ear, *chunks: Chunk) -> list[dict[str, Any]]:
    return [line for chunk in chunks for line in ear.hear(chunk).lines]


def pieces(wave: np.ndarray, size: int = RATE // 20, t: float = 0.0, **of: Any) -> list[Chunk]:
    """Cut a sound as a source does."""
    starts = range(0, len(wave), size)
    return [Chunk(t + at / RATE, wave[at : at + size], **of) for at in starts]


def test_a_line_holds_what_the_contract_says(spotter: Spotter) -> None:
    first, second = told(Ear(spotter, live=True), *pieces(TALK))
    assert list(first) == ["t", "keyword", "score"]
    assert (first["keyword"], second["keyword"]) == ("low", "high")
    assert 1.0 < first["t"] < 1.35
    assert 2.8 < second["t"] < 3.15
    assert 0.5 <= first["score"] <= 1


@settings(max_examples=10)
@given(size=st.integers(100, 20_000))
def test_times_do_not_depend_on_how_the_sound_comes(spotter: Spotter, size: int) -> None:
    expected = told(Ear(spotter, live=True), *pieces(TALK))
    assert told(Ear(spotter, live=True), *pieces(TALK, size)) == expected


def test_each_recording_is_heard_for_itself_and_named(spotter: Spotter) -> None:
    alone = told(Ear(spotter, live=False), *pieces(TALK, name="b.wav"))
    chunks = [*pieces(TALK[:30_000], name="a.wav"), *pieces(TALK, t=1.875, name="b.wav")]
    lines = told(Ear(spotter, live=False), *chunks)
    assert [line["file"] for line in lines] == ["a.wav", "b.wav", "b.wav"]
    assert lines[1:] == alone, "time is the place in its recording"


@pytest.mark.parametrize(
    ("lost_s", "anew"),
    [pytest.param(0.05, False, id="short"), pytest.param(3.0, True, id="long")],
)
def test_after_a_gap_times_are_those_of_the_source(
    spotter: Spotter, lost_s: float, *, anew: bool
) -> None:
    expected = told(Ear(spotter, live=True), *pieces(TALK))
    before, after = pieces(silence(2.0)), pieces(TALK, t=2.0 + lost_s)
    lost = Chunk(after[0].t, after[0].samples, lost=round(lost_s * RATE))
    ear = Ear(spotter, live=True)
    for chunk in before:
        ear.hear(chunk)
    piece = ear.hear(lost)
    assert piece.anew is anew
    found = told(ear, *after[1:])
    assert [line["keyword"] for line in found] == ["low", "high"]
    shift = 2.0 + lost_s
    for line, wanted in zip(found, expected, strict=True):
        assert line["t"] - shift == pytest.approx(wanted["t"], abs=0.02)


def test_a_gap_as_long_as_the_window_is_short_enough_to_pass_over(spotter: Spotter) -> None:
    ear = Ear(spotter, live=True)
    ear.hear(Chunk(0.0, silence(1.0)))
    assert not ear.hear(Chunk(2.0, silence(1.0), lost=FRONT_END.samples)).anew
    assert ear.hear(Chunk(9.0, silence(1.0), lost=FRONT_END.samples + 1)).anew


def heard(spotter: Spotter, wave: np.ndarray) -> list[Piece]:
    ear = Ear(spotter, live=True)
    return [ear.hear(chunk) for chunk in pieces(wave)]


def test_the_meter_tells_the_level_and_the_last_word(
    spotter: Spotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgekit_demos.listen._LOOK_S", 0.0)
    shown: list[tuple[float, str]] = []
    gauge = Gauge(lambda share, text: shown.append((share, text)))
    for piece in heard(spotter, TALK):
        gauge.show(piece)
    assert shown[0] == (0.0, "-80 dB")
    loudest = max(shown)
    assert loudest[0] == pytest.approx(0.85, abs=0.01)
    assert loudest[1].startswith("-9 dB")
    assert any("low 0." in text for _, text in shown)
    assert "high 0." in shown[-1][1]


def test_the_meter_moves_some_times_a_second_only(spotter: Spotter) -> None:
    shown: list[float] = []
    gauge = Gauge(lambda share, _: shown.append(share))
    piece = heard(spotter, silence(0.05))[0]
    for _ in range(1000):
        gauge.show(piece)
    assert len(shown) < 20


def test_progress_counts_whole_seconds(spotter: Spotter) -> None:
    steps: list[int] = []
    progress = Progress(steps.append)
    for piece in heard(spotter, silence(3.5)):
        progress.show(piece)
    assert steps == [1, 1, 1]


def test_the_tally_counts_sound_words_and_work(spotter: Spotter) -> None:
    tally = Tally()
    assert tally.ms() == {}
    for piece in heard(spotter, TALK):
        tally.show(piece)
    assert tally.samples == len(TALK)
    assert tally.words == {"low": 1, "high": 1}
    assert 0 < tally.ms()["total"]["p50"] <= tally.ms()["total"]["p95"]
    assert tally.work_s < len(TALK) / RATE

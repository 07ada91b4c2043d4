"""Sound in, words out: the same however the sound is cut, and as long as one likes."""

import dataclasses
import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import dense, with_manifest
from tiny_spotters import (
    FRONT_END,
    LABELS,
    RATE,
    Counter,
    manifest,
    silence,
    tone,
    write_words,
)

from edgekit.audio.decisions import Settings
from edgekit.audio.spotter import Spotter, open_spotter, spotter_of
from edgekit.data.frontend import extract, preset
from edgekit.errors import DataError, RecordError, TargetError, UsageError
from edgekit.manifest import Manifest, Output
from edgekit.records import to_json
from edgekit.runtime import load
from edgekit.runtime.model import TensorSpec


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("models") / "words.tflite")


def speech() -> np.ndarray:
    """Return 3.6 seconds with low from 1 s and high from 2.3 s, 0.3 s each."""
    parts = [silence(1), tone("low"), silence(1), tone("high"), silence(1)]
    return np.concatenate(parts)


def test_words_are_heard_while_they_are_said_or_just_after(words: Path) -> None:
    spotter = open_spotter(words, probe=False)
    heard = spotter.hear(speech())
    assert [event.keyword for event in heard.events] == ["low", "high"]
    for event, start in zip(heard.events, (1.0, 2.3), strict=True):
        assert start < event.t < start + 0.3 + 0.25


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 57600), max_size=12))
def test_cutting_the_sound_changes_nothing(words: Path, cuts: list[int]) -> None:
    spotter = open_spotter(words, probe=False)
    wave = speech()
    whole = spotter.hear(wave)
    spotter.reset()
    edges = [0, *sorted(cuts), len(wave)]
    parts = [spotter.hear(wave[a:b]) for a, b in itertools.pairwise(edges)]
    assert tuple(event for part in parts for event in part.events) == whole.events
    for name in ("scores", "times", "features"):
        found = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(found, getattr(whole, name))


def test_features_are_those_of_the_front_end(words: Path) -> None:
    heard = open_spotter(words, probe=False).hear(speech())
    np.testing.assert_array_equal(heard.features, extract(speech(), FRONT_END))


@pytest.mark.parametrize("every", [1, 3, 7])
def test_the_model_runs_every_few_rows_on_the_last_ones(tmp_path: Path, every: int) -> None:
    path = write_words(tmp_path / "w.tflite", manifest({"every": every}))
    spotter = open_spotter(path, probe=False)
    heard = spotter.hear(speech())
    rows = len(heard.features)
    assert len(heard.scores) == rows // every
    assert heard.times[0] == pytest.approx((every + 1) * 0.01)
    np.testing.assert_allclose(np.diff(heard.times), 0.01 * every)


def test_before_the_stream_lies_silence(words: Path) -> None:
    spotter = open_spotter(words, probe=False)
    heard = spotter.hear(tone("low"))
    assert [event.keyword for event in heard.events] == ["low"]
    quiet = extract(np.zeros(FRONT_END.samples, np.float32), FRONT_END)
    window = np.concatenate([quiet[:-5], heard.features[:5]])
    expected = load(words, probe=False)(window[None, ..., None])
    np.testing.assert_array_equal(heard.scores[4], np.asarray(expected)[0])


def test_a_front_end_that_adapts_begins_with_the_stream(tmp_path: Path) -> None:
    adapting = dataclasses.replace(preset("micro-speech"), frames=4)
    content = dense(np.zeros((4, 160), np.float32), (1, 160))
    path = tmp_path / "micro.tflite"
    path.write_bytes(with_manifest(content, manifest(front_end=to_json(adapting))))
    heard = open_spotter(path, probe=False).hear(silence(0.5))
    assert len(heard.scores) == len(heard.features) - 3
    assert heard.times[0] == pytest.approx(adapting.samples / RATE)


def test_without_a_row_there_is_no_score(words: Path) -> None:
    heard = open_spotter(words, probe=False).hear(silence(0.019))
    assert heard.events == ()
    assert heard.scores.shape == (0, 4)
    assert heard.times.shape == (0,)
    assert heard.features.shape == (0, 8)


def test_a_piece_may_be_empty(words: Path) -> None:
    heard = open_spotter(words, probe=False).hear(np.empty(0, np.float32))
    assert heard.features.shape == (0, 8)


def test_after_a_reset_a_stream_begins(words: Path) -> None:
    spotter = open_spotter(words, probe=False)
    first = spotter.hear(speech())
    spotter.reset()
    again = spotter.hear(speech())
    assert again.events == first.events
    np.testing.assert_array_equal(again.times, first.times)


def test_a_threshold_holds_for_all_words(words: Path) -> None:
    spotter = open_spotter(words, probe=False, threshold=0.99)
    assert spotter.settings.thresholds == {"low": 0.99, "high": 0.99}
    assert spotter.hear(speech()).events == ()


def test_what_it_is_about_can_be_asked(words: Path) -> None:
    spotter = open_spotter(words, probe=False)
    assert spotter.labels == LABELS
    assert spotter.words == ("low", "high")
    assert spotter.front_end == FRONT_END
    assert spotter.sample_rate_hz == RATE
    assert spotter.rows == FRONT_END.frames


def test_labels_can_be_given(words: Path) -> None:
    labels = ("_silence_", "_unknown_", "hum", "whistle")
    heard = open_spotter(words, labels=labels, probe=False).hear(speech())
    assert [event.keyword for event in heard.events] == ["hum", "whistle"]


def test_memory_does_not_grow_with_the_stream(words: Path) -> None:
    spotter = open_spotter(words, probe=False)
    piece = silence(1)
    for _ in range(5):
        spotter.hear(piece)
    tracemalloc.start()
    for _ in range(5):
        spotter.hear(piece)
    early = tracemalloc.get_traced_memory()[0]
    for _ in range(60):
        spotter.hear(piece)
    late = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert late - early < 20_000


def test_a_long_sound_goes_through_in_pieces(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_spotter(words, probe=False).hear(speech())
    monkeypatch.setattr("edgekit.audio.spotter._PIECE_S", 0.5)
    pieces = open_spotter(words, probe=False).hear(speech())
    assert pieces.events == whole.events
    np.testing.assert_array_equal(pieces.scores, whole.scores)


def test_logits_become_probabilities(tmp_path: Path) -> None:
    said = manifest(outputs=(Output(name="scores", role="logits"),))
    heard = open_spotter(write_words(tmp_path / "w.tflite", said), probe=False).hear(speech())
    np.testing.assert_allclose(heard.scores.sum(axis=1), 1, rtol=1e-6)


def test_a_model_with_a_state_gets_its_own_output_back() -> None:
    spotter = spotter_of(Counter(), "counter")
    for _ in range(2):
        parts = [spotter.hear(piece) for piece in np.array_split(silence(1), 7)]
        scores = np.concatenate([part.scores for part in parts])
        np.testing.assert_allclose(scores[:, 2], np.arange(2, 100, 2) / 100, rtol=1e-6)
        (event,) = (event for part in parts for event in part.events)
        assert event.t == pytest.approx((49 * 160 + 320) / RATE)  # with the 50th row
        spotter.reset()


def with_states(states: dict[str, str]) -> Manifest:
    return manifest({"every": 2, "states": states})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        pytest.param(with_states({}), "does not say which of them", id="none named"),
        pytest.param(with_states({"was": "next"}), "names the state 'was'", id="no input"),
        pytest.param(with_states({"seen": "was"}), "from 'was'", id="no output"),
        pytest.param(with_states({"seen": "scores"}), r"shape \(1, 1\)", id="two sizes"),
    ],
)
def test_states_that_are_none_are_refused(said: Manifest, message: str) -> None:
    model = Counter()
    model.manifest = said
    with pytest.raises(TargetError, match=message):
        spotter_of(model, "counter")


def test_a_model_without_front_end_needs_one(tmp_path: Path) -> None:
    path = write_words(tmp_path / "w.tflite", manifest(front_end=None))
    with pytest.raises(TargetError, match=r"--front-end NAME \(log-mel, mlperf-tiny") as found:
        open_spotter(path, probe=False)
    assert found.value.exit_code == 4
    assert open_spotter(path, probe=False, front_end=FRONT_END).hear(speech()).events


def test_a_front_end_that_does_not_fit_is_refused(words: Path) -> None:
    with pytest.raises(TargetError, match=r"takes 1 x 20 x 8 x 1 .* gives 49 rows of 40"):
        open_spotter(words, probe=False, front_end=preset("log-mel"))


def test_a_front_end_that_is_none_is_refused(tmp_path: Path) -> None:
    said = manifest(front_end={"kind": "bark"})
    with pytest.raises(RecordError, match="kind"):
        open_spotter(write_words(tmp_path / "w.tflite", said), probe=False)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        pytest.param((), "names no classes", id="none"),
        pytest.param(("a", "b"), "2 labels, and the model has 4", id="too few"),
        pytest.param(("a", "b", "c", "b"), "Labels occur twice: b", id="twice"),
    ],
)
def test_labels_that_do_not_do_are_refused(
    tmp_path: Path, labels: tuple[str, ...], message: str
) -> None:
    path = write_words(tmp_path / "w.tflite", manifest(labels=labels))
    with pytest.raises(UsageError, match=message):
        open_spotter(path, probe=False)


def test_labels_without_a_word_are_refused() -> None:
    model = Counter()
    model.outputs = (model.outputs[0], TensorSpec("scores", (1, 2), "float32"))
    with pytest.raises(UsageError, match="no word to listen for"):
        spotter_of(model, "counter", labels=("_silence_", "_unknown_"))


def test_a_model_without_class_scores_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "copy.tflite"
    path.write_bytes(dense(np.eye(8, dtype=np.float32), (1, 8)))
    with pytest.raises(TargetError, match="no output with one score for each class"):
        open_spotter(path, probe=False, labels=LABELS, front_end=FRONT_END)


def test_what_is_no_sound_is_refused(words: Path) -> None:
    with pytest.raises(DataError, match="not finite"):
        open_spotter(words, probe=False).hear(np.full(800, np.nan, np.float32))


def test_scores_of_a_model_that_does_not_say_more_are_averaged_over_200_ms(
    tmp_path: Path,
) -> None:
    path = write_words(tmp_path / "w.tflite", dataclasses.replace(manifest(), decoding=None))
    assert open_spotter(path, probe=False).settings == Settings(smooth=20)


def test_settings_have_defaults(words: Path) -> None:
    spotter = open_spotter(words, probe=False)
    assert dataclasses.replace(spotter.settings, thresholds={}, smooth=1) == Settings()
    assert isinstance(spotter, Spotter)

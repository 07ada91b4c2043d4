"""Keyword models on recordings and clips: evaluate, run and compare."""

import logging
from pathlib import Path

import numpy as np
import pytest
from tiny_models import write_colors
from tiny_spotters import (
    FRONT_END,
    LABELS,
    RATE,
    manifest,
    silence,
    tone,
    write_clips,
    write_sound,
    write_words,
)

from edgekit.data.frontend import extract, preset
from edgekit.errors import DataError, TargetError, UsageError
from edgekit.evaluation.compare import compare
from edgekit.evaluation.evaluate import Evaluation, evaluate
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.run import run
from edgekit.evaluation.verify import verify

LOW = ("low", 2.0)
HIGH = ("high", 4.0)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("models") / "words.tflite")


def record(
    path: Path, *said: tuple[str, float], marks: str | None = None, seconds: float = 8.0
) -> Path:
    """Write a recording with words at some seconds, and its marks."""
    wave = silence(seconds)
    for word, at in said:
        start = round(at * RATE)
        wave[start : start + 4800] += tone(word)
    write_sound(path, wave)
    lines = "".join(f"{at}\t{at + 0.3}\t{word}\n" for word, at in said)
    path.with_suffix(".txt").write_text(lines if marks is None else marks)
    return path


def spotted(found: Evaluation) -> tuple[tuple[str, int, int, int, int], ...]:
    assert found.spotting is not None
    return tuple(
        (each.word, each.said, each.found, each.false_alarms, each.foreign_alarms)
        for each in found.spotting.words
    )


def test_all_words_of_a_recording_are_found(words: Path, tmp_path: Path) -> None:
    found = evaluate(words, record(tmp_path / "a.wav", LOW, HIGH, ("low", 6.0)))
    assert (found.metric, found.value, found.samples, found.skipped) == (
        "false_rejects",
        0.0,
        3,
        0,
    )
    assert found.per_class == {"low": 0.0, "high": 0.0}
    assert found.data == "a.wav: 1 recording with marks"
    assert spotted(found) == (("low", 2, 2, 0, 0), ("high", 1, 1, 0, 0))
    spotting = found.spotting
    assert spotting is not None
    assert spotting.hours == pytest.approx(8 / 3600, rel=0.01)
    assert spotting.false_alarms_per_hour == 0
    assert spotting.false_alarms_per_hour_upper == pytest.approx(
        2.9957 / spotting.hours, rel=1e-3
    )
    assert spotting.foreign_alarms_per_thousand is None


def test_misses_false_alarms_and_foreign_words_are_told_apart(
    words: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    marks = "2\t2.3\tlow\n4\t4.3\tlots\n"
    with caplog.at_level(logging.WARNING):
        found = evaluate(
            words, record(tmp_path / "a.wav", LOW, HIGH, ("high", 6.0), marks=marks)
        )
    assert spotted(found) == (("low", 1, 1, 0, 0), ("high", 0, 0, 1, 1))
    assert found.spotting is not None
    assert found.spotting.foreign_words == 1
    assert found.spotting.foreign_alarms_per_thousand == 1000
    assert "foreign words: lots" in caplog.text


def test_a_folder_of_recordings_is_counted_together(words: Path, tmp_path: Path) -> None:
    record(tmp_path / "a.wav", LOW)
    record(tmp_path / "b/b.wav", HIGH, LOW)
    write_sound(tmp_path / "c.wav", silence(3))
    found = evaluate(words, tmp_path)
    assert spotted(found) == (("low", 2, 2, 0, 0), ("high", 1, 1, 0, 0))
    assert found.spotting is not None
    assert found.spotting.hours == pytest.approx(19 / 3600, rel=0.01)
    assert found.data == f"{tmp_path.name}: 3 recordings with marks"
    assert evaluate(words, tmp_path, limit=1).data.endswith("1 recording with marks")


def test_a_sound_alone_is_one_without_words(words: Path, tmp_path: Path) -> None:
    wave = np.concatenate([silence(2), tone("high"), silence(2)])
    found = evaluate(words, write_sound(tmp_path / "a.wav", wave))
    assert found.value is None
    assert spotted(found) == (("low", 0, 0, 0, 0), ("high", 0, 0, 1, 0))


def test_thresholds_can_be_chosen_for_a_budget(tmp_path: Path) -> None:
    deaf = write_words(
        tmp_path / "deaf.tflite", manifest({"thresholds": {"low": 0.99, "high": 0.99}})
    )
    recording = record(tmp_path / "a.wav", LOW, HIGH)
    assert evaluate(deaf, recording).value == 1
    found = evaluate(deaf, recording, false_alarms_per_hour=0.0)
    assert found.value == 0
    assert found.spotting is not None
    assert found.spotting.budget == 0
    assert all(each.threshold < 0.9 for each in found.spotting.words)


def test_the_det_curve_goes_from_all_found_to_all_missed(words: Path, tmp_path: Path) -> None:
    found = evaluate(words, record(tmp_path / "a.wav", LOW, HIGH, marks="2 2.3 low\n"))
    assert found.spotting is not None
    curve = found.spotting.det["low"]
    assert [each.threshold for each in curve] == sorted(each.threshold for each in curve)
    assert (curve[0].false_rejects, curve[-1].false_rejects) == (0.0, 1.0)
    assert curve[-1].false_alarms_per_hour == 0
    assert (found.spotting.det["high"][0].false_alarms_per_hour or 0) > 0


def test_a_recording_of_another_rate_gives_the_same(words: Path, tmp_path: Path) -> None:
    import soundfile

    path = record(tmp_path / "a.wav", LOW, HIGH)
    wave, _ = soundfile.read(path, dtype="float32")
    stereo = np.repeat(np.repeat(wave, 3)[:, None], 2, axis=1)
    soundfile.write(path, stereo, 3 * RATE)
    assert spotted(evaluate(words, path)) == (("low", 1, 1, 0, 0), ("high", 1, 1, 0, 0))


def test_recordings_that_cannot_be_read_are_named(words: Path, tmp_path: Path) -> None:
    record(tmp_path / "a.wav", LOW)
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    (tmp_path / "b.txt").write_text("")
    with pytest.raises(DataError, match=r"1 of 2 recordings cannot be used"):
        evaluate(words, tmp_path)
    with pytest.raises(DataError, match=r"^\S+b\.wav cannot be read"):
        evaluate(words, tmp_path / "b.wav")


def test_marks_of_another_recording_are_refused(words: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "a.wav", marks="80\t81\tlow\n")
    with pytest.raises(DataError, match=r"8\.\d s long, and 'low' is marked at 80\.0 s"):
        evaluate(words, path)


def test_a_model_without_front_end_is_told_to_name_one(tmp_path: Path) -> None:
    path = write_words(tmp_path / "w.tflite", manifest(front_end=None))
    recording = record(tmp_path / "a.wav", LOW)
    with pytest.raises(TargetError, match="--front-end NAME"):
        evaluate(path, recording)
    assert evaluate(path, recording, front_end=FRONT_END).value == 0


def test_a_budget_needs_recordings(words: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips")
    with pytest.raises(UsageError, match="judged by accuracy"):
        evaluate(words, clips, false_alarms_per_hour=1)


def test_clips_in_class_folders_are_aligned_and_classified(words: Path, tmp_path: Path) -> None:
    found = evaluate(words, write_clips(tmp_path / "clips"))
    assert (found.metric, found.value, found.samples) == ("accuracy", 1.0, 9)
    assert found.preprocessing is None
    assert found.per_class == {"_silence_": 1.0, "low": 1.0, "high": 1.0}


def test_flat_files_and_arrays_of_waves_and_of_features_are_classified(
    words: Path, tmp_path: Path
) -> None:
    waves = [np.concatenate([silence(0.2), tone(word), silence(0.3)]) for word in LABELS[2:]]
    for number, wave in enumerate(waves):
        write_sound(tmp_path / f"flat/{LABELS[2 + number]}_anna_{number}.wav", wave)
    rows = [extract(wave, FRONT_END)[18:38] for wave in waves]
    integers = [np.rint(wave * 32767).astype(np.int16) for wave in waves]
    for name, x in (("waves", waves), ("integers", integers), ("features", rows)):
        np.savez(tmp_path / f"{name}.npz", x=np.stack(x), y=np.array([2, 3]))
    np.savez(tmp_path / "lines.npz", x=np.stack(rows).reshape(2, -1), y=np.array([2, 3]))
    for name in ("flat", "waves.npz", "integers.npz", "features.npz", "lines.npz"):
        found = evaluate(words, tmp_path / name)
        assert (name, found.value, found.samples) == (name, 1.0, 2)


def test_a_folder_that_is_no_label_is_named(words: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips")
    (clips / "low").rename(clips / "lwo")
    with pytest.raises(DataError, match="does not know: lwo"):
        evaluate(words, clips)


def test_a_front_end_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    said = manifest(front_end={"kind": "log-mel", "bins": 12})
    with pytest.raises(DataError, match=r"takes 20 x 8 x 1 .* gives 49 rows of 12"):
        evaluate(write_words(tmp_path / "w.tflite", said), write_clips(tmp_path / "clips"))


def test_run_tells_the_words_of_each_sound_and_when(words: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "sounds/a.wav", LOW, HIGH)
    write_sound(tmp_path / "sounds/b.wav", silence(1))
    found = run(words, [tmp_path / "sounds", path])
    assert [each.input for each in found.results] == [
        str(path),
        str(tmp_path / "sounds/b.wav"),
        str(path),
    ]
    first, second, third = (each.keywords for each in found.results)
    assert first is not None
    assert [event.keyword for event in first] == ["low", "high"]
    assert [event.t for event in first] == pytest.approx([2.15, 4.25], abs=0.15)
    assert second == ()
    assert third == first


def test_run_hears_a_word_that_fills_a_short_clip(words: Path, tmp_path: Path) -> None:
    (result,) = run(words, [write_sound(tmp_path / "a.wav", tone("high"))]).results
    assert result.keywords is not None
    assert [event.keyword for event in result.keywords] == ["high"]


def test_run_gives_the_best_classes_of_arrays(words: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.concatenate([silence(0.2), tone("low"), silence(0.3)]))
    (result,) = run(words, [tmp_path / "x.npy"]).results
    assert result.top is not None
    assert result.top[0].label == "low"


def test_run_of_what_is_no_sound_says_so(words: Path, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(DataError, match=r"a\.wav"):
        run(words, [tmp_path / "a.wav"])


def test_two_models_are_compared_each_by_its_own_front_end(words: Path, tmp_path: Path) -> None:
    clips = write_clips(tmp_path / "clips")
    bare = write_words(tmp_path / "bare.tflite", manifest(front_end=None))
    same = compare(words, bare, clips)
    assert (same.agreement, same.max_abs_diff, same.samples) == (1.0, 0.0, 9)
    assert (same.a.value, same.b.value) == (1.0, 1.0)
    scaled = {**(manifest().front_end or {}), "std": 2.0}
    other = compare(
        words, write_words(tmp_path / "o.tflite", manifest(front_end=scaled)), clips
    )
    assert (other.max_abs_diff or 0) > 0.1


def test_verify_feeds_clips_to_both_models(words: Path, tmp_path: Path) -> None:
    clips = str(write_clips(tmp_path / "clips"))
    bare = write_words(tmp_path / "bare.tflite", manifest(front_end=None, outputs=()))
    (found,) = verify(
        bare,
        [words],
        calibration=DataRequest(path=clips),
        evaluation=DataRequest(path=clips),
    )
    assert found.agreement == 1
    assert found.float_metric is not None
    assert found.float_metric.value == 1
    assert found.drop == 0
    with pytest.raises(UsageError, match="measured by edgekit evaluate"):
        verify(bare, [words], evaluation=DataRequest(path=clips), metric="false_rejects")


def test_recordings_for_a_model_of_pictures_are_refused(tmp_path: Path) -> None:
    model = write_colors(tmp_path / "colors.tflite")
    with pytest.raises(UsageError, match="names no classes"):
        evaluate(model, record(tmp_path / "a.wav", LOW))


@pytest.mark.data
def test_the_model_of_micro_speech_hears_its_words(data_dir: Path, tmp_path: Path) -> None:
    model = data_dir / (
        "models/tflite/tflite_micro/examples/micro_speech/models/micro_speech_quantized.tflite"
    )
    labels = ("_silence_", "_unknown_", "yes", "no")
    clips = data_dir / "keywords/micro_speech"
    sounds = [clips / f"{name}_1000ms.wav" for name in ("yes", "no", "silence", "noise")]
    found = run(model, sounds, labels=labels, front_end=preset("micro-speech"))
    heard = [[event.keyword for event in each.keywords or ()] for each in found.results]
    assert heard == [["yes"], ["no"], [], []]
    for name, label in (("yes", "yes"), ("no", "no"), ("silence", "_silence_")):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.wav").write_bytes((clips / f"{name}_1000ms.wav").read_bytes())
    scored = evaluate(model, tmp_path, labels=labels, front_end=preset("micro-speech"))
    assert scored.value == 1


@pytest.mark.data
def test_real_clips_with_headers_never_finalised_are_recordings(
    words: Path, data_dir: Path
) -> None:
    found = evaluate(words, data_dir / "keywords/noises/white_4.wav")
    assert found.spotting is not None
    assert found.spotting.hours > 0

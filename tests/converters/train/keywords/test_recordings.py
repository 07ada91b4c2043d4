"""Recordings: found by folder or by name, read at any rate; what cannot be read is said."""

from pathlib import Path

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")

from edgekit.errors import DataError, UsageError  # noqa: E402 (needs soundfile)
from edgekit_converters.train.keywords import recordings  # noqa: E402


def write(path: Path, seconds: float = 0.2, rate: int = 8000, loud: float = 0.3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, (loud * np.sin(2000 * t)).astype(np.float32), rate)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Hold two words in folders, one of them below another folder."""
    for number in range(3):
        write(tmp_path / "yes" / f"{number}.wav")
        write(tmp_path / "no" / "more" / f"{number}.flac")
    write(tmp_path / "notes" / "readme.wav").rename(tmp_path / "notes" / "readme.txt")
    return tmp_path


def test_every_folder_with_sound_is_a_word(folder: Path) -> None:
    found = recordings.find_words(folder, ())
    assert {word: len(files) for word, files in found.items()} == {"no": 3, "yes": 3}


def test_the_words_keep_the_order_they_are_asked_in(folder: Path) -> None:
    assert list(recordings.find_words(folder, ("yes", "no"))) == ["yes", "no"]


def test_flat_files_are_sorted_by_what_begins_their_names(tmp_path: Path) -> None:
    for name in ("yes_anna_1", "yes_bert_1", "no_anna_1", "noise"):
        write(tmp_path / f"{name}.wav")
    found = recordings.find_words(tmp_path, ())
    assert {word: len(files) for word, files in found.items()} == {"no": 1, "yes": 2}


def test_a_word_without_recordings_is_named_with_what_there_is(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no recording of maybe; found no, yes"):
        recordings.find_words(folder, ("yes", "maybe"))


def test_a_word_is_not_asked_for_twice(folder: Path) -> None:
    with pytest.raises(UsageError, match="twice"):
        recordings.find_words(folder, ("yes", "yes"))


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder"):
        recordings.find_words(tmp_path / "nothing", ())


@pytest.mark.parametrize(
    ("rates", "usual"),
    [
        pytest.param((8000, 8000, 44100), 8000, id="telephone"),
        pytest.param((48000, 48000, 8000), 16000, id="no more than speech needs"),
    ],
)
def test_the_usual_rate_is_that_of_most_files(
    tmp_path: Path, rates: tuple[int, ...], usual: int
) -> None:
    files = [write(tmp_path / f"{n}.wav", rate=rate) for n, rate in enumerate(rates)]
    assert recordings.usual_rate(files) == usual


def test_sound_is_read_at_the_rate_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "yes" / "1.wav", seconds=0.5, rate=44100)
    (found,) = recordings.read_others(tmp_path, 16000)
    assert found.wave.size == 8000


@pytest.mark.parametrize(
    ("stem", "speaker"),
    [
        pytest.param("7_jackson_12", "jackson", id="label, speaker, take"),
        pytest.param("0a7c2a8d_nohash_3", "0a7c2a8d", id="speech commands"),
        pytest.param(
            "00927c6f-0043-43d2-8b39-6174019c584f", "", id="a name that tells nothing"
        ),
    ],
)
def test_names_may_tell_the_speaker(stem: str, speaker: str) -> None:
    assert recordings._speaker(stem) == speaker


def test_what_cannot_be_used_is_named_left_out_and_counted(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder / "yes" / "silent.wav", loud=0)
    files = recordings.find_words(folder, ())
    found = recordings.read_words(folder, files, 8000)
    assert len(found) == 6
    assert "silent.wav holds silence only" in caplog.text
    assert "1 of 7 recordings are left out" in caplog.text


def test_a_word_of_few_recordings_is_warned_of(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recordings.read_words(folder, recordings.find_words(folder, ("yes",)), 8000)
    assert "'yes' has 3 recordings" in caplog.text


def test_too_much_that_cannot_be_used_is_an_error(folder: Path) -> None:
    for name in "abc":
        (folder / "yes" / f"{name}.flac").write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"3 of 9 recordings .* more than 5 %"):
        recordings.read_words(folder, recordings.find_words(folder, ()), 8000)


def test_a_folder_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no sound"):
        recordings.read_others(tmp_path, 16000)


def test_no_folder_holds_no_recordings() -> None:
    assert recordings.read_others(None, 16000) == []


@pytest.mark.data
def test_the_real_words_are_read_but_for_eight(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = data_dir / "keywords"
    files = recordings.find_words(root, ("alexa",))
    found = recordings.read_words(root, files, 16000)
    assert (len(files["alexa"]), len(found)) == (230, 222)
    assert "8 of 230 recordings are left out" in caplog.text

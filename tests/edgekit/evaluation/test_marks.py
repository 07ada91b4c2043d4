"""Marks beside recordings are read as people write them; what is none is named."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.audio.tuning import Mark
from edgekit.errors import DataError
from edgekit.evaluation.marks import (
    Marked,
    check_marks,
    looks_marked,
    open_marked,
    read_marks,
    warn_of_foreign,
)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1.5\t2.25\tyes\n4.0\t4.5\tno way\n", id="Audacity"),
        pytest.param("1.5\t2.25\tyes\n\\\t100.0\t900.0\n4\t4.5\tno way\n", id="with bands"),
        pytest.param("1,5\t2,25\tyes\n4,0\t4,5\tno way\n", id="decimal commas"),
        pytest.param('start,end,label\n1.5,2.25,yes\n4.0,4.5,"no way"\n', id="CSV, titles"),
        pytest.param("1.5;2.25;yes\r\n4;4.5;no way\r\n\r\n", id="semicolons, Windows"),
        pytest.param("4.0 4.5 no way\n1.5 2.25 yes", id="blanks, out of order"),
        pytest.param("\ufeff1.5\t2.25\tyes\n4.0\t4.5\tno way\n", id="byte order mark"),
    ],
)
def test_marks_are_read_in_all_usual_forms(tmp_path: Path, text: str) -> None:
    marks = read_marks(write(tmp_path / "a.txt", text))
    assert marks == (Mark(1.5, 2.25, "yes"), Mark(4.0, 4.5, "no way"))


@given(
    marks=st.lists(
        st.tuples(st.floats(0, 1e5), st.floats(0, 10), st.sampled_from(["yes", "no", "_x_"]))
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, marks: list[tuple[float, float, str]]
) -> None:
    written = [Mark(start, start + length, label) for start, length, label in marks]
    lines = "".join(f"{m.start_s!r}\t{m.end_s!r}\t{m.label}\n" for m in written)
    found = read_marks(write(tmp_path_factory.mktemp("marks") / "a.txt", lines))
    assert found == tuple(sorted(written, key=lambda mark: (mark.start_s, mark.end_s)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("1.5\t2.25\tyes\nhello world\n", "line 2, is no mark: 'hello", id="prose"),
        pytest.param("1.5 yes\n", "line 1, is no mark", id="no end"),
        pytest.param("2.5\t1.25\tyes\n", "marks 2.5 to 1.25 s", id="upside down"),
        pytest.param("-1\t1.25\tyes\n", "marks -1 to 1.25 s", id="before the beginning"),
        pytest.param("1\t2\t\n", "line 1, has no label", id="no label"),
    ],
)
def test_a_line_that_is_no_mark_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_marks(write(tmp_path / "a.txt", text))


def test_marks_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="are not UTF-8 text"):
        read_marks(tmp_path / "a.txt")
    with pytest.raises(DataError, match="Cannot read the marks"):
        read_marks(tmp_path / "none.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two sounds, one with marks."""
    (tmp_path / "sub").mkdir()
    for name in ("a.wav", "sub/b.flac"):
        (tmp_path / name).touch()
    write(tmp_path / "a.csv", "1,2,yes\n")
    return tmp_path


def test_recordings_are_a_sound_its_marks_or_a_folder(folder: Path) -> None:
    for data in (folder, folder / "a.wav", folder / "a.csv", folder / "sub/b.flac"):
        assert looks_marked(data)
    for data in (folder / "sub", folder / "none.wav", write(folder / "c.csv", "1,2,yes")):
        assert not looks_marked(data)


def test_a_transcript_beside_a_sound_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    write(tmp_path / "a.txt", "Turn on the light.\nThank you.\n")
    assert not looks_marked(tmp_path)


def test_an_empty_file_of_marks_says_that_no_word_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    write(tmp_path / "a.txt", "")
    assert looks_marked(tmp_path)
    assert open_marked(tmp_path) == (Marked(tmp_path / "a.wav", ()),)


def test_a_sound_without_marks_is_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = open_marked(folder)
    assert found == (
        Marked(folder / "a.wav", (Mark(1, 2, "yes"),)),
        Marked(folder / "sub/b.flac", ()),
    )
    assert "No marks beside b.flac: no word" in caplog.text


def test_a_file_of_marks_stands_for_its_sound(folder: Path) -> None:
    assert [each.path for each in open_marked(folder / "a.csv")] == [folder / "a.wav"]


def test_marks_behind_the_end_are_refused() -> None:
    recording = Marked(Path("a.wav"), (Mark(90, 91, "yes"),))
    check_marks(recording, 90.5)
    with pytest.raises(DataError, match=r"60\.0 s long, and 'yes' is marked at 90\.0 s"):
        check_marks(recording, 60)


def test_labels_that_are_no_words_are_named(caplog: pytest.LogCaptureFixture) -> None:
    marks = tuple(Mark(place, place, label) for place, label in enumerate(("yes", "yess")))
    with caplog.at_level(logging.WARNING):
        warn_of_foreign([Marked(Path("a.wav"), marks)], ["yes"], "m.tflite")
    assert "Marks that count as foreign words: yess." in caplog.text
    warn_of_foreign([Marked(Path("a.wav"), marks[1:])], ["yess"], "m.tflite")


def test_marks_of_none_of_the_words_are_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    recordings = [Marked(Path("a.wav"), (Mark(1, 2, "maybe"),))]
    with caplog.at_level(logging.WARNING):
        warn_of_foreign(recordings, ["yes", "no"], "m.tflite")
    assert "it hears yes, no, and the marks say maybe" in caplog.text

"""Folders of recordings: in the order of names, damaged ones left out."""

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edgekit.audio.sources import open_sound
from edgekit.audio.sources.file import REST_S
from edgekit.audio.sources.folder import Folder
from edgekit.errors import DataError

RATE = 16_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    for name, level in (("3.wav", 0.3), ("1.FLAC", 0.1), ("b/2.ogg", 0.2)):
        tone = level * np.sin(np.arange(RATE) / 5)
        soundfile.write(tmp_path / name, tone.astype(np.float32), RATE)
    (tmp_path / "notes.txt").write_text("no sound")
    return tmp_path


def test_a_folder_gives_all_its_recordings_one_after_the_other(folder: Path) -> None:
    with open_sound(str(folder), RATE) as source:
        chunks = list(source.chunks())
        assert source.description == f"{folder} (3 recordings)"
        assert source.length_s is None
    names = list(dict.fromkeys(each.name for each in chunks))
    assert names == [str(folder / name) for name in ("1.FLAC", "3.wav", "b/2.ogg")]
    begins = [min(each.t for each in chunks if each.name == name) for name in names]
    assert begins == [index * (1 + REST_S) for index in range(3)]
    levels = [max(abs(each.samples).max() for each in chunks if each.name == n) for n in names]
    assert levels == pytest.approx([0.1, 0.3, 0.2], abs=0.05)


def test_a_pattern_gives_those_that_fit(folder: Path) -> None:
    with open_sound(f"{folder}/*.wav", RATE) as source:
        assert {each.name for each in source.chunks()} == {str(folder / "3.wav")}


def test_damaged_recordings_are_named_counted_and_left_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for index in range(7):
        (folder / f"a{index}.wav").write_bytes(b"RIFF")
    with caplog.at_level(logging.WARNING), open_sound(str(folder), RATE) as source:
        assert len({each.name for each in source.chunks()}) == 3
        assert isinstance(source, Folder)
        assert source.damaged == 7
    assert caplog.text.count("Left out:") == 5
    assert caplog.text.count("only counted") == 1


def test_a_folder_of_nothing_but_damage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="None of the 1 recordings"):
        open_sound(str(tmp_path), RATE)


@pytest.mark.parametrize("text", ["", "/*.png"])
def test_no_recording_at_all_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="no recording in"):
        open_sound(f"{tmp_path}{text}", RATE)


def test_a_closed_folder_gives_no_more(folder: Path) -> None:
    source = open_sound(str(folder), RATE)
    chunks = source.chunks()
    next(chunks)
    source.close()
    assert list(chunks) == []


@pytest.mark.data
def test_the_eight_recordings_that_end_in_damage_are_counted(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        source = Folder("alexa", sorted((data_dir / "keywords/alexa").iterdir()), RATE)
        seconds = sum(each.samples.size for each in source.chunks()) / RATE
    assert source.damaged == 8
    assert caplog.text.count("is left out") == 8
    assert seconds > 600

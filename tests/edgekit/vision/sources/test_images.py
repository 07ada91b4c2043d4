"""Pictures as a source: in the order of names, damaged ones left out."""

import logging
from pathlib import Path

import pytest
from streams import jpeg, number_of

from edgekit.errors import DataError
from edgekit.vision.sources import open_source

pytest.importorskip("cv2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    for name, number in (("3.jpg", 3), ("1.JPG", 1), ("b/2.jpeg", 2)):
        (tmp_path / name).write_bytes(jpeg(number))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_a_folder_gives_all_its_pictures_one_a_second(folder: Path) -> None:
    with open_source(str(folder)) as source:
        frames = list(source.frames())
    assert [number_of(frame.pixels) for frame in frames] == [1, 3, 2]
    assert [frame.t for frame in frames] == [0.0, 1.0, 2.0]
    assert frames[0].order == "rgb"
    assert frames[0].pixels[0, 0, 2] > 200 > frames[0].pixels[0, 0, 0]  # the sky is blue
    assert source.description == f"{folder} (3 pictures)"


def test_a_pattern_gives_those_that_fit(folder: Path) -> None:
    with open_source(f"{folder}/*.jpg") as source:
        assert [number_of(frame.pixels) for frame in source.frames()] == [3]
    with open_source(f"{folder}/**/*.jp*g") as source:
        assert len(list(source.frames())) == 2


def test_damaged_pictures_are_named_counted_and_left_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "0.jpg").write_bytes(jpeg(0)[:200])
    (folder / "2.jpg").write_bytes(b"")
    with caplog.at_level(logging.WARNING), open_source(str(folder)) as source:
        assert len(list(source.frames())) == 3
    assert source.damaged == 2
    assert "0.jpg is cut off" in caplog.text
    assert "2.jpg is not a picture: it is empty" in caplog.text


def test_a_folder_of_damaged_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(DataError, match="None of the 1 pictures"):
        open_source(str(tmp_path))


@pytest.mark.parametrize("text", ["", "/*.png"])
def test_no_picture_at_all_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="no picture in"):
        open_source(f"{tmp_path}{text}")

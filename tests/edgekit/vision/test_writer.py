"""What a run leaves behind can be read again, and keeps its time."""

from pathlib import Path

import numpy as np
import pytest
from streams import number_of, open_descriptors, picture

from edgekit.data.boxes import Detections
from edgekit.errors import UsageError
from edgekit.vision.frame import Frame
from edgekit.vision.pipeline import Result, Stages
from edgekit.vision.sources import open_source
from edgekit.vision.writer import Film, document

pytest.importorskip("cv2")

MS = Stages(capture=1.23456, preprocess=2, inference=3, postprocess=4, total=11)


def result(ids: tuple[int, ...] = (7, 9)) -> Result:
    boxes = np.array([[1, 2, 3.456, 4], [5, 6, 7, 8]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.5], np.float32), np.array([1, 4], np.intp))
    return Result(Frame(3, 0.123456, picture(0), "bgr"), found, ids, MS)


def test_a_line_holds_what_the_contract_says() -> None:
    assert document(result(), ["ace", "king"]) == {
        "frame": 3,
        "t": 0.1235,
        "detections": [
            {"label": "king", "score": 0.9, "box": [1.0, 2.0, 3.46, 4.0], "id": 7},
            {"label": "class 4", "score": 0.5, "box": [5.0, 6.0, 7.0, 8.0], "id": 9},
        ],
        "ms": {
            "capture": 1.235,
            "preprocess": 2,
            "inference": 3,
            "postprocess": 4,
            "total": 11,
        },
    }


def test_without_a_tracker_there_is_no_id() -> None:
    told = document(result(ids=()), ["ace", "king"])
    assert [sorted(each) for each in told["detections"]] == [["box", "label", "score"]] * 2


def read(path: Path) -> tuple[list[int], float]:
    """Return the numbers of a film's frames, and how far they are apart."""
    with open_source(str(path)) as source:
        frames = list(source.frames())
    step = frames[1].t - frames[0].t if len(frames) > 1 else 0.0
    return [number_of(frame.pixels) for frame in frames], step


@pytest.mark.parametrize("step", [1 / 30, 0.1, 1.0])
def test_a_film_runs_as_fast_as_what_was_filmed(tmp_path: Path, step: float) -> None:
    with Film(tmp_path / "film.mp4", live=False) as film:
        for number in range(8):
            film.add(number * step, picture(number))
    numbers, found = read(tmp_path / "film.mp4")
    assert numbers == list(range(8))
    assert found == pytest.approx(step, rel=0.01)


def test_live_frames_stand_as_long_as_it_took(tmp_path: Path) -> None:
    with Film(tmp_path / "film.mp4", live=True) as film:
        for number, t in enumerate([0.0, 0.04, 0.05, 0.2, 0.24]):
            film.add(t, picture(number))
    assert read(tmp_path / "film.mp4")[0] == [0, 1, 3, 3, 3, 3, 4]


def test_a_long_gap_is_cut_out(tmp_path: Path) -> None:
    with Film(tmp_path / "film.mp4", live=True) as film:
        for number, t in enumerate([0.0, 0.04, 300.0, 300.04]):
            film.add(t, picture(number))
    assert read(tmp_path / "film.mp4")[0] == [0, 1, 2, 3]


def test_frames_of_another_size_are_made_to_fit(tmp_path: Path) -> None:
    with Film(tmp_path / "film.mp4", live=False) as film:
        film.add(0.0, picture(0))
        film.add(1.0, picture(1, (96, 128)))
        film.add(2.0, picture(2, (30, 30)))
    with open_source(str(tmp_path / "film.mp4")) as source:
        assert {frame.size for frame in source.frames()} == {(48, 64)}


def test_one_frame_makes_a_film_and_none_makes_no_file(tmp_path: Path) -> None:
    before = open_descriptors()
    with Film(tmp_path / "one.mp4", live=False) as film:
        film.add(0.0, picture(5))
    with Film(tmp_path / "none.mp4", live=False):
        pass
    assert read(tmp_path / "one.mp4")[0] == [5]
    assert [each.name for each in tmp_path.iterdir()] == ["one.mp4"]
    assert open_descriptors() == before


def test_the_name_is_taken_only_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("what was there")
    film = Film(tmp_path / "film.mp4", live=False)
    film.add(0.0, picture(0))
    film.add(0.1, picture(1))
    assert (tmp_path / "film.mp4").read_text() == "what was there"
    film.close()
    assert read(tmp_path / "film.mp4")[0] == [0, 1]


def test_another_kind_of_film_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Use film\.mp4"):
        Film(tmp_path / "film.avi", live=False)

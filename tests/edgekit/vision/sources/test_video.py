"""Films: every frame, whatever the header says."""

import math
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import number_of, open_descriptors, write_film

from edgekit.data import video
from edgekit.errors import DataError
from edgekit.vision.sources import open_source
from edgekit.vision.sources.video import _later

pytest.importorskip("cv2")


def test_every_frame_comes_in_its_place(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 20, fps=10)
    before = open_descriptors()
    with open_source(str(path)) as source:
        frames = list(source.frames())
    assert [number_of(frame.pixels) for frame in frames] == list(range(20))
    assert [frame.t for frame in frames] == pytest.approx([each / 10 for each in range(20)])
    assert (source.size, source.live, source.dropped) == ((48, 64), False, 0)
    assert frames[0].order == "bgr"
    assert open_descriptors() == before


def test_a_film_that_is_cut_off_gives_what_is_left(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.avi", 30, size=(240, 320))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_source(str(path)) as source:
        assert 1 <= len(list(source.frames())) < 30


@pytest.mark.parametrize("content", [b"", b"no film", os.urandom(5000)])
def test_what_is_no_film_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    before = open_descriptors()
    with pytest.raises(DataError, match=r"film\.mp4"):
        open_source(str(path))
    assert open_descriptors() == before


def test_frames_that_would_fill_the_memory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_film(tmp_path / "film.mp4", 3)
    monkeypatch.setattr("edgekit.vision.sources.video.MAX_PIXELS", 1000)
    with pytest.raises(DataError, match="frames of 64 x 48; at most 1000"):
        open_source(str(path))


def test_a_playlist_opens_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "film.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(DataError):
        open_source(str(path))


def test_closing_early_lets_the_file_go(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 30)
    before = open_descriptors()
    source = open_source(str(path))
    source.close()
    other = open_source(str(path))
    frames = other.frames()
    next(frames)
    other.close()
    assert list(frames) == []
    assert open_descriptors() == before


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg (apt: ffmpeg)")
def test_a_film_of_uneven_rate_has_its_own_times(tmp_path: Path) -> None:
    path = write_film(tmp_path / "even.mp4", 20, fps=10)
    uneven = tmp_path / "uneven.mp4"
    times = "setpts='if(gt(N,9),PTS+2/TB,PTS)'"
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-i", path, "-vf", times, "-fps_mode", "vfr", uneven],
        check=True,
    )
    with open_source(str(uneven)) as source:
        t = [frame.t for frame in source.frames()]
    assert len(t) == 20
    assert t[10] - t[9] == pytest.approx(2.1, abs=0.02)


@given(
    before=st.floats(0, 1e6),
    position=st.floats(allow_nan=True, allow_infinity=True),
)
def test_time_never_stands_still_or_leaps(before: float, position: float) -> None:
    later = _later(before, position)
    assert before < later <= before + 10
    assert math.isfinite(later)


def test_a_setting_that_this_opencv_does_not_know_is_left_out(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mp4", 3)
    opened = video.open_capture(str(path), backend="NOT_BUILT_IN", settings={"NO_SUCH": 1})
    assert opened is not None
    opened.close()


@pytest.mark.parametrize("count", [0, 1, 2**31 - 1])
@pytest.mark.parametrize("rate", [1, 2**31 - 1])
def test_a_header_that_lies_is_not_believed(tmp_path: Path, count: int, rate: int) -> None:
    path = write_film(tmp_path / "film.avi", 12)
    content = bytearray(path.read_bytes())
    main, stream = content.index(b"avih") + 8, content.index(b"strh") + 8
    struct.pack_into("<I", content, main, 1_000_000 // rate)  # microseconds a frame
    struct.pack_into("<I", content, main + 16, count)
    struct.pack_into("<II", content, stream + 20, 1, rate)
    struct.pack_into("<I", content, stream + 32, count)
    path.write_bytes(content)
    with open_source(str(path)) as source:
        frames = list(source.frames())
    assert [number_of(frame.pixels) for frame in frames] == list(range(12))
    t = [frame.t for frame in frames]
    assert t == sorted(set(t))
    assert t[-1] < 60

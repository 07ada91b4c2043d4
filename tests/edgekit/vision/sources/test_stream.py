"""Streams that FFmpeg reads, from a real FFmpeg at the other end."""

import contextlib
import logging
import shutil
import threading
from itertools import islice
from pathlib import Path

import pytest
from streams import ffmpeg, free_port, open_descriptors, write_film

from edgekit.errors import DeviceError
from edgekit.live import reopen
from edgekit.vision.sources import Source, open_source, stream

pytest.importorskip("cv2")

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs ffmpeg (apt: ffmpeg)"
)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"OPEN_TIMEOUT_MSEC": 5000, "READ_TIMEOUT_MSEC": 1500}
    monkeypatch.setattr(stream, "SETTINGS", settings)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "film.mp4", 100, size=(96, 128), fps=25)


def sending(film: Path, target: str) -> tuple[str, ...]:
    """Arguments of an FFmpeg that sends a film again and again, at its own pace."""
    again = ("-re", "-stream_loop", "-1", "-i", str(film))
    return (*again, "-c:v", "mpeg2video", "-g", "5", "-f", "mpegts", target)


@needs_ffmpeg
@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_frames_of_a_stream_arrive(film: Path, scheme: str) -> None:
    threads, descriptors = threading.active_count(), open_descriptors()
    place = f"{scheme}://127.0.0.1:{free_port()}"
    target = f"{place}?listen=1" if scheme == "tcp" else f"{place}?pkt_size=1316"
    with ffmpeg(*sending(film, target)), opened(place) as source:
        frames = list(islice(source.frames(), 8))
    assert source.live
    assert {frame.size for frame in frames} == {(96, 128)}
    assert [frame.index for frame in frames] == list(range(8))
    assert threading.active_count() == threads
    assert open_descriptors() == descriptors


@needs_ffmpeg
def test_frames_arrive_over_rtsp(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg is no RTSP server; it announces its stream to one, which our end plays here."""
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_flags;listen|listen_timeout;5")
    place = f"rtsp://127.0.0.1:{free_port()}/live"
    film_again = ("-re", "-stream_loop", "-1", "-i", str(film), "-c:v", "mpeg4", "-f", "rtsp")
    with contextlib.ExitStack() as sender:
        later = threading.Timer(0.7, lambda: sender.enter_context(ffmpeg(*film_again, place)))
        later.start()
        with open_source(place) as source:
            frames = list(islice(source.frames(), 8))
        later.join()
    assert {frame.size for frame in frames} == {(96, 128)}


@needs_ffmpeg
def test_a_stream_that_dies_comes_back(
    film: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reopen, "FIRST_WAIT_S", 0.1)
    place = f"tcp://127.0.0.1:{free_port()}"
    with caplog.at_level(logging.WARNING):
        with ffmpeg(*sending(film, f"{place}?listen=1")):
            source = opened(place)
            frames = source.frames()
            next(frames)
        with ffmpeg(*sending(film, f"{place}?listen=1")):
            while "is back after" not in caplog.text:
                next(frames)
            source.close()
    assert "was lost; it is opened again in 0.1 s" in caplog.text


def opened(place: str) -> Source:
    """Open a stream whose server may need a moment."""
    for _ in range(20):
        try:
            return open_source(place)
        except DeviceError:
            threading.Event().wait(0.2)
    return open_source(place)


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("tcp://127.0.0.1:9", "Does a server listen there"),
        ("rtsp://me:s3cret@127.0.0.1:9/live", "name and the password"),
    ],
)
def test_a_stream_that_never_opens_says_what_was_tried(address: str, remedy: str) -> None:
    with pytest.raises(DeviceError, match=remedy) as caught:
        open_source(address)
    assert caught.value.exit_code == 7
    assert "127.0.0.1:9" in str(caught.value)
    assert "s3cret" not in str(caught.value)

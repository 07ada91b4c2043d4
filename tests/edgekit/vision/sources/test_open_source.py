"""A text becomes a source, or a message that says what there is."""

from pathlib import Path

import pytest
from streams import jpeg, write_film

from edgekit.errors import DataError, DeviceError, UsageError
from edgekit.vision.sources import SOURCES, open_source

pytest.importorskip("cv2")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0", "camera"),
        ("/dev/video12", "camera"),
        ("picamera", "picamera"),
        ("picamera:1", "picamera"),
        ("http://10.0.0.9/mjpeg", "mjpeg"),
        ("HTTPS://10.0.0.9/mjpeg", "mjpeg"),
        ("rtsp://10.0.0.9/live", "stream"),
        ("tcp://10.0.0.9:9100", "stream"),
        ("udp://127.0.0.1:9101", "stream"),
        ("synthetic", "synthetic"),
        ("synthetic:640x480", "synthetic"),
        ("photos/*.jpg", "images"),
        (".", "images"),
        (__file__, "video"),
        ("ftp://10.0.0.9/film.mp4", None),
        ("nowhere.mp4", None),
        ("synthetic:64", None),
        ("", None),
    ],
)
def test_each_form_belongs_to_one_kind(text: str, kind: str | None) -> None:
    accepting = [name for name, module in SOURCES.items() if module.accepts(text)]
    assert accepting[:1] == ([kind] if kind else [])


def test_what_is_no_source_is_told_the_forms() -> None:
    with pytest.raises(DataError, match=r"no source 'nowhere\.mp4'") as caught:
        open_source("nowhere.mp4")
    assert "\n  synthetic:" in str(caught.value)
    assert all(module.FORM in str(caught.value) for module in SOURCES.values())


def test_a_picture_is_no_film_and_a_film_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(3))
    write_film(tmp_path / "a.mp4", 3)
    with open_source(str(tmp_path / "a.jpg")) as one, open_source(f"{tmp_path}/a.mp4") as film:
        assert len(list(one.frames())) == 1
        assert len(list(film.frames())) == 3


def test_a_camera_that_is_not_there_is_named_with_what_there_is() -> None:
    with pytest.raises(DeviceError, match="Camera 987 cannot be opened") as caught:
        open_source("987")
    assert caught.value.exit_code == 7
    assert "--source synthetic" in str(caught.value)


def test_a_size_out_of_bounds_is_refused() -> None:
    with pytest.raises(UsageError, match="64 to 4096"):
        open_source("synthetic:99999x10")

"""Cameras of the system; there is none here, so OpenCV's end is a stand-in."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import pytest
from streams import picture

from edgekit.data.opencv import Pixels
from edgekit.errors import DeviceError
from edgekit.vision.sources import camera, open_source


class Webcam:
    """What OpenCV opens."""

    def __init__(self) -> None:
        self.count = 0
        self.closed = False

    def read(self) -> Pixels | None:
        self.count += 1
        return picture(self.count)

    def close(self) -> None:
        self.closed = True


def test_a_camera_is_opened_by_number_and_by_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []
    opened: list[Webcam] = []

    def opening(number: int, *, backend: str, settings: Mapping[str, int]) -> Webcam:
        assert settings == {"BUFFERSIZE": 1}
        asked.append((number, backend))
        opened.append(Webcam())
        return opened[-1]

    monkeypatch.setattr(camera, "open_capture", opening)
    monkeypatch.setattr("sys.platform", "linux")
    for text in ("2", "/dev/video2"):
        with open_source(text) as source:
            assert len(list(islice(source.frames(), 3))) == 3
            assert source.description == "camera 2"
            assert source.live
    assert asked == [(2, "V4L2")] * 2
    assert all(each.closed for each in opened)


@pytest.mark.parametrize(
    ("exists", "allowed", "text"),
    [
        (False, False, "there is no /dev/video7"),
        (True, False, "usermod -aG video"),
        (True, True, "another program has it"),
    ],
)
def test_what_is_wrong_with_a_camera_is_told(
    monkeypatch: pytest.MonkeyPatch, exists: bool, allowed: bool, text: str
) -> None:
    monkeypatch.setattr(camera, "open_capture", lambda *_, **__: None)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(Path, "exists", lambda _: exists)
    monkeypatch.setattr("os.access", lambda *_: allowed)
    with pytest.raises(DeviceError, match=text):
        open_source("7")


def test_elsewhere_than_on_linux_the_settings_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(camera, "open_capture", lambda *_, **__: None)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(DeviceError, match="system settings"):
        open_source("0")

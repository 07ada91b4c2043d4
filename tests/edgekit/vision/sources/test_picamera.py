"""The ribbon camera, as far as it can be met without one."""

import sys
from itertools import islice

import picamera2_stand_in
import pytest
from picamera2_stand_in import Picamera2

from edgekit.errors import DeviceError, MissingExtra
from edgekit.vision.sources import open_source, picamera


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", picamera2_stand_in)
    monkeypatch.setattr(Picamera2, "states", [])
    monkeypatch.setattr(picamera, "_SIZE", (64, 48))


def test_frames_come_blue_first_and_the_camera_is_let_go() -> None:
    with open_source("picamera") as source:
        frames = list(islice(source.frames(), 3))
    assert {frame.order for frame in frames} == {"bgr"}
    assert frames[0].pixels[0, 0].tolist() == [200, 0, 0]
    assert source.size == (48, 64)
    assert Picamera2.states == [["open", "configured", "started", "stopped", "closed"]]


def test_a_loose_cable_is_a_loss_and_the_camera_opened_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Picamera2, "fails_after", 3)
    monkeypatch.setattr("edgekit.live.reopen.FIRST_WAIT_S", 0.01)
    with open_source("picamera") as source:
        list(islice(source.frames(), 5))
    assert len(Picamera2.states) >= 2
    assert all(state[-1] == "closed" for state in Picamera2.states)


def test_no_camera_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Picamera2, "cameras", [])
    with pytest.raises(DeviceError, match="libcamera found none"):
        open_source("picamera")


def test_a_second_camera_that_is_not_there_is_told() -> None:
    with pytest.raises(DeviceError, match=r"Ribbon camera 1 cannot .* found imx219"):
        open_source("picamera:1")


def test_a_camera_in_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Picamera2, "busy", True)
    with pytest.raises(DeviceError, match="sequence did not complete") as caught:
        open_source("picamera")
    assert "fuser" in str(caught.value)


def test_without_picamera2_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(MissingExtra, match="apt install python3-picamera2"):
        open_source("picamera")

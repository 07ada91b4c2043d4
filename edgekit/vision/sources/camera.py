"""Cameras of the system: by number, or by the name of the device."""

import os
import re
import sys
from pathlib import Path

from edgekit.data.opencv import Pixels
from edgekit.data.video import Capture, open_capture
from edgekit.errors import DeviceError
from edgekit.vision.sources.live import Live
from edgekit.vision.sources.source import Source

FORM = "0 or /dev/video0: a camera by its number or device"

_DEVICE = re.compile(r"(?:/dev/video)?(\d{1,3})", re.ASCII)
_BACKENDS = {"linux": "V4L2", "darwin": "AVFOUNDATION", "win32": "DSHOW"}
_SETTINGS = {"BUFFERSIZE": 1}


def accepts(text: str) -> bool:
    """Whether it names a camera."""
    return _DEVICE.fullmatch(text) is not None


def open_source(text: str) -> Source:
    """Open a camera.

    Args:
        text: `0` or `/dev/video0`.

    Raises:
        DeviceError: There is none, it may not be used, or it gives no picture.
    """
    match = _DEVICE.fullmatch(text)
    number = int(match[1]) if match else 0
    return Live(lambda: Camera(number), f"camera {number}", "bgr")


class Camera:
    """A connection to a camera.

    Args:
        number: Its number.

    Raises:
        DeviceError: It cannot be opened; the text says what was tried and found.
    """

    def __init__(self, number: int) -> None:
        opened = open_capture(
            number, backend=_BACKENDS.get(sys.platform, "ANY"), settings=_SETTINGS
        )
        if opened is None:
            raise DeviceError(_why_not(number))
        self._opened: Capture = opened

    def read(self) -> Pixels | None:
        """Wait for the next picture."""
        return self._opened.read()

    def interrupt(self) -> None:
        """Do nothing: a camera gives its next picture soon, or the driver gives up."""

    def close(self) -> None:
        """Let the camera go."""
        self._opened.close()


def _why_not(number: int) -> str:
    """Say what was tried and what there is."""
    if sys.platform != "linux":
        return (
            f"Camera {number} cannot be opened.\n"
            "Is it attached, and may this program use it (system settings, privacy)?"
        )
    device = Path(f"/dev/video{number}")
    there = ", ".join(sorted(str(each) for each in Path("/dev").glob("video[0-9]*")))
    if not device.exists():
        return (
            f"Camera {number} cannot be opened: there is no {device}.\n"
            f"Found: {there or 'no camera at all'}. Is it attached? The ribbon camera of a "
            "Raspberry Pi is opened with --source picamera; to try without a camera: "
            "--source synthetic"
        )
    if not os.access(device, os.R_OK | os.W_OK):
        return (
            f"Camera {number} cannot be opened: {device} may not be read and written.\n"
            "Allow it with: sudo usermod -aG video $USER, and log in again."
        )
    return (
        f"Camera {number} cannot be opened: {device} is there, and is no camera, or another "
        f"program has it.\nFound: {there}."
    )

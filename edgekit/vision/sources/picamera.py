"""The ribbon camera of a Raspberry Pi, through libcamera's picamera2."""

import importlib
import re
from typing import Any, cast

from edgekit.data.opencv import Pixels
from edgekit.errors import DeviceError, MissingExtra
from edgekit.vision.sources.live import Live
from edgekit.vision.sources.source import Source

FORM = "picamera: the ribbon camera of a Raspberry Pi; picamera:1 the second one"

_NAME = re.compile(r"picamera(?::(\d{1,2}))?", re.ASCII)
_SIZE = (1280, 720)  # width and height
_FORMAT = "RGB888"  # libcamera names the bytes of a word from its end: blue comes first
_FAILURES = (RuntimeError, OSError, IndexError, TimeoutError, ValueError)


def accepts(text: str) -> bool:
    """Whether it names the ribbon camera."""
    return _NAME.fullmatch(text) is not None


def open_source(text: str) -> Source:
    """Open the ribbon camera.

    Args:
        text: `picamera`, or `picamera:1` for the second one.

    Raises:
        DeviceError: There is none, or another program has it.
        MissingExtra: picamera2 is not installed.
    """
    match = _NAME.fullmatch(text)
    number = int((match and match[1]) or 0)
    return Live(lambda: RibbonCamera(number), f"ribbon camera {number}", "bgr")


class RibbonCamera:
    """A connection to the ribbon camera.

    Args:
        number: Its number.

    Raises:
        DeviceError: It cannot be opened; the text says what was found.
        MissingExtra: picamera2 is not installed.
    """

    def __init__(self, number: int) -> None:
        library = _picamera2()
        found = library.Picamera2.global_camera_info()
        if number >= len(found):
            names = ", ".join(str(each.get("Model", "a camera")) for each in found)
            msg = (
                f"Ribbon camera {number} cannot be opened; libcamera found "
                f"{names or 'none'}.\n"
                "Is the cable seated at both ends? Check with: rpicam-hello --list-cameras"
            )
            raise DeviceError(msg)
        try:
            self._camera = library.Picamera2(number)
        except _FAILURES as error:
            raise _refused(number, error) from error
        try:
            main = {"size": _SIZE, "format": _FORMAT}
            self._camera.configure(self._camera.create_video_configuration(main=main))
            self._camera.start()
        except _FAILURES as error:
            self._camera.close()
            raise _refused(number, error) from error

    def read(self) -> Pixels | None:
        """Wait for the next picture."""
        try:
            return cast("Pixels", self._camera.capture_array("main"))
        except _FAILURES:
            return None

    def interrupt(self) -> None:
        """Do nothing: the next picture comes soon."""

    def close(self) -> None:
        """Let the camera go."""
        self._camera.stop()
        self._camera.close()


def _refused(number: int, error: Exception) -> DeviceError:
    msg = (
        f"Ribbon camera {number} cannot be opened: {error}.\n"
        "Does another program use it? See who with: sudo fuser -v /dev/media*"
    )
    return DeviceError(msg)


def _picamera2() -> Any:
    try:
        return importlib.import_module("picamera2")
    except ImportError as error:
        msg = (
            "picamera2 is needed to open the ribbon camera, and it is not installed here.\n"
            "Install it with: sudo apt install python3-picamera2 --no-install-recommends; a "
            "virtual environment must be made with: python3 -m venv --system-site-packages"
        )
        raise MissingExtra(msg) from error

"""A stand-in for picamera2, with the names and the behaviour that its manual describes.

Picamera2.global_camera_info(), Picamera2(number), create_video_configuration(main=...),
configure(), start(), capture_array("main"), stop(), close().
"""

import threading
import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


class Picamera2:
    """The camera: numbered pictures at 100 a second.

    Attributes:
        cameras: What libcamera finds.
        busy: Whether another program has the camera.
        fails_after: Pictures until the cable comes loose; None is never.
        states: What happened to each one that was opened.
    """

    cameras: ClassVar[list[dict[str, Any]]] = [{"Model": "imx219", "Num": 0}]
    busy: ClassVar[bool] = False
    fails_after: ClassVar[int | None] = None
    states: ClassVar[list[list[str]]] = []

    def __init__(self, camera_num: int = 0) -> None:
        if self.busy:
            msg = "Camera __init__ sequence did not complete."
            raise RuntimeError(msg)
        self.number = camera_num
        self.count = 0
        self.config: dict[str, Any] = {}
        self.state: list[str] = ["open"]
        self.states.append(self.state)
        self.turn = threading.Lock()

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return list(Picamera2.cameras)

    def create_video_configuration(self, main: dict[str, Any]) -> dict[str, Any]:
        return {"use": "video", "main": main}

    def configure(self, camera_config: dict[str, Any]) -> None:
        self.config = camera_config
        self.state.append("configured")

    def start(self) -> None:
        assert self.state[-1] == "configured"
        self.state.append("started")

    def capture_array(self, name: str = "main") -> NDArray[np.uint8]:
        assert self.state[-1] == "started"
        with self.turn:
            time.sleep(0.01)
            self.count += 1
            if self.fails_after is not None and self.count > self.fails_after:
                msg = "Camera frontend has timed out!"
                raise RuntimeError(msg)
            width, height = self.config[name]["size"]
            assert self.config[name]["format"] == "RGB888"
            pixels = np.zeros((height, width, 3), np.uint8)
            pixels[..., 0] = 200  # of RGB888, blue comes first in memory
            return pixels

    def stop(self) -> None:
        self.state.append("stopped")

    def close(self) -> None:
        self.state.append("closed")

"""A stream that dies comes back: with longer and longer waits, said, and not for ever."""

import logging
import threading
from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest

from edgekit.data.opencv import Pixels
from edgekit.errors import DataError, DeviceError
from edgekit.live import reopen
from edgekit.vision.frame import Frame
from edgekit.vision.sources.live import Live
from edgekit.vision.sources.reopen import Reopening

PICTURE = np.full((4, 6, 3), 7, np.uint8)
EMPTY = np.zeros((0, 6, 3), np.uint8)

Script = Sequence[Pixels | DataError | None]


class Line:
    """A connection that gives what it is told, and is lost after that."""

    def __init__(self, script: Script) -> None:
        self.script = list(script)
        self.closed = 0

    def read(self) -> Pixels | None:
        found = self.script.pop(0) if self.script else None
        if isinstance(found, DataError):
            raise found
        return found

    def interrupt(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        self.closed += 1


class Camera:
    """Gives one connection after the other; None in their place is a refusal."""

    def __init__(self, *scripts: Script | None) -> None:
        self.scripts = list(scripts)
        self.lines: list[Line] = []
        self.refused = 0

    def connect(self) -> Line:
        script = self.scripts.pop(0) if self.scripts else None
        if script is None:
            self.refused += 1
            msg = "The camera is off."
            raise DeviceError(msg)
        self.lines.append(Line(script))
        return self.lines[-1]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait no time, and note how long it would have been."""
    waits: list[float] = []

    def wait(self: threading.Event, timeout: float | None = None) -> bool:
        waits.append(timeout or 0.0)
        return self.is_set()

    monkeypatch.setattr(threading.Event, "wait", wait)
    return waits


def test_pictures_go_on_after_a_loss_which_is_said(caplog: pytest.LogCaptureFixture) -> None:
    camera = Camera([PICTURE] * 3, [PICTURE] * 2)
    line = Reopening(camera.connect, "camera 0")
    with caplog.at_level(logging.WARNING):
        first = line.first()
        rest = list(islice(line.pictures(), 4))
    assert len([first, *rest]) == 5
    assert camera.lines[0].closed == 1
    assert "camera 0 was lost; it is opened again in 0.5 s." in caplog.text
    assert "camera 0 is back after" in caplog.text


def test_waits_double_up_to_ten_seconds(hurry: list[float]) -> None:
    camera = Camera([PICTURE], *[None] * 7, [PICTURE])
    line = Reopening(camera.connect, "camera 0")
    line.first()
    next(line.pictures())
    assert hurry == [0.5, 1, 2, 4, 8, 10, 10, 10]
    assert camera.refused == 7


def test_after_all_patience_the_loss_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reopen, "PATIENCE_S", 0.0)
    camera = Camera([PICTURE])
    line = Reopening(camera.connect, "camera 0")
    line.first()
    with pytest.raises(DeviceError, match=r"camera 0 was lost .* The camera is off\."):
        list(line.pictures())


@pytest.mark.parametrize(
    "damaged",
    [EMPTY, DataError("part 3 is cut off.")],
    ids=["of no size", "garbled"],
)
def test_damaged_pictures_are_left_out_counted_and_said_once(
    damaged: Pixels | DataError, caplog: pytest.LogCaptureFixture
) -> None:
    camera = Camera([damaged, PICTURE, damaged, PICTURE])
    line = Reopening(camera.connect, "camera 0")
    with caplog.at_level(logging.WARNING):
        found = [line.first(), next(line.pictures())]
    assert all(each is PICTURE for each in found)
    assert line.damaged == 2
    assert caplog.text.count("gave a damaged picture") == 1


def test_a_stream_of_nothing_but_damage_is_lost() -> None:
    camera = Camera([EMPTY] * 1000)
    with pytest.raises(DeviceError, match="was opened, and gave no picture"):
        Reopening(camera.connect, "camera 0").first()
    assert camera.lines[0].closed == 1


def test_a_camera_that_never_opens_says_why() -> None:
    with pytest.raises(DeviceError, match="The camera is off"):
        Live(Camera().connect, "camera 0", "bgr")


def test_a_live_source_goes_through_a_loss() -> None:
    camera = Camera([PICTURE] * 50, [PICTURE] * 50, [PICTURE] * 50)
    with Live(camera.connect, "camera 0", "bgr") as source:
        frames: list[Frame] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reopen, "PATIENCE_S", 0.0)
            with pytest.raises(DeviceError):
                frames.extend(source.frames())
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert [frame.t for frame in frames] == sorted(frame.t for frame in frames)
    assert len(frames) + source.dropped <= 150
    assert (source.size, source.live) == ((4, 6), True)

"""Where a demo that sees shows what it finds: lines, a film, a page, a window."""

import contextlib
import functools
import logging
import statistics
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from edgekit.data.opencv import Pixels, swap
from edgekit.vision.pipeline import Result, Stages
from edgekit.vision.sources import Source
from edgekit.vision.window import Window, open_window
from edgekit.vision.writer import Film
from edgekit_demos.child import Write, open_lines, open_page
from edgekit_demos.frames import Request

if TYPE_CHECKING:  # only some who watch want a page, and it takes a while
    from edgekit.preview import Preview

_WINDOW = 60  # frames that the overlay tells of
_log = logging.getLogger(__name__)


class Pace:
    """How fast it goes, over the last frames."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_WINDOW)
        self._ms: deque[Stages] = deque(maxlen=_WINDOW)

    def add(self, ms: Stages) -> None:
        """Take note of a frame."""
        self._times.append(time.monotonic())
        self._ms.append(ms)

    @property
    def fps(self) -> float:
        """Frames a second; 0 before the second one."""
        seconds = self._times[-1] - self._times[0] if self._times else 0.0
        return (len(self._times) - 1) / seconds if seconds > 0 else 0.0

    @property
    def ms(self) -> dict[str, float]:
        """The median of each stage."""
        every = [asdict(each) for each in self._ms]
        return {name: statistics.median(each[name] for each in every) for name in every[-1]}


class Shown:
    """A frame, what was found in it, and the two drawn together.

    Args:
        result: The frame, and what was found.
        told: The same as plain JSON values.
        labels: Names of the classes.
        pace: How fast it goes.
        places: Whether what was found has a place in the frame.
        dropped: Frames that nobody had time for, so far.
    """

    def __init__(
        self,
        result: Result,
        told: dict[str, Any],
        labels: Sequence[str],
        pace: Pace,
        *,
        places: bool,
        dropped: int,
    ) -> None:
        self.frame = result.frame
        self.told = told
        self.dropped = dropped
        self.detections: list[dict[str, Any]] = told["detections"]
        if not places:
            self.detections = [{**each, "box": None} for each in self.detections]
        self._labels = labels
        self._pace = pace

    @functools.cached_property
    def drawn(self) -> Pixels:
        """The frame with what was found, blue first; the frame itself stays as it is."""
        from edgekit.vision.drawing import draw

        pixels = self.frame.pixels
        drawn = pixels.copy() if self.frame.order == "bgr" else swap(pixels)
        pace = self._pace
        draw(drawn, self.detections, pace.ms, self._labels, fps=pace.fps)
        return drawn


class Show(Protocol):
    """One place where results are shown.

    Attributes:
        for_eyes: Whether somebody watches, so that a film must not run faster than it is.
    """

    for_eyes: ClassVar[bool]

    def show(self, shown: Shown) -> bool:
        """Show a frame; False if no more are wanted."""


class Lines:
    """JSON lines, one a frame."""

    for_eyes: ClassVar[bool] = False

    def __init__(self, write: Write) -> None:
        self._write = write

    def show(self, shown: Shown) -> bool:
        """Write the line."""
        self._write(shown.told)
        return True


class Filming:
    """A film with boxes."""

    for_eyes: ClassVar[bool] = False

    def __init__(self, path: Path, *, live: bool, stack: contextlib.ExitStack) -> None:
        self._film = stack.enter_context(Film(path, live=live))

    def show(self, shown: Shown) -> bool:
        """Add the frame."""
        self._film.add(shown.frame.t, shown.drawn)
        return True


class Page:
    """The page in the browser, which draws the boxes itself."""

    for_eyes: ClassVar[bool] = True

    def __init__(self, preview: "Preview") -> None:
        self._preview = preview

    def show(self, shown: Shown) -> bool:
        """Replace what is shown."""
        frame = shown.frame
        self._preview.show(
            frame.pixels,
            order=frame.order,
            detections=shown.detections,
            ms=shown.told["ms"],
            counts={"dropped": shown.dropped},
        )
        return True


class OnDesktop:
    """A window on the desktop."""

    for_eyes: ClassVar[bool] = True

    def __init__(self, window: Window) -> None:
        self._window = window

    def show(self, shown: Shown) -> bool:
        """Show the frame; False once the window is closed."""
        return self._window.show(shown.drawn)


def open_shows(
    wanted: Request, source: Source, labels: Sequence[str], stack: contextlib.ExitStack
) -> list[Show]:
    """Open all that is wanted.

    Args:
        wanted: What.
        source: Where the frames come from.
        labels: Names of the classes.
        stack: Closes everything in the end.

    Raises:
        EdgekitError: A file cannot be written.
        DeviceError: The page's port is in use.
    """
    shows: list[Show] = []
    lines = open_lines(wanted, stack)
    if lines is not None:
        shows.append(Lines(lines))
    if wanted.save is not None:
        shows.append(Filming(Path(wanted.save), live=source.live, stack=stack))
    page = open_page(wanted, source.description, labels, stack)
    if page is not None:
        shows.append(Page(page))
    if not wanted.headless:
        window = open_window(Path(wanted.model).stem)
        if isinstance(window, Window):
            shows.append(OnDesktop(stack.enter_context(window)))
        elif not shows:
            _log.warning(
                "No window is opened, as %s; watch it with --preview 127.0.0.1:8080.", window
            )
    return shows

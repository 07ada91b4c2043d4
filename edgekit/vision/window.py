"""A window on the desktop, where there is a desktop."""

import os
import sys
from typing import Any

from edgekit.data.opencv import Pixels
from edgekit.extras import need
from edgekit.live.closing import Closing

_ENDS = frozenset({ord("q"), 27})  # 27 is the escape key


def open_window(title: str) -> "Window | str":
    """Open a window, or say in one clause why there is none."""
    # Without a display some builds of OpenCV abort the whole process.
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        return "there is no display"
    cv2 = need("cv2", "open a window")
    try:
        cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE)
    except cv2.error:
        return "this OpenCV was built without windows (edgekit[window] brings one)"
    return Window(cv2, title)


class Window(Closing):
    """A window that shows frames; to be used by the main thread. Made by `open_window`."""

    def __init__(self, cv2: Any, title: str) -> None:
        self._cv2 = cv2
        self._title = title

    def show(self, pixels: Pixels) -> bool:
        """Show a frame, blue first.

        Returns:
            False if the person closed the window, or pressed q or escape.
        """
        self._cv2.imshow(self._title, pixels)
        if self._cv2.waitKey(1) & 0xFF in _ENDS:
            return False
        return bool(self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) >= 1)

    def close(self) -> None:
        """Close the window."""
        self._cv2.destroyAllWindows()

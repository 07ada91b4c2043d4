"""The pace of what was recorded, for somebody who watches or listens."""

import time


class Pace:
    """The pace of a recording: its own time, or later where that cannot be kept."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    def wait_s(self, t: float) -> float:
        """Return how long to hold back what stands at that time of the recording."""
        real = time.perf_counter() - t
        if self._ahead is None or real > self._ahead:
            self._ahead = real
        return self._ahead - real

"""Find out that samples are missing: by the time that those took that came.

PortAudio was seen to lose half of the samples and to raise no flag. So samples are counted,
and compared with the time that has gone by.
"""

WINDOW_S = 1.0  # the least late piece of this time is looked at: others only waited somewhere
# Later than this, and samples are missing. A sound server that changes its own buffers, as
# programs come and go, was seen to be late by 0.06 s and then in time again.
TOLERANCE_S = 0.15
DRIFT = 5e-4  # by so much may the clock of a device run slower than that of the system


class SampleClock:
    """Counts samples against the time; what is missing is known up to two seconds later.

    Args:
        sample_rate_hz: How many samples a second should come.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.position = 0  # samples since the first one, those that are missing included
        self._rate = sample_rate_hz
        self._begun = 0.0
        self._window = 0.0  # when it began
        self._least = 0.0  # seconds that its least late piece was late
        self._usual: float | None = None  # the same, of windows in which nothing was lost

    def count(self, samples: int, now: float, *, after_break: bool = False) -> int:
        """Count the samples of a piece.

        Args:
            samples: How many there are.
            now: When they came, in seconds of a clock that only goes forward.
            after_break: Whether nothing could come for some time; all of it is missing.

        Returns:
            How many before them are missing, as far as that was not known.
        """
        if not self.position:
            self._begun = self._window = now - samples / self._rate
        late = now - self._begun - (self.position + samples) / self._rate
        lost = self._missing(late, now, after_break=after_break)
        self.position += lost + samples
        self._least = min(self._least, late) - lost / self._rate
        return lost

    def _missing(self, late: float, now: float, *, after_break: bool) -> int:
        """Return how many samples are missing, at the end of a window or of a break."""
        if after_break:
            excess = late - (self._usual or 0.0)
        elif now - self._window < WINDOW_S:
            return 0
        elif self._usual is None:
            self._usual = self._least
            excess = 0.0
        else:
            excess = self._least - self._usual
            self._usual += min(excess, DRIFT * WINDOW_S) if excess <= TOLERANCE_S else 0.0
        self._window, self._least = now, late
        return round(excess * self._rate) if excess > TOLERANCE_S else 0

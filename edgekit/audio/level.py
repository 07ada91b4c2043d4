"""How loud a sound is, for a meter beside which somebody speaks."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SILENT_DB = -96.0  # below the smallest step of 16 bits; no microphone that is on is so quiet

_SHOWN_DB = 60.0  # what a meter shows below full scale
_CLIPPED = 0.999


@dataclass(frozen=True, slots=True)
class Reading:
    """How loud it was between two looks at the meter.

    Attributes:
        db: Mean power, in decibels below that of the loudest samples there are; at least
            `SILENT_DB`.
        clipped: Whether it was too loud: samples reached the end of their range.
    """

    db: float
    clipped: bool

    @property
    def share(self) -> float:
        """How far a meter is deflected, 0 to 1.

        >>> Reading(-30.0, False).share
        0.5
        """
        return min(max(1 + self.db / _SHOWN_DB, 0.0), 1.0)

    def __str__(self) -> str:
        return f"{self.db:.0f} dB" + (" (too loud)" if self.clipped else "")


class Level:
    """A meter."""

    def __init__(self) -> None:
        self._power, self._count, self._peak = 0.0, 0, 0.0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take in the next samples, shape (n,), in [-1, 1]."""
        if samples.size:
            self._power += float(np.dot(samples, samples))
            self._count += samples.size
            self._peak = max(self._peak, float(samples.max()), -float(samples.min()))

    def read(self) -> Reading:
        """Return how loud it was since the last time."""
        power = self._power / self._count if self._count else 0.0
        db = 10 * math.log10(power) if power > 0 else SILENT_DB
        reading = Reading(max(db, SILENT_DB), self._peak >= _CLIPPED)
        self._power, self._count, self._peak = 0.0, 0, 0.0
        return reading

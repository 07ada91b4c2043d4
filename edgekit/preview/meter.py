"""How fast it goes: frames per second and the stages' times, over the last seconds."""

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

import numpy as np

_KEPT = 150  # frames that percentiles are made of
_WINDOW_S = 5.0  # frames per second are those of this time


class Meter:
    """Counts frames; not for several threads at once."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_KEPT)
        self._ms: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def count(self, t: float, ms: Mapping[str, float]) -> None:
        """Count a frame.

        Args:
            t: When it came, in seconds; does not fall.
            ms: Its stages in their order -> milliseconds.
        """
        self._times.append(t)
        for stage, duration in ms.items():
            if math.isfinite(duration):
                self._ms[stage].append(float(duration))

    def fps(self, now: float) -> float | None:
        """Frames per second of the last seconds; None if there were less than two."""
        recent = [t for t in self._times if t >= now - _WINDOW_S]
        if len(recent) < 2 or recent[-1] <= recent[0]:
            return None
        return round((len(recent) - 1) / (recent[-1] - recent[0]), 1)

    def stages(self) -> list[dict[str, Any]]:
        """Return for each stage its `name`, `p50` and `p95` in milliseconds."""
        found = []
        for name, durations in self._ms.items():
            p50, p95 = np.percentile(durations, [50, 95])
            found.append(
                {"name": name, "p50": round(float(p50), 2), "p95": round(float(p95), 2)}
            )
        return found

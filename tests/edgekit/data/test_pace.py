"""A recording keeps its own time, or falls behind once for all."""

import time

import pytest

from edgekit.data.pace import Pace


def test_a_recording_that_is_late_does_not_hurry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.2, 11.0, 11.1])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    pace = Pace()
    waits = [pace.wait_s(t) for t in (0.0, 0.3, 0.6, 0.9)]
    assert waits == pytest.approx([0.0, 0.1, 0.0, 0.2])

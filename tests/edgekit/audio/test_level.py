"""The level meter says how loud it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.audio.level import SILENT_DB, Level, Reading

SINE = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000).astype(np.float32)


def level_of(samples: np.ndarray) -> Reading:
    level = Level()
    level.add(samples)
    return level.read()


@pytest.mark.parametrize(
    ("samples", "db"),
    [
        pytest.param(0.5 * SINE, -9.03, id="a sine of half the range"),
        pytest.param(np.full(160, 0.1, np.float32), -20.0, id="a tenth of the range"),
        pytest.param(np.zeros(160, np.float32), SILENT_DB, id="silence"),
        pytest.param(np.zeros(0, np.float32), SILENT_DB, id="nothing"),
    ],
)
def test_known_levels(samples: np.ndarray, db: float) -> None:
    assert level_of(samples).db == pytest.approx(db, abs=0.01)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_reaches_the_end_of_the_range_is_too_loud(sign: int) -> None:
    reading = level_of(np.array([0.0, sign * 1.0], np.float32))
    assert reading.clipped
    assert "too loud" in str(reading)
    assert not level_of(0.9 * SINE).clipped


def test_each_look_begins_anew() -> None:
    level = Level()
    level.add(SINE)
    level.read()
    assert level.read() == Reading(SILENT_DB, clipped=False)


@given(st.floats(-200, 20))
def test_a_meter_stays_within_its_scale(db: float) -> None:
    assert 0 <= Reading(db, clipped=False).share <= 1


@given(cuts=st.lists(st.integers(0, 16000), max_size=5))
def test_a_level_does_not_depend_on_how_the_sound_is_cut(cuts: list[int]) -> None:
    level = Level()
    for piece in np.split(SINE, sorted(cuts)):
        level.add(piece)
    assert level.read().db == pytest.approx(level_of(SINE).db, abs=1e-3)

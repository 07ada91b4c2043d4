"""The same object keeps the same number, and no two objects share one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.boxes import Detections
from edgekit.vision.tracking import PATIENCE, Tracker


def seen(*boxes: Sequence[float], kinds: Sequence[int] | None = None) -> Detections:
    scores = np.linspace(0.9, 0.8, len(boxes))
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        scores.astype(np.float32),
        np.array(kinds if kinds is not None else [0] * len(boxes), np.intp),
    )


def square(x: float, y: float, side: float = 20) -> tuple[float, float, float, float]:
    return x, y, x + side, y + side


def test_an_object_that_moves_keeps_its_number() -> None:
    tracker = Tracker()
    assert [tracker.update(seen(square(4 * t, 3 * t))) for t in range(50)] == [(1,)] * 50


def test_motion_is_expected_to_go_on() -> None:
    """From the fourth frame on it moves by its own size, and would have no overlap."""
    tracker = Tracker()
    places = [0, 4, 10, 19, 31, 46, 64, 84, 104, 124, 144]
    assert {tracker.update(seen(square(x, 0))) for x in places} == {(1,)}


def test_objects_that_cross_keep_theirs() -> None:
    tracker = Tracker()
    for t in range(30):
        one, other = square(5 * t, 0), square(145 - 5 * t, 12)
        assert tracker.update(seen(one, other)) == (1, 2)


def test_the_order_of_the_detections_does_not_matter() -> None:
    tracker = Tracker()
    assert tracker.update(seen(square(0, 0), square(100, 0))) == (1, 2)
    assert tracker.update(seen(square(100, 0), square(0, 0))) == (2, 1)


@pytest.mark.parametrize(("gap", "number"), [(1, 1), (PATIENCE, 1), (PATIENCE + 1, 2)])
def test_one_that_was_out_of_sight_is_known_again_for_a_while(gap: int, number: int) -> None:
    tracker = Tracker()
    tracker.update(seen(square(50, 50)))
    for _ in range(gap):
        assert tracker.update(Detections.none()) == ()
    assert tracker.update(seen(square(50, 50))) == (number,)


def test_a_class_that_the_detector_is_not_sure_of_changes_no_number() -> None:
    tracker = Tracker()
    kinds = [0, 0, 1, 0, 1, 1]
    found = [tracker.update(seen(square(t, 0), kinds=[kind])) for t, kind in enumerate(kinds)]
    assert found == [(1,)] * 6


def test_things_of_different_classes_at_one_place_stay_apart() -> None:
    tracker = Tracker()
    for t in range(10):
        rider, bicycle = square(3 * t, 0, 40), square(3 * t + 2, 6, 40)
        assert tracker.update(seen(rider, bicycle, kinds=[0, 1])) == (1, 2)
        assert tracker.update(seen(bicycle, rider, kinds=[1, 0])) == (2, 1)


def test_something_far_away_is_new() -> None:
    tracker = Tracker()
    assert tracker.update(seen(square(0, 0))) == (1,)
    assert tracker.update(seen(square(500, 500))) == (2,)


sides = st.floats(0, 200, width=32)
frames = st.lists(
    st.lists(st.tuples(sides, sides, sides, sides, st.integers(0, 2)), max_size=6), max_size=12
)


@given(frames)
def test_numbers_are_never_shared_and_never_used_again(
    frames: list[list[tuple[float, float, float, float, int]]],
) -> None:
    tracker, last_seen = Tracker(), dict[int, int]()
    for t, boxes in enumerate(frames):
        kinds = [each[4] for each in boxes]
        numbers = tracker.update(seen(*(each[:4] for each in boxes), kinds=kinds))
        assert len(numbers) == len(set(numbers)) == len(boxes)
        for number in numbers:
            assert number > 0
            assert t - last_seen.get(number, t) <= PATIENCE + 1
            last_seen[number] = t
        assert set(last_seen) == set(range(1, len(last_seen) + 1))

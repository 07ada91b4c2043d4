"""Laws of boxes, overlap and non-maximum suppression."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.data.boxes import Detections, area, as_boxes, clip, intersection, iou, nms

places = st.integers(0, 20)
sides = st.integers(0, 12)


@st.composite
def some_boxes(draw: st.DrawFn, most: int = 12) -> np.ndarray:
    rows = draw(st.lists(st.tuples(places, places, sides, sides), max_size=most))
    return as_boxes([[x, y, x + w, y + h] for x, y, w, h in rows])


@st.composite
def findings(draw: st.DrawFn) -> Detections:
    boxes = draw(some_boxes())
    scores = draw(
        st.lists(st.sampled_from([0.1, 0.5, 0.9]), min_size=len(boxes), max_size=len(boxes))
    )
    classes = draw(st.lists(st.integers(0, 2), min_size=len(boxes), max_size=len(boxes)))
    return Detections(boxes, np.array(scores, np.float32), np.array(classes, np.intp))


def cells(box: np.ndarray) -> set[tuple[int, int]]:
    x_min, y_min, x_max, y_max = map(int, box)
    return {(x, y) for x in range(x_min, x_max) for y in range(y_min, y_max)}


@given(a=some_boxes(5), b=some_boxes(5))
def test_overlap_is_that_of_the_pixels_covered(a: np.ndarray, b: np.ndarray) -> None:
    shared, ratio = intersection(a, b), iou(a, b)
    assert shared.shape == ratio.shape == (len(a), len(b))
    for i, one in enumerate(a):
        assert area(a)[i] == len(cells(one))
        for j, other in enumerate(b):
            both, either = cells(one) & cells(other), cells(one) | cells(other)
            assert shared[i, j] == len(both)
            assert ratio[i, j] == pytest.approx(len(both) / len(either) if either else 0)


def slow_nms(found: Detections, threshold: float, *, per_class: bool) -> list[int]:
    kept: list[int] = []
    for i in range(len(found)):
        rivals = [k for k in kept if not per_class or found.classes[k] == found.classes[i]]
        near = [iou(found.boxes[i : i + 1], found.boxes[k : k + 1])[0, 0] for k in rivals]
        if all(each <= threshold for each in near):
            kept.append(i)
    return kept


@given(found=findings(), threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]), each=st.booleans())
def test_suppression_keeps_what_the_definition_keeps(
    found: Detections, threshold: float, each: bool
) -> None:
    expected = found.take(np.array(slow_nms(found, threshold, per_class=each), np.intp))
    kept = nms(found, threshold, per_class=each)
    np.testing.assert_array_equal(kept.boxes, expected.boxes)
    np.testing.assert_array_equal(kept.scores, expected.scores)
    np.testing.assert_array_equal(kept.classes, expected.classes)
    few = nms(found, threshold, per_class=each, limit=2)
    np.testing.assert_array_equal(few.boxes, kept.boxes[:2])


@given(found=findings())
def test_findings_stand_in_falling_order_of_their_score(found: Detections) -> None:
    assert (np.diff(found.scores) <= 0).all()
    assert [score for _, score, _ in found] == found.scores.tolist()


def test_equal_scores_keep_their_order() -> None:
    boxes = as_boxes([[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]])
    scores = np.array([0.25, 0.5, 0.25], np.float32)
    found = Detections(boxes, scores, np.arange(3))
    assert found.classes.tolist() == [1, 0, 2]


@given(boxes=some_boxes())
def test_cut_boxes_lie_in_the_picture_and_inner_ones_stay(boxes: np.ndarray) -> None:
    cut = clip(boxes, (9, 14))
    assert ((cut >= 0) & (cut <= [14, 9, 14, 9])).all()
    whole = as_boxes([0, 0, 14, 9])
    np.testing.assert_array_equal(area(cut), intersection(boxes, whole)[:, 0])
    np.testing.assert_array_equal(clip(cut, (9, 14)), cut)


def test_nothing_found_is_fine_everywhere() -> None:
    nothing = Detections.none()
    assert len(nms(nothing, 0.5)) == len(list(nothing)) == 0
    assert iou(nothing.boxes, as_boxes([0, 0, 1, 1])).shape == (0, 1)
    assert clip(nothing.boxes, (5, 5)).shape == (0, 4)

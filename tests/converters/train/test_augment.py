"""Views of annotated pictures: boxes go where the pixels go."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.data import opencv
from edgekit.data.annotations import Annotated
from edgekit.data.boxes import as_boxes
from edgekit_converters.train.detect.augment import Meaning, Views, moved

pytest.importorskip("cv2")

QUARTERS = [np.array([[c, -s], [s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
MIRROR = np.diag([-1.0, 1.0])


def annotated(boxes: list[list[float]], **marks: list[bool]) -> Annotated:
    none = [False] * len(boxes)
    return Annotated(
        name="one",
        path=Path("one.png"),
        boxes=as_boxes(boxes),
        classes=np.arange(len(boxes)),
        difficult=np.array(marks.get("difficult", none), np.bool_),
        crowd=np.array(marks.get("crowd", none), np.bool_),
        size=(96, 128),
    )


@given(
    st.integers(0, 3),
    st.booleans(),
    st.floats(0.5, 2.0),
    st.floats(0.5, 2.0),
    st.tuples(st.floats(-10, 10), st.floats(-10, 10)),
)
def test_a_box_goes_with_its_pixels(
    quarters: int, mirrored: bool, wide: float, high: float, shift: tuple[float, float]
) -> None:
    linear = np.diag([wide, high]) @ QUARTERS[quarters] @ (MIRROR if mirrored else np.eye(2))
    centre = np.array([50.0, 40.0])
    offset = np.array([100.0, 100.0]) + shift - linear @ centre
    matrix = np.column_stack([linear, offset])
    picture = np.zeros((80, 100, 3), np.uint8)
    picture[30:50, 45:60] = 255
    drawn = opencv.transform(picture, matrix, (200, 200), (0, 0, 0))[..., 0] > 127
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    shown = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(moved(as_boxes([[45, 30, 60, 50]]), matrix)[0], shown, atol=1)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_boxes_of_a_view_lie_inside_it_and_are_no_slivers(
    seed: int, mirror: bool, turn: bool
) -> None:
    item = annotated([[10, 10, 60, 50], [70, 20, 128, 96], [0, 0, 20, 20]])
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    views = Views([item], lambda _: pixels, 64, Meaning(mirror=mirror, turn=turn))
    view = views(0, np.random.default_rng(seed))
    assert view.pixels.shape == (64, 64, 3)
    assert view.pixels.dtype == np.uint8
    for boxes in (view.boxes, view.doubtful):
        assert ((boxes >= 0) & (boxes <= 64)).all()
    assert len(view.boxes) == len(view.classes)
    assert ((view.boxes[:, 2:] - view.boxes[:, :2]) > 5).all()


def test_the_same_chance_gives_the_same_view() -> None:
    item = annotated([[10, 10, 60, 50]])
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    views = Views([item], lambda _: pixels, 64, Meaning())
    one, other = (views(0, np.random.default_rng(7)) for _ in range(2))
    assert (one.pixels == other.pixels).all()
    assert (one.boxes == other.boxes).all()


@pytest.mark.parametrize("kind", ["difficult", "crowd"])
def test_what_does_not_count_is_neither_object_nor_background(kind: str) -> None:
    item = annotated([[20, 20, 90, 80]], **{kind: [True]})
    pixels: Any = np.zeros((96, 128, 3), np.uint8)
    views = Views([item], lambda _: pixels, 64, Meaning())
    seen = [views(0, np.random.default_rng(seed)) for seed in range(8)]
    assert not any(len(view.boxes) for view in seen)
    assert any(len(view.doubtful) for view in seen)


def test_boxes_are_those_of_the_picture_although_it_was_made_smaller() -> None:
    item = annotated([[0, 0, 128, 96]])
    pixels = np.zeros((48, 64, 3), np.uint8)
    views = Views([item], lambda _: pixels, 64, Meaning())
    view = views._single(0, (64, 64), np.random.default_rng(1))
    inside = (view.pixels == 0).all(axis=2)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    shown = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    boxes = np.concatenate([view.boxes, view.doubtful])
    np.testing.assert_allclose(boxes[0], shown, atol=1.5)

"""What is drawn onto a frame, and what is left as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.preview import color_of
from edgekit.vision.drawing import draw

cv2 = pytest.importorskip("cv2")

LABELS = ["ten", "jack"]
GRAY = 128


def ground(height: int = 240, width: int = 320) -> np.ndarray:
    return np.full((height, width, 3), GRAY, np.uint8)


def found(label: str, box: list[float] | None, **more: int) -> dict[str, object]:
    known = {"box": box} if box is not None else {}
    return {"label": label, "score": 0.9, **known, **more}


def test_a_box_has_the_colour_that_the_page_gives_it() -> None:
    pixels = ground()
    draw(pixels, [found("jack", [100, 80, 220, 200])], labels=LABELS)
    blue_first = color_of("jack", LABELS)[::-1]
    for x, y in [(160, 200), (100, 140), (220, 140)]:
        assert tuple(pixels[y, x]) == blue_first
    assert (pixels[120:180, 120:200] == GRAY).all(), "the object itself stays visible"


def test_nothing_found_and_nothing_to_tell_changes_nothing() -> None:
    pixels = ground()
    draw(pixels, [])
    assert (pixels == GRAY).all()


def test_a_finding_without_a_box_is_listed_at_the_left() -> None:
    pixels = ground()
    draw(pixels, [found("ten", None), found("jack", None)], labels=LABELS)
    changed = (pixels != GRAY).any(axis=2)
    assert changed[:40, :60].any()
    assert not changed[80:].any()


def test_times_stand_at_the_lower_edge() -> None:
    pixels = ground()
    draw(pixels, [], {"capture": 3.0, "inference": 20.5}, fps=31.0)
    changed = (pixels != GRAY).any(axis=2)
    assert changed[-10:].any()
    assert not changed[:-40].any()


@given(
    box=st.lists(st.floats(-1e9, 1e9), min_size=4, max_size=4),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    label=st.text(max_size=30),
)
def test_no_box_label_or_frame_size_is_too_odd(
    box: list[float], size: tuple[int, int], label: str
) -> None:
    pixels = ground(*size)
    draw(pixels, [found(label, box, id=3)], {"total": 1e6}, fps=1e-3)
    assert pixels.shape == (*size, 3)


def test_letters_that_opencv_lacks_are_written_in_those_it_has() -> None:
    plain, accented = ground(), ground()
    draw(plain, [found("Konigin", None)], labels=["Konigin"])
    draw(accented, [found("K\u00f6nigin", None)], labels=["K\u00f6nigin"])
    assert (plain == accented).all()

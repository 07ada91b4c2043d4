"""Laws of the drawn data set."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.errors import EdgekitError, UsageError
from edgekit_demos import shapes

seeds = st.integers(0, 2**32)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 20), seed=seeds)
def test_the_same_seed_gives_the_same_pixels(n: int, seed: int) -> None:
    x, y = shapes.draw(n, seed)
    again_x, again_y = shapes.draw(n, seed)
    np.testing.assert_array_equal(x, again_x)
    np.testing.assert_array_equal(y, again_y)
    assert x.dtype == np.uint8
    assert x.shape == (n, shapes.SIZE, shapes.SIZE, 3)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 40), seed=seeds)
def test_classes_differ_by_at_most_one_picture(n: int, seed: int) -> None:
    _, y = shapes.draw(n, seed)
    counts = np.bincount(y, minlength=len(shapes.CLASSES))
    assert counts.max() - counts.min() <= 1


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_different_seeds_share_no_picture(seed: int) -> None:
    first, _ = shapes.draw(6, seed)
    second, _ = shapes.draw(6, seed + 1)
    assert not {x.tobytes() for x in first} & {x.tobytes() for x in second}


@pytest.mark.parametrize("name", shapes.CLASSES)
def test_an_outline_holds_its_centre_and_ends_near_its_radius(name: str) -> None:
    outline = shapes._SHAPES[name]
    assert outline(np.zeros(1), np.zeros(1))[0] < 0
    angles = np.linspace(0, 2 * np.pi, 100)
    assert (outline(1.5 * np.cos(angles), 1.5 * np.sin(angles)) > 0).all()


def test_outlines_differ_in_area() -> None:
    v, u = np.mgrid[-1.5:1.5:0.01, -1.5:1.5:0.01]
    areas = sorted(
        float((outline(u, v) < 0).sum()) * 1e-4 for outline in shapes._SHAPES.values()
    )
    assert areas[0] > 0.9
    assert min(np.diff(areas)) > 0.01


def test_a_file_holds_what_was_drawn(tmp_path: Path) -> None:
    shapes.write_npz(tmp_path / "shapes.npz", 7, seed=3)
    x, y = shapes.draw(7, seed=3)
    with np.load(tmp_path / "shapes.npz") as data:
        np.testing.assert_array_equal(data["x"], x)
        np.testing.assert_array_equal(data["y"], y)


@pytest.mark.parametrize(("n", "seed"), [(0, 1), (5, -1)], ids=["no pictures", "negative seed"])
def test_impossible_wishes_are_refused(n: int, seed: int) -> None:
    with pytest.raises(UsageError, match="at least 1 picture"):
        shapes.draw(n, seed)


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    with pytest.raises(EdgekitError, match="Cannot write"):
        shapes.write_npz(tmp_path, 1, seed=0)

"""Anchors from the data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edgekit_converters.train.backbones import STRIDES
from edgekit_converters.train.detect.sizes import choose, cluster, overlap

pytestmark = pytest.mark.tf

Shapes = NDArray[np.float64]
shapes = st.integers(1, 60).flatmap(
    lambda n: arrays(np.float64, (n, 2), elements=st.floats(4, 300).map(lambda x: round(x, 1)))
)


@given(shapes, shapes)
def test_overlap_is_a_share_and_whole_for_equal_shapes(a: Shapes, b: Shapes) -> None:
    found = overlap(a, b)
    assert ((found > 0) & (found <= 1)).all()
    np.testing.assert_allclose(overlap(a, a).diagonal(), 1)
    np.testing.assert_allclose(found, overlap(b, a).T)


@given(shapes, st.integers(1, 9), st.integers(0, 3))
def test_anchors_lie_within_the_shapes_that_they_stand_for(
    drawn: Shapes, count: int, seed: int
) -> None:
    found = cluster(drawn, count, seed)
    assert len(found) == min(count, len(np.unique(drawn, axis=0)))
    assert (found >= drawn.min(axis=0) - 1e-9).all()
    assert (found <= drawn.max(axis=0) + 1e-9).all()
    assert (np.diff(found.prod(axis=1)) >= 0).all()


@given(shapes, st.integers(1, 9))
def test_levels_go_from_fine_to_coarse_and_hold_all_anchors(drawn: Shapes, count: int) -> None:
    levels = choose(drawn, count, 0)
    strides = [level.stride for level in levels]
    assert strides == sorted(set(strides))
    assert set(strides) <= set(STRIDES)
    assert sum(len(level.sizes) for level in levels) == min(
        count, len(np.unique(drawn, axis=0))
    )


def test_two_kinds_of_boxes_get_an_anchor_each() -> None:
    rng = np.random.default_rng(0)
    kinds = np.array([[40.0, 60.0], [200.0, 150.0]])[rng.integers(2, size=400)]
    (small,), (large,) = (
        level.sizes for level in choose(kinds * rng.uniform(0.95, 1.05, (400, 1)), 2, 0)
    )
    np.testing.assert_allclose(small, (40, 60), rtol=0.05)
    np.testing.assert_allclose(large, (200, 150), rtol=0.05)

"""Laws of masks and clusters, on any weights."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

pytest.importorskip("keras")

from edgekit.errors import EdgekitError
from edgekit_converters.prune.cluster import clustered
from edgekit_converters.prune.masks import MAKERS, Ranking, check

pytestmark = pytest.mark.tf

weights = st.floats(-4, 4, width=32)
shares = st.floats(0.01, 0.99)
rankings = st.sampled_from(["layer", "global"])


@st.composite
def kernels(draw: st.DrawFn, *, grouped: bool = False) -> list[NDArray[np.float32]]:
    """Draw kernels whose axis -2 holds the inputs."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        inputs = draw(st.integers(1, 3)) * 4 if grouped else draw(st.integers(1, 9))
        front = draw(st.sampled_from([(), (3,), (3, 3)]))
        shape = (*front, inputs, draw(st.integers(1, 5)))
        found.append(draw(arrays.arrays(np.float32, shape, elements=weights)))
    return found


def masked(kind: str, values: list[Any], share: float, ranking: Ranking) -> list[Any]:
    axes = [-2] * len(values)
    masks = MAKERS[kind](values, axes, share, ranking)
    return [value * mask for value, mask in zip(values, masks, strict=True)]


@given(kernels(), shares)
def test_magnitude_drops_exactly_the_share_and_the_smallest(
    values: list[Any], share: float
) -> None:
    for value, mask in zip(
        values, MAKERS["magnitude"](values, [-2] * len(values), share, "layer"), strict=True
    ):
        assert (~mask).sum() == round(share * value.size)
        if mask.any() and not mask.all():
            assert np.abs(value[~mask]).max() <= np.abs(value[mask]).min()


@given(kernels(), shares)
def test_globally_the_share_is_that_of_all_kernels(values: list[Any], share: float) -> None:
    found = MAKERS["magnitude"](values, [-2] * len(values), share, "global")
    sizes = sum(mask.size for mask in found)
    assert sum(int((~mask).sum()) for mask in found) == round(share * sizes)
    assert [mask.shape for mask in found] == [value.shape for value in values]


def test_globally_no_kernel_is_at_a_disadvantage_for_its_scale() -> None:
    one = np.random.default_rng(0).normal(size=(16, 16))
    small, large = MAKERS["magnitude"]([one, 1000 * one], [-2, -2], 0.5, "global")
    np.testing.assert_array_equal(small, large)


def test_globally_a_kernel_with_much_to_spare_loses_more() -> None:
    """One that three quarters of its weights hardly matter to, one that is even."""
    rng = np.random.default_rng(0)
    even = rng.uniform(0.5, 1.0, (16, 16))
    spare = even * np.where(np.arange(16)[:, None] % 4, 0.01, 1.0)
    kept_even, kept_spare = MAKERS["magnitude"]([even, spare], [-2, -2], 0.5, "global")
    assert kept_spare.sum() < kept_even.sum()
    assert kept_spare[::4].any()


@given(kernels(grouped=True))
def test_exactly_two_of_four_inputs_go(values: list[Any]) -> None:
    for value, mask in zip(
        values, MAKERS["2:4"](values, [-2] * len(values), 0.5, "layer"), strict=True
    ):
        groups = np.moveaxis(mask, -2, -1).reshape(-1, 4)
        assert (groups.sum(axis=1) == 2).all()
        sizes = np.abs(np.moveaxis(value, -2, -1).reshape(-1, 4))
        least = np.where(groups, sizes, np.inf).min(axis=1)
        assert (np.where(groups, 0, sizes).max(axis=1) <= least).all()


@given(kernels(grouped=True), shares, rankings)
def test_blocks_go_as_a_whole(values: list[Any], share: float, ranking: Ranking) -> None:
    found = MAKERS["block"](values, [-2] * len(values), share, ranking)
    groups = [np.moveaxis(mask, -2, -1).reshape(-1, 4) for mask in found]
    assert all((group.all(axis=1) | ~group.any(axis=1)).all() for group in groups)
    if ranking == "global":
        groups = [np.concatenate(groups)]
    for group in groups:
        assert (~group[:, 0]).sum() == round(share * len(group))


@pytest.mark.parametrize("kind", sorted(MAKERS))
@given(values=kernels(grouped=True), pair=st.tuples(shares, shares).map(sorted), rank=rankings)
def test_what_is_zero_stays_zero_while_the_share_grows(
    kind: str, values: list[Any], pair: list[float], rank: Ranking
) -> None:
    """Kernels with a zero of their own may lose others first, hence none here."""
    values = [np.where(value == 0, np.float32(1), value) for value in values]
    first = masked(kind, values, pair[0], rank)
    second = masked(kind, first, pair[1], rank)
    for one, other in zip(first, second, strict=True):
        assert (other[one == 0] == 0).all()


@pytest.mark.parametrize("kind", sorted(MAKERS))
@given(values=kernels(grouped=True), share=shares, ranking=rankings)
def test_the_check_accepts_what_was_masked(
    kind: str, values: list[Any], share: float, ranking: Ranking
) -> None:
    share = 0.5 if kind == "2:4" else share
    check(kind, masked(kind, values, share, ranking), [-2] * len(values), share, ranking)


@pytest.mark.parametrize("kind", sorted(MAKERS))
@pytest.mark.parametrize("ranking", ["layer", "global"])
def test_the_check_notices_one_zero_too_few(kind: str, ranking: Ranking) -> None:
    value = np.random.default_rng(1).normal(size=(3, 8, 5))
    (pruned,) = masked(kind, [value], 0.5, ranking)
    place = np.argwhere(pruned == 0)[0]
    pruned[tuple(place)] = 1.0
    with pytest.raises(EdgekitError, match="lack 1 zeros"):
        check(kind, [pruned], [-2], 0.5, ranking)


@given(kernels(), st.integers(2, 12))
@example([np.array([[2.7460027e-14, -2.0]], np.float32)], 2)
def test_a_kernel_keeps_at_most_so_many_values_and_every_zero(
    values: list[Any], count: int
) -> None:
    for value in values:
        found, labels = clustered(value, count)
        assert len(np.unique(found)) <= count
        assert (found[value == 0] == 0).all()
        np.testing.assert_array_equal(labels == -1, value == 0)
        assert found.min() >= min(value.min(), 0)
        assert found.max() <= max(value.max(), 0)


def test_few_values_stay_as_they_are() -> None:
    value = np.array([[0.5, -1.0], [0.0, 0.5]], np.float32)
    found, _ = clustered(value, 3)
    np.testing.assert_array_equal(found, value)


def test_clusters_are_nearer_than_even_steps() -> None:
    value = np.random.default_rng(2).normal(size=4000).astype(np.float32)
    found, _ = clustered(value, 16)
    steps = np.linspace(value.min(), value.max(), 16)
    even = steps[np.abs(value[:, None] - steps).argmin(axis=1)]
    assert np.square(found - value).mean() < 0.7 * np.square(even - value).mean()

"""Range estimators: what they leave out, and that one bad sample ruins no model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pairs import Net, conv, dense, floats, pair_of

from edgekit_converters.quantize.chain.estimators import (
    ESTIMATORS,
    Histogram,
    estimate,
    histograms,
    unusual_samples,
)
from edgekit_converters.quantize.chain.improve import Wishes, improve
from edgekit_converters.quantize.chain.judge import Judge
from edgekit_converters.quantize.chain.ranges import changeable

SHAPE = (1, 6, 6, 2)


def histogram_of(*parts: Any) -> Histogram:
    made = Histogram()
    for part in parts:
        made.add(np.asarray(part, np.float32))
    return made


values = arrays(np.float32, st.integers(1, 50), elements=st.floats(-(2**20), 2**20, width=32))


@given(values, values)
@settings(max_examples=30, deadline=None)
def test_a_histogram_counts_all_in_any_order_and_keeps_the_ends(one: Any, other: Any) -> None:
    both, turned = histogram_of(one, other), histogram_of(other, one)
    assert both.counts.sum() == len(one) + len(other)
    assert np.array_equal(both.counts, turned.counts)
    assert both.low == min(one.min(), other.min(), 0)
    assert both.high == max(one.max(), other.max(), 0)


@given(values)
@settings(max_examples=20, deadline=None)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_range_lies_in_what_was_seen_and_holds_zero(name: str, seen: Any) -> None:
    made = histogram_of(seen)
    low, high = ESTIMATORS[name](made)
    assert made.low <= low <= 0 <= high <= made.high


def test_values_that_are_no_numbers_count_as_zero() -> None:
    made = histogram_of([1.0, np.nan, -np.inf, np.inf, -2.0])
    assert made.ends.tolist() == [[0, 1], [0, 0], [0, 0], [0, 0], [-2, 0]]
    assert (made.low, made.high, made.counts.sum()) == (-2.0, 1.0, 5)


@pytest.mark.parametrize(
    ("name", "highest"), [("minmax", 1000), ("p99.9", 5), ("p99.99", 5), ("mse", 950)]
)
def test_an_extreme_value_widens_the_range_at_most_so_far(name: str, highest: float) -> None:
    bell = np.random.default_rng(0).normal(0, 1, 100_000)
    _, high = ESTIMATORS[name](histogram_of(bell, [1000.0]))
    assert high <= highest


@pytest.mark.parametrize("name", ["mse", "kl"])
def test_the_end_of_a_relu6_stays(name: str) -> None:
    bell = np.clip(np.random.default_rng(0).normal(2, 3, 100_000), 0, 6)
    assert ESTIMATORS[name](histogram_of(bell)) == (0.0, 6.0)


def net() -> Net:
    rng = np.random.default_rng(0)
    return {
        "a": conv(rng.normal(0, 0.3, (8, 3, 3, 2)), rng.normal(0, 0.3, 8)),
        "b": conv(rng.normal(0, 0.3, (8, 3, 3, 8)), rng.normal(0, 0.3, 8), "a"),
        "c": dense(rng.normal(0, 0.1, (6, 288)), rng.normal(0, 0.3, 6), "b"),
    }


def pictures(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, (count, *SHAPE))


def chosen(samples: Any, held_out: Any, folder: Path) -> tuple[str, float]:
    """Return the last step that was kept, and the SQNR in dB on held-out samples."""
    pair = pair_of(net(), SHAPE, samples, border=True)
    original = pair.float_graph.file.data
    wishes = Wishes(equalize=False, estimator="auto")
    made = improve(original, pair.graph.file.data, named(samples), folder, wishes)
    kept = [step.name for step in made.steps if step.kept]
    return kept[-1], Judge(original, named(held_out), folder).nearness(made.model).sqnr_db


def named(samples: Any) -> list[dict[str, Any]]:
    return [{"x": each[0].astype(np.float32)} for each in samples]


def test_a_histogram_is_made_of_every_activation_that_can_change() -> None:
    pair = pair_of(net(), SHAPE, pictures(10, 0))
    found = histograms(pair, floats(pair, pictures(10, 0)))
    assert found.keys() == changeable(pair)
    tensors = pair.graph.main.tensors
    for index, (low, high) in estimate("minmax", found).items():
        span = tensors[index].scale[0] * 255
        assert high - low == pytest.approx(span, rel=1e-5)


def test_a_calibration_set_with_one_bad_sample_gives_about_as_good_a_model(
    tmp_path: Path,
) -> None:
    clean, held_out = pictures(40, 1), pictures(40, 2)
    bad = np.concatenate([clean[:1], 300 * pictures(1, 3), clean[1:]])
    _, wanted = chosen(clean, held_out, tmp_path)
    name, found = chosen(bad, held_out, tmp_path)
    assert name == "ranges by typical"
    assert found > wanted - 3


def test_the_bad_sample_is_found() -> None:
    samples = np.concatenate([pictures(40, 1), 300 * pictures(1, 3), pictures(9, 4)])
    pair = pair_of(net(), SHAPE, samples)
    assert unusual_samples(histograms(pair, floats(pair, samples))) == (40,)


def test_twice_the_calibration_data_make_no_model_worse(tmp_path: Path) -> None:
    samples, held_out = pictures(80, 1), pictures(40, 2)
    _, few = chosen(samples[:40], held_out, tmp_path)
    _, many = chosen(samples, held_out, tmp_path)
    assert many > few - 0.5

"""Published latencies: every file is whole, and what they say of other models."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.profiling.anchors import (
    LEAST_REACH,
    Anchor,
    anchored_targets,
    by_macs,
    guess,
    ratios,
    read_anchors,
)
from edgekit.targets import target_names


def anchor(macs: float | None, ms: float, model: str = "net", device: str = "board") -> Anchor:
    return Anchor(
        model=model,
        input="224",
        device=device,
        scheme="int8",
        threads=4,
        delegate="cpu",
        runtime="some runtime",
        latency_ms=ms,
        macs=macs,
        source="https://example.org/times",
        date="2022",
        licence="MIT",
    )


@pytest.mark.parametrize("target", anchored_targets())
def test_every_anchor_has_a_source_a_date_a_runtime_and_a_licence(target: str) -> None:
    found = read_anchors(target)
    assert target in target_names()
    assert found
    for each in found:
        assert each.source.startswith("https://")
        assert each.date
        assert each.runtime
        assert each.licence in {"MIT", "Apache-2.0", "BSD-3-Clause"}
        assert each.latency_ms > 0


def test_a_target_without_anchors_has_none() -> None:
    assert read_anchors("host") == ()


@given(macs=st.floats(1e6, 1e10), known=st.floats(1e7, 1e9), ms=st.floats(0.1, 1000))
def test_a_guess_is_a_range_that_widens_with_the_distance(
    macs: float, known: float, ms: float
) -> None:
    found = by_macs([anchor(known, ms)], macs)
    assert found is not None
    assert found.low_ms < found.latency_ms < found.high_ms
    reach = math.sqrt(found.high_ms / found.low_ms)
    assert reach >= LEAST_REACH * 0.999
    near = by_macs([anchor(known, ms)], known)
    assert near is not None
    assert near.latency_ms == pytest.approx(ms)
    assert math.sqrt(near.high_ms / near.low_ms) <= reach * 1.001


def test_anchors_without_macs_tell_nothing() -> None:
    assert by_macs([anchor(None, 5.0)], 1e8) is None
    assert by_macs([], 1e8) is None
    assert by_macs([anchor(1e8, 5.0)], 0.0) is None


def test_only_the_same_measurement_on_both_devices_gives_a_ratio() -> None:
    one = [anchor(None, 10.0, "a"), anchor(None, 30.0, "b")]
    other = [anchor(None, 5.0, "A"), anchor(None, 8.0, "c")]
    assert list(ratios(one, other).values()) == [0.5]


def test_a_raspberry_pi_4_is_about_twice_as_fast_as_a_3() -> None:
    found = sorted(
        ratios(read_anchors("raspberry-pi-3"), read_anchors("raspberry-pi-4")).values()
    )
    assert len(found) > 50
    assert 0.4 < found[len(found) // 2] < 0.7


def test_a_known_model_is_told_near_its_published_time() -> None:
    found = guess("raspberry-pi-4", 300e6, "float32", "cpu", 4)
    assert found is not None
    assert found.low_ms < 46.0 < found.high_ms  # MobileNetV2 at 224 pixels
    assert guess("raspberry-pi-4", 300e6, "float32", "cpu", 7) is None

"""Latency by target: how a number was obtained can be seen, not only read."""

from collections.abc import Callable
from typing import Any

import pytest
from reported import Reader, calibrated, difference, estimate, fleet, profile

Page = Callable[..., Reader]


def test_a_measurement_is_a_filled_bar_with_its_spread(page: Page) -> None:
    reader = page(profile())
    assert "1.25 ms" in reader.words
    assert "1.19 ms to 1.50 ms" in reader.words
    assert "ai-edge-litert 2.3.0, 2 threads" in reader.words
    assert len(reader.of("rect", "fill")) == len(reader.of("line", "reach")) == 1
    assert not reader.of("rect", "range")


@pytest.mark.parametrize("kind", ["calibrated", "estimated"])
def test_what_did_not_run_is_a_framed_range_with_a_tick(page: Page, kind: str) -> None:
    reader = page(estimate(kind))
    assert "about 30.00 ms" in reader.words
    assert "25.00 ms to 40.00 ms" in reader.words
    assert "TFLite 2.5, 4 threads" in reader.words
    assert len(reader.of("rect", f"range-{kind}")) == len(reader.of("line", "tick")) == 1
    assert len(reader.of("span", f"kind-{kind}")) == 1
    assert not reader.of("rect", "fill")


def test_bars_of_one_model_have_one_scale(page: Page) -> None:
    reader = page(profile(median=20.0), estimate())
    (filled,), (ranged,) = reader.of("rect", "fill"), reader.of("rect", "range")
    assert filled["width"] == "50.00%"
    assert (ranged["x"], ranged["width"]) == ("62.50%", "37.50%")


def test_the_origin_and_the_doubts_of_an_estimate_are_named(page: Page) -> None:
    words = page(estimate()).words
    assert "published times of other models (2021-05), by MACs" in words
    assert "https://example.org/times" in words
    assert "raspberry-pi-3: not timed there, or left to the host: GATHER." in words


def test_each_device_of_a_fleet_has_its_name_and_failures_are_told(page: Page) -> None:
    words = page(fleet()).words
    assert "kitchen" in words
    assert "attic was not measured: Host is down." in words


def test_a_comparison_shows_change_noise_and_verdict(page: Page) -> None:
    reader = page(difference())
    for text in ("1.00 ms", "1.30 ms", "+30.0 %", "2.5 %", "slower"):
        assert text in reader.words
    assert len(reader.of("span", "bad")) == 1


def test_a_calibration_shows_how_far_it_can_be_trusted(page: Page) -> None:
    words = page(calibrated()).words
    for text in ("Raspberry Pi 4 Model B", "391", "62", "87.0 %", "4.1 %"):
        assert text in words


@pytest.mark.parametrize("latency", [None, "fast", {"median": None}, 1e300, True])
def test_a_latency_that_is_no_number_has_a_dash(page: Page, latency: Any) -> None:
    reader = page({"kind": "estimated", "model": "cat.tflite", "latency_ms": latency})
    assert "–" in reader.words  # noqa: RUF001 (a dash in a table)

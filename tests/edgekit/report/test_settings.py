"""Threads, delegates and long runs as small plots."""

from collections.abc import Callable

from reported import Reader, thorough

Page = Callable[..., Reader]


def test_each_delegate_is_a_line_and_the_recommended_setting_has_a_ring(page: Page) -> None:
    reader = page(thorough())
    assert "Recommended, with a ring: cpu, 4 threads, 1.00 ms." in reader.words
    assert len(reader.of("circle", "ring")) == 1
    assert len(reader.of("polyline", "look-0")) >= 1
    assert reader.words.index("median, ms") < reader.words.index("builtin")
    assert "gpu, 1 threads: no GPU" in reader.words


def test_a_long_run_shows_latency_heat_and_clock(page: Page) -> None:
    reader = page(thorough())
    labels = {each["aria-label"] for each in reader.of("svg", "plot")}
    assert labels == {
        "median, ms by threads",
        "latency, ms by seconds",
        "°C by seconds",
        "clock, MHz by seconds",
    }
    assert (
        "500 runs in 300 s; the last fifth differs from the first by +36.0 %." in reader.words
    )
    assert "It is hot." in reader.words

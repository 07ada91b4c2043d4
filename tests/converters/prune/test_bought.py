"""What is said of a pruning that bought less speed than one may expect."""

import pytest

from edgekit.measure import Summary
from edgekit_converters.prune.amount import parse
from edgekit_converters.prune.bought import Side, advice


def _side(median_ms: float) -> Side:
    times = dict.fromkeys(("min", "p5", "median", "p95", "p99", "max"), median_ms)
    return Side(parameters=1, nonzero=1, macs=1, latency_ms=Summary(**times))


@pytest.mark.parametrize(
    ("amount", "after_ms", "said"),
    [
        pytest.param(
            "magnitude:0.8", 0.99, "No speed was bought: a run takes 0.99 ms", id="zeros"
        ),
        pytest.param("magnitude:0.8", 0.5, None, id="zeros, and faster all the same"),
        pytest.param(
            "latency:0.3@host", 0.81, "30% of the time were to go, and 19% went", id="less"
        ),
        pytest.param("latency:0.3@host", 0.72, None, id="nearly as asked"),
        pytest.param("channels:0.5", 1.0, None, id="no time was asked for"),
    ],
)
def test_less_speed_than_one_may_expect_is_said(
    amount: str, after_ms: float, said: str | None
) -> None:
    found = advice(parse(amount), _side(1.0), _side(after_ms))
    assert found is None if said is None else str(found).startswith(said)


def test_nothing_is_said_of_what_was_not_measured() -> None:
    unmeasured = Side(parameters=1, nonzero=1, macs=1)
    assert advice(parse("magnitude:0.8"), unmeasured, unmeasured) is None

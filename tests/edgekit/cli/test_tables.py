"""Numbers in words, and tables that survive a pipe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.cli import tables


def test_a_table_is_plain_and_at_most_80_columns_wide_in_a_pipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables.table(["name", "value"], [("x" * 200, 1), ("[bold]y", None)], numbers=["value"])
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 and line == line.rstrip() for line in shown.splitlines())
    assert "\x1b" not in shown
    assert "[bold]y" in shown
    assert shown.count("x") == 200


def test_facts_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    tables.facts([("known", 0), ("unknown", None), ("empty", "")])
    assert capsys.readouterr().out == "known  0\n"


@given(value=st.floats(0.001, 1e6))
def test_a_duration_keeps_two_digits_that_mean_something(value: float) -> None:
    shown = float(tables.milliseconds(value).removesuffix(" ms"))
    assert shown == pytest.approx(value, rel=0.06)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        pytest.param(tables.percent(0.8125), "81.2 %", id="percent"),
        pytest.param(tables.percent(None), "-", id="unknown"),
        pytest.param(tables.metric("sqnr_db", 19.96), "20.0 dB", id="decibel"),
        pytest.param(tables.size(12), "12 B", id="tiny"),
        pytest.param(tables.size(98496), "98.5 kB", id="small"),
        pytest.param(tables.size(4_200_000), "4.20 MB", id="large"),
        pytest.param(tables.size(0), "-", id="nothing"),
        pytest.param(tables.count(12_501_632), "12.5 M", id="millions"),
        pytest.param(tables.count(7), "7", id="few"),
        pytest.param(tables.shape([1, -1, 3]), "1x?x3", id="open shape"),
        pytest.param(tables.shape([]), "scalar", id="scalar"),
        pytest.param(tables.milliseconds(0.07881), "0.0788 ms", id="microseconds"),
        pytest.param(tables.milliseconds(1234.5), "1234 ms", id="seconds"),
    ],
)
def test_known_words(shown: str, text: str) -> None:
    assert shown == text

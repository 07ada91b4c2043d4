"""What a person reads about the steps of the chain."""

from typing import Any

import pytest

from edgekit_converters.cli.tables import show_steps


def artifact(left_alone: dict[str, str]) -> dict[str, Any]:
    step = {"agreement": 0.9, "divergence": 0.1, "sqnr_db": 20.0, "kept": True, "seconds": 1.0}
    names = ("nearest rounding", "bias correction")
    steps = [{**step, "name": name} for name in names]
    return {"scheme": "int8", "steps": steps, "left_alone": left_alone}


def test_layers_that_are_left_alone_are_named_once_a_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = dict.fromkeys(["a", "b", "c", "d", "e"], "shared") | {"f": "LSTM is not treated"}
    show_steps([artifact(left)])
    said = " ".join(capsys.readouterr().out.split())
    assert "bias correction" in said
    assert "left alone: a, b, c and 2 more (shared)" in said
    assert "left alone: f (LSTM is not treated)" in said


def test_where_all_are_treated_nothing_is_said_of_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_steps([artifact({})])
    assert "left alone" not in capsys.readouterr().out

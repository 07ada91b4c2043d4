"""Two measurements: noise is no change, a change is no noise."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import GateError, RecordError, UsageError
from edgekit.measure import summarize
from edgekit.profiling.diff import LEAST_NOISE, noise_of, profile_diff, verdict
from edgekit.records import to_json


def document(ms: list[float], **changed: Any) -> dict[str, Any]:
    return {
        "kind": "measured",
        "model": "models/net.tflite",
        "latency_ms": to_json(summarize(ms)),
        "runs": len(ms),
        "threads": 4,
        "runtime": "ai-edge-litert 2.3.0",
        "delegate": "cpu",
        "machine": {"board": "Made-up board", "cpu": None, "arch": "aarch64"},
    } | changed


CALM = [1.0] * 45 + [1.02] * 5


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "old.json", tmp_path / "new.json"


def write(files: tuple[Path, Path], old: Any, new: Any) -> None:
    for path, each in zip(files, (old, new), strict=True):
        path.write_text(json.dumps(each))


def scaled(factor: float) -> list[float]:
    return [factor * each for each in CALM]


@pytest.mark.parametrize(
    ("factor", "word"),
    [
        pytest.param(1.01, "same", id="less than sessions differ by"),
        pytest.param(1.1, "slower", id="slower"),
        pytest.param(0.8, "faster", id="faster"),
    ],
)
def test_a_change_beyond_the_noise_is_told(
    files: tuple[Path, Path], factor: float, word: str
) -> None:
    write(files, document(CALM), document(scaled(factor)))
    found = profile_diff(*files)
    assert found.verdict == word
    assert found.change_pct == pytest.approx(100 * (factor - 1))


def test_a_median_that_moved_alone_is_unclear(files: tuple[Path, Path]) -> None:
    busy = [1.0] * 10 + [1.5] * 40
    write(files, document(CALM), document(busy))
    assert profile_diff(*files, fail_if_slower=5).verdict == "unclear"


@given(spread=st.floats(0, 1), runs=st.integers(1, 1000))
def test_noise_grows_with_the_spread_and_never_falls_below_the_least(
    spread: float, runs: int
) -> None:
    calm, wild = summarize([1.0]), summarize([1.0, 1.0 + spread])
    assert noise_of((calm, runs), (calm, runs)) == LEAST_NOISE
    assert noise_of((wild, runs), (wild, runs)) >= noise_of((wild, runs + 1), (wild, runs))


@given(change=st.floats(-0.9, 9), fast=st.floats(-0.9, 9), noise=st.floats(0.02, 0.5))
def test_the_verdict_turns_round_with_the_sign_of_the_change(
    change: float, fast: float, noise: float
) -> None:
    turned = {"slower": "faster", "faster": "slower", "same": "same", "unclear": "unclear"}
    assert verdict(-change, -fast, noise) == turned[verdict(change, fast, noise)]


def test_the_gate_fails_with_the_document(files: tuple[Path, Path]) -> None:
    write(files, document(CALM), document(scaled(1.2)))
    assert profile_diff(*files, fail_if_slower=25).verdict == "slower"
    with pytest.raises(GateError, match=r"Slower by more than 10 %: net.tflite by 20.0 %") as e:
        profile_diff(*files, fail_if_slower=10)
    assert e.value.exit_code == 5
    assert e.value.document is not None
    assert e.value.document["verdict"] == "slower"


def test_the_gate_needs_one_machine(files: tuple[Path, Path]) -> None:
    other = {"board": "Another board", "cpu": None, "arch": "aarch64"}
    write(files, document(CALM), document(scaled(1.2), machine=other, threads=1))
    notes = profile_diff(*files).models[0].notes
    assert notes == (
        "threads: 4 before, 1 after.",
        "Measured on Made-up board, aarch64 before, on Another board, aarch64 after.",
    )
    with pytest.raises(UsageError, match="needs one machine"):
        profile_diff(*files, fail_if_slower=5)


def test_of_several_models_the_worst_counts(files: tuple[Path, Path]) -> None:
    names = ("a.tflite", "b.tflite", "c.tflite")
    old = {"profiles": [document(CALM, model=name) for name in names[:2]]}
    new = {
        "profiles": [
            document(scaled(1.3), model=names[1]),
            document(CALM, model=names[0]),
            document(CALM, model=names[2]),
        ]
    }
    write(files, old, new)
    found = profile_diff(*files)
    assert [each.verdict for each in found.models] == ["same", "slower"]
    assert (found.verdict, round(found.change_pct)) == ("slower", 30)
    assert found.notes == ("c.tflite is in one of the files only.",)


@pytest.mark.parametrize(
    ("old", "error", "words"),
    [
        pytest.param([1, 2], RecordError, "not what", id="another document"),
        pytest.param({"kind": "measured"}, RecordError, "not what", id="incomplete"),
        pytest.param(
            document(CALM, kind="estimated"), RecordError, "cannot show a change", id="estimate"
        ),
        pytest.param(
            {"profiles": [document(CALM, model="x"), document(CALM, model="y")]},
            UsageError,
            "no model in common",
            id="other models",
        ),
        pytest.param(document([0.0] * 3), RecordError, "cannot be compared", id="no time"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    files: tuple[Path, Path], old: Any, error: type[Exception], words: str
) -> None:
    write(files, old, document(CALM))
    with pytest.raises(error, match=words):
        profile_diff(*files)

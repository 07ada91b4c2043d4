"""Logs of the compiler: of every version, of success and failure, and of nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.placement.edgetpu import statuses
from edgekit.placement.edgetpu.log import LogRow, read_log

TABLE = f"""\
Operator                       Count      Status

RESHAPE                        1          {statuses.UNSPECIFIED}
RESHAPE                        5          Mapped to Edge TPU
CUSTOM                         1          Operation is working on an unsupported data type
"""
LOG = f"""\
Edge TPU Compiler version 2.0.291256449
Input: a model.tflite
Output: a model_edgetpu.tflite

{TABLE}"""
PRINTED = f"""\
Edge TPU Compiler version 16.0.384591198
Started a compilation timeout timer of 180 seconds.

Model compiled successfully in 96 ms.

Input model: a.tflite
Input size: 7.02MiB
Output model: a_edgetpu.tflite
Output size: 7.14MiB
On-chip memory used for caching model parameters: 6.08MiB
On-chip memory remaining for caching model parameters: 1.75KiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 7
Operation log: a_edgetpu.log

Model successfully compiled but not all operations are supported by the Edge TPU.
Number of operations that will run on Edge TPU: 5
Number of operations that will run on CPU: 2

{TABLE}
Compilation child process completed within timeout period.
Compilation succeeded!
"""


def test_a_log_says_how_many_of_each_kind_went_where() -> None:
    found = read_log(LOG)
    assert found.version == "2.0.291256449"
    assert found.rows == (
        LogRow(op="RESHAPE", count=1, status=statuses.UNSPECIFIED),
        LogRow(op="RESHAPE", count=5, status=statuses.MAPPED),
        LogRow(op="CUSTOM", count=1, status=statuses.WRONG_TYPE),
    )
    assert (found.mapped, found.left, found.failure) == (5, 2, "")
    assert found.statuses("RESHAPE") == (statuses.UNSPECIFIED,)


def test_what_is_printed_says_more() -> None:
    found = read_log(PRINTED)
    assert found.rows == read_log(LOG).rows
    assert found.cached_bytes == round(6.08 * 2**20)
    assert found.remaining_bytes == 1792
    assert found.streamed_bytes == 0
    assert found.subgraphs == 1
    assert found.failure == ""


def test_of_several_attempts_the_last_counts() -> None:
    assert read_log(f"{PRINTED}\n{LOG}").rows == read_log(LOG).rows


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        pytest.param(
            "ERROR: Restored original execution plan after delegate application failure.\n"
            "Compilation failed: Compilation failed due to large activation tensors in model.\n"
            "Compilation child process completed within timeout period.\n"
            "Compilation failed! \n",
            "Compilation failed due to large activation tensors in model.",
            id="activations",
        ),
        pytest.param(
            "ERROR: Attempting to use a delegate that only supports static-sized tensors with "
            "a graph that has dynamic-sized tensors.\n"
            "Compilation failed: Model failed in Tflite interpreter. Please ensure model can "
            "be loaded/run in Tflite interpreter.\n"
            "Compilation failed! \n",
            "Attempting to use a delegate that only supports static-sized tensors with "
            "a graph that has dynamic-sized tensors.",
            id="open sizes",
        ),
        pytest.param(
            "ERROR: Didn't find op for builtin opcode 'CONV_2D' version '6'\n"
            "ERROR: Registration failed.\n\nCompilation failed!",
            "Didn't find op for builtin opcode 'CONV_2D' version '6'",
            id="version",
        ),
        pytest.param(
            "Invalid model: a.tflite\nModel not quantized\n", "Model not quantized", id="float"
        ),
        pytest.param(
            "\nInternal compiler error. Aborting!\n",
            "Internal compiler error. Aborting!",
            id="internal",
        ),
        pytest.param("Compilation failed!\n", "Compilation failed!", id="silent"),
    ],
)
def test_a_failure_is_told_in_the_compilers_most_telling_words(said: str, failure: str) -> None:
    found = read_log(f"Edge TPU Compiler version 16.0.384591198\n{said}")
    assert found.failure == failure
    assert found.rows == ()


@pytest.mark.parametrize("text", ["", "hello\n", "Operator Count Status\n", "1.2.3\n"])
def test_what_is_no_log_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"x\.log is no log of edgetpu_compiler"):
        read_log(text, "x.log")


@given(text=st.text())
def test_any_text_is_a_log_or_refused(text: str) -> None:
    for content in (text, f"Edge TPU Compiler version 1\n{text}"):
        try:
            found = read_log(content)
        except InputError:
            continue
        assert found.mapped >= 0
        assert found.left >= 0


@pytest.mark.data
def test_the_real_logs_agree_with_the_models_they_are_about(data_dir: Path) -> None:
    from collections import Counter

    from edgekit.flatbuffer import Graph

    paths = sorted((data_dir / "edgetpu").rglob("*.log"))
    assert len(paths) > 50
    compared = 0
    for path in paths:
        log = read_log(path.read_text(encoding="utf-8"), path.name)
        assert log.version
        assert log.rows
        assert log.failure == ""
        original = path.with_name(path.name.replace("_edgetpu.log", ".tflite"))
        if original.exists():
            counts = Counter(op.op for op in Graph(original).ops)
            logged: Counter[str] = Counter()
            for row in log.rows:
                logged[row.op] += row.count
            assert counts == logged
            compared += 1
    assert compared > 20

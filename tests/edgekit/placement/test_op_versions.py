"""Which runtime knows which version of an operator."""

import os
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import UnknownName
from edgekit.flatbuffer import Graph
from edgekit.placement import op_version_problems, version_table, who_knows
from edgekit.placement.op_versions import version_tables


def test_there_is_a_table_for_each_runtime() -> None:
    assert list(version_tables()) == ["litert-2.3", "tflite-2.14", "edgetpu-16"]
    assert all(table.evidence for table in version_tables().values())


@pytest.mark.parametrize(
    ("table", "op", "version", "known"),
    [
        # Measured with whole models: converted by TensorFlow 2.21, run in tflite-runtime 2.14.
        pytest.param("tflite-2.14", "CONV_2D", 3, True, id="int8 convolution"),
        pytest.param("tflite-2.14", "FULLY_CONNECTED", 9, True, id="dense, per tensor"),
        pytest.param("tflite-2.14", "FULLY_CONNECTED", 12, False, id="dense, dynamic range"),
        pytest.param("tflite-2.14", "RESIZE_BILINEAR", 3, True, id="resize"),
        pytest.param("tflite-2.14", "GELU", 2, True, id="gelu"),
        pytest.param("litert-2.3", "FULLY_CONNECTED", 12, True, id="dense, dynamic, LiteRT"),
        pytest.param("edgetpu-16", "CONV_2D", 3, True, id="compiler"),
        pytest.param("edgetpu-16", "CONV_2D", 6, False, id="grouped convolution"),
        pytest.param("edgetpu-16", "RELU", 9, True, id="nothing known against it"),
    ],
)
def test_known_versions(table: str, op: str, version: int, known: bool) -> None:
    assert version_table(table).knows(op, version) is known


def test_the_later_runtime_knows_all_that_the_earlier_one_does() -> None:
    later, earlier = version_table("litert-2.3"), version_table("tflite-2.14")
    assert [op for op, v in earlier.ops.items() if not later.knows(op, v)] == []


def test_a_problem_names_the_operator_the_limit_and_a_remedy(graph: Any, op: Any) -> None:
    made = graph(
        [
            op(op="FULLY_CONNECTED", inputs="x w", outputs="a", version=12),
            op(op="FULLY_CONNECTED", inputs="a w", outputs="b", version=12),
            op(op="RELU", inputs="b", outputs="y"),
        ]
    )
    (words,) = op_version_problems(made, "tflite-2.14")
    assert "FULLY_CONNECTED version 12 is used 2 times" in words
    assert "tflite-runtime 2.14.0 knows it up to version" in words
    assert "--scheme int8" in words
    assert op_version_problems(made, "litert-2.3") == []


def test_a_custom_operator_is_a_problem_where_it_is_not_carried(graph: Any, op: Any) -> None:
    made = graph(
        [
            op(op="TFLite_Detection_PostProcess", inputs="x", outputs="a"),
            op(op="MyLayer", inputs="a", outputs="y"),
        ]
    )
    (words,) = op_version_problems(made, "litert-2.3")
    assert "MyLayer" in words


def test_the_runtimes_that_know_an_operator_come_first() -> None:
    words = who_knows("FULLY_CONNECTED", 12)
    assert words.startswith("ai-edge-litert 2.3.0 knows FULLY_CONNECTED up to version")
    assert "tflite-runtime 2.14.0 knows FULLY_CONNECTED up to version" in words


def test_an_unknown_table_is_refused(graph: Any, op: Any) -> None:
    with pytest.raises(UnknownName, match=r"Known: litert-2\.3, tflite-2\.14, edgetpu-16"):
        op_version_problems(graph([op(op="RELU", inputs="x", outputs="y")]), "tflite-1")


@pytest.mark.parametrize("op_name", ["RELU", "CONV_2D", "FULLY_CONNECTED", "CALL"])
def test_the_table_is_what_the_installed_interpreter_says(
    tmp_path: Path, graph: Any, op: Any, op_name: str
) -> None:
    from edgekit.runtime.backends import open_backend

    backend = open_backend()
    table = next(
        (
            t
            for t in version_tables().values()
            if t.title == f"{backend.name} {backend.version}"
        ),
        None,
    )
    if table is None:
        pytest.skip(f"there is no table of {backend.name} {backend.version}")
    made = graph(
        [op(op=op_name, inputs="x", outputs="y", version=table.ops.get(op_name, 0) + 1)]
    )
    path = tmp_path / "later.tflite"
    path.write_bytes(made.file.data)
    with pytest.raises(ValueError, match="Didn't find op for builtin opcode"):
        backend.interpreter(model_path=os.fspath(path), num_threads=1)


@pytest.mark.data
def test_what_runs_here_has_no_problem(data_dir: Path) -> None:
    folder = data_dir / "models/tflite/mlperf_tiny"
    assert [
        problem
        for path in sorted(folder.rglob("*.tflite"))
        for table in ("litert-2.3", "tflite-2.14")
        for problem in op_version_problems(Graph(path), table)
    ] == []

"""Vela's output is read as it stands, and Vela itself is asked where it is installed."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import CrashError, MissingExtra, TargetError, UsageError
from edgekit.flatbuffer import Graph, Table, pack
from edgekit.inspection import inspect
from edgekit.placement import ethos, place
from edgekit.targets import load_target

TARGET = load_target("ethos-u55-128")

PRINTED = """\
Tensor 'x' has a dynamic signature in axis 0. Setting shape axis 0 to 1 and proceeding.
Warning (supported operators) operator: FULLY_CONNECTED, ofm: 'a;b/c'
Reason: Operation has tensor with unsupported DataType Float32 (act)
Feature-map dataTypes must be one of {"INT16", "INT8"}
Warning (supported operators) operator: CAST, ofm: 'y'
Reason: Unsupported opType

Network summary for model
"""


@pytest.fixture
def vela() -> str:
    """Return the real compiler, or skip."""
    found = ethos.find_vela()
    if found is None:
        pytest.skip("Vela is not installed, and EDGEKIT_VELA names none")
    return found


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts a shell script in Vela's place."""

    def make(body: str) -> Path:
        script = tmp_path / "vela"
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        monkeypatch.setenv(ethos.VARIABLE, str(script))
        return script

    return make


def _quantized(made: Graph, *, names: bool = True) -> bytes:
    """Pack a graph with a step of 0.5 for every tensor, and its names on request."""
    for tensor in made.file.model.subgraphs[0].tensors:
        tensor.quantization = Table(
            "QuantizationParameters",
            scale=np.array([0.5], np.float32),
            zero_point=np.zeros(1, np.int64),
        )
        tensor.name = tensor.name if names else ""
    return pack(made.file.model)


def _model(graph: Any, op: Any) -> bytes:
    """Return an addition that the NPU takes, and an operator that stays behind."""
    made = [op(op="ADD", inputs="x x", outputs="a"), op(op="ROUND", inputs="a", outputs="y")]
    return _quantized(graph(made))


def test_reasons_are_read_by_the_name_of_the_output() -> None:
    assert ethos.refusals(PRINTED) == {
        "a;b/c": "Operation has tensor with unsupported DataType Float32 (act)",
        "y": "Unsupported opType",
    }


def test_the_pieces_of_an_operator_count_as_that_operator() -> None:
    rows = [
        {"Original Operator": kind, "Op Cycles": cycles, "Name": name}
        for kind, cycles, name in [
            ("Conv2D", "100", "conv"),
            ("Conv2D", "0", "conv"),
            ("Softmax", "7", "conv_softmax_0"),
            ("Softmax", "8.4", "conv_softmax_1"),
            ("Softmax", "1", "y"),
            ("Mean", "5", "pool"),
            ("Mean", "2", "pool_rest"),
            ("Rsqrt", "9", "nobody's"),
        ]
    ]
    found = ethos.cycles_by_output(rows, {"conv", "y", "pool"})
    assert found == {"conv": 100, "y": 16, "pool": 7}


def test_without_the_compiler_floats_are_the_cpu_s_and_the_rest_is_uncertain(
    graph: Any, op: Any, tensor: Any
) -> None:
    made = graph(
        [op(op="ADD", inputs="x x", outputs="a"), op(op="DEQUANTIZE", inputs="a", outputs="y")],
        y=tensor(dtype="float32"),
    )
    assert [each.placement for each in place(made, TARGET)] == ["uncertain", "cpu"]


def test_a_missing_compiler_is_said_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ethos, "find_vela", lambda: None)
    with pytest.raises(MissingExtra, match=r"edgekit\[ethos\].*EDGEKIT_VELA"):
        ethos.compile_for(b"", "model.tflite", TARGET)


def test_a_variable_that_names_no_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ethos.VARIABLE, "/nowhere/vela")
    with pytest.raises(UsageError, match=r"EDGEKIT_VELA names /nowhere/vela"):
        ethos.find_vela()


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        pytest.param(
            "echo 'RuntimeError: Compilation failed: Error: LSTM tfl.lstm is invalid'\n"
            "echo ' - IFM must be INT8'; exit 1",
            TargetError,
            r"cannot compile model\.tflite: LSTM tfl\.lstm is invalid - IFM must be INT8",
            id="refused",
        ),
        pytest.param(
            "echo one; kill -11 $$", CrashError, r"code -11.*\n.*\n.*\| one", id="dead"
        ),
        pytest.param("exit 0", CrashError, r"wrote no \*_vela\.tflite", id="silent"),
        pytest.param(
            "echo 'Error: Invalid Config section Nope'; exit 1",
            TargetError,
            r"\[npu\] of the target.*Config section Nope",
            id="configuration",
        ),
    ],
)
def test_a_failure_is_told_in_the_compiler_s_words(
    graph: Any, op: Any, stand_in: Any, body: str, error: Any, words: str
) -> None:
    stand_in(body)
    with pytest.raises(error, match=words):
        ethos.compile_for(_model(graph, op), "model.tflite", TARGET)


def test_the_real_compiler_takes_an_addition_and_leaves_the_rest(
    graph: Any, op: Any, vela: str
) -> None:
    content = _model(graph, op)
    found = ethos.compile_for(content, "model.tflite", TARGET)
    first, second = found.ops
    assert (first.placement, second.placement) == ("npu", "cpu")
    assert first.cycles
    assert second.reason == "Unsupported opType"
    assert ethos.is_compiled(Graph(found.content))
    said = subprocess.run([vela, "--version"], capture_output=True, text=True, check=True)
    assert found.estimate.compiler == f"ethos-u-vela {said.stdout.strip()}"
    assert found.estimate.latency_ms == pytest.approx(
        found.estimate.cycles / (found.estimate.clock_mhz * 1e3)
    )


def test_inspect_tells_placement_cycles_and_estimate(
    graph: Any, op: Any, vela: str, tmp_path: Path
) -> None:
    assert vela
    path = tmp_path / "model.tflite"
    path.write_bytes(_model(graph, op))
    found = inspect(path, target=TARGET.name)
    assert [(each.placement, each.cycles is None) for each in found.ops] == [
        ("npu", False),
        ("cpu", True),
    ]
    assert found.npu is not None
    assert (found.npu.kind, found.npu.accelerator) == ("estimated", TARGET.name)
    path.write_bytes(ethos.compile_for(path.read_bytes(), path.name, TARGET).content)
    again = inspect(path, target=TARGET.name)
    assert [each.op for each in again.ops] == [ethos.NPU_OP, "ROUND"]
    assert again.warnings == ()
    assert "runs only there" in inspect(path).warnings[0]


def test_tensors_without_names_are_told_apart_all_the_same(
    graph: Any, op: Any, vela: str
) -> None:
    assert vela
    made = graph(
        [op(op="ADD", inputs="x x", outputs="a"), op(op="ADD", inputs="a a", outputs="y")]
    )
    found = ethos.compile_for(_quantized(made, names=False), "model.tflite", TARGET)
    assert [each.placement for each in found.ops] == ["npu", "npu"]
    assert all(each.cycles for each in found.ops)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "left"),
    [
        pytest.param("visual_wake_words/trained_models/vww_96_int8.tflite", 0, id="vww"),
        pytest.param("keyword_spotting/trained_models/kws_ref_model.tflite", 0, id="kws"),
        pytest.param(
            "keyword_spotting/trained_models/kws_ref_model_float32.tflite", 13, id="f"
        ),
    ],
)
def test_cycles_of_the_operators_add_up_to_the_whole_where_the_npu_has_them_all(
    name: str, left: int, vela: str, data_dir: Path
) -> None:
    assert vela
    path = data_dir / "models/tflite/mlperf_tiny" / name
    found = ethos.compile_for(path.read_bytes(), path.name, TARGET)
    assert sum(each.placement == "cpu" for each in found.ops) == left
    total = sum(each.cycles or 0 for each in found.ops)
    assert total == pytest.approx(found.estimate.cycles, rel=0.05)

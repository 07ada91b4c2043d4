"""Times of operators of real models: rows, sums, and the other way where one fails."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import small

from edgekit import guard
from edgekit.errors import CrashError, EdgekitError, InputError, UnknownName, UsageError
from edgekit.flatbuffer.graph import Graph
from edgekit.profiling.perop.measure import per_op
from edgekit.profiling.perop.records import OVERHEAD, OpTime

HAS_LITERT = importlib.util.find_spec("ai_edge_litert") is not None
needs_litert = pytest.mark.skipif(not HAS_LITERT, reason="ai-edge-litert is not installed")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(small.dense_model(64))
    return path


def check(ops: tuple[OpTime, ...], path: Path) -> None:
    graph = Graph(path)
    assert [each.index for each in ops] == [*(op.index for op in graph.ops), OVERHEAD]
    assert [each.op for each in ops[:-1]] == [op.op for op in graph.ops]
    assert sum(each.share for each in ops) == pytest.approx(1.0)
    assert all(each.ms >= 0 for each in ops)
    assert ops[0].macs == 3 * 64
    assert ops[0].name == "logits"


@needs_litert
def test_the_runtime_tells_the_kernel_of_each_operator(model: Path) -> None:
    ops, about = per_op(model, threads=1, runs=20, method="profiler")
    check(ops, model)
    assert (about.method, about.runs, about.threads, about.partitions) == ("profiler", 20, 1, 1)
    assert "Fully Connected" in ops[0].kernel
    assert ops[0].delegated
    total = about.ops_ms + about.overhead_ms
    assert about.difference == pytest.approx(total / about.whole_ms - 1)
    assert about.difference >= -1e-9  # the overhead is what is left of the whole


@needs_litert
def test_operators_too_short_for_microseconds_are_run_alone(model: Path) -> None:
    ops, about = per_op(model, threads=1, runs=20)
    check(ops, model)
    assert (about.method, about.partitions) == ("cut", 1)
    assert "whole microseconds" in about.notes[0]
    assert "Fully Connected" in ops[0].kernel


def test_each_operator_alone_needs_no_profiler(model: Path) -> None:
    ops, about = per_op(model, threads=1, runs=20, method="cut")
    check(ops, model)
    assert (about.method, about.partitions, about.notes[:0]) == ("cut", None, ())
    assert about.runs == 20


@needs_litert
def test_the_other_way_is_taken_where_the_profiler_fails(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = guard.call

    def call(function: str, **arguments: Any) -> Any:
        if function.endswith("tell:worker"):
            msg = "The process died from SIGILL.\nMore words."
            raise CrashError(msg)
        return real(function, **arguments)

    monkeypatch.setattr(guard, "call", call)
    ops, about = per_op(model, threads=1, runs=5)
    check(ops, model)
    assert about.method == "cut"
    assert "could not be used: The process died from SIGILL." in about.notes[0]
    with pytest.raises(CrashError):
        per_op(model, threads=1, runs=5, method="profiler")


def test_an_operator_that_the_runtime_dies_of_is_left_out(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = guard.call

    def call(function: str, **arguments: Any) -> Any:
        if "1" not in arguments["skip"]:
            arguments["hear"](1)
            msg = "The process died from SIGSEGV."
            raise CrashError(msg)
        return real(function, **arguments)

    monkeypatch.setattr(guard, "call", call)
    ops, about = per_op(model, threads=1, runs=5, method="cut")
    assert ops[1].ms == 0
    assert "1 SOFTMAX (the runtime dies of it)" in about.notes[0]


def test_a_death_that_is_no_operators_fault_is_told(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*_: object, **__: object) -> None:
        msg = "The process ran out of memory."
        raise CrashError(msg)

    monkeypatch.setattr(guard, "call", call)
    with pytest.raises(CrashError, match="out of memory"):
        per_op(model, method="cut")


def test_other_delegates_have_no_profiler(model: Path) -> None:
    with pytest.raises(UsageError, match="not the delegate builtin"):
        per_op(model, delegate="builtin", method="profiler")
    _, about = per_op(model, delegate="builtin", runs=5)
    assert about.method == "cut"


def test_an_unknown_way_is_refused(model: Path) -> None:
    with pytest.raises(UnknownName, match="Known: auto, profiler, cut"):
        per_op(model, method="guess")  # type: ignore[arg-type]


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.tflite"
    path.write_text("text")
    with pytest.raises(InputError):
        per_op(path)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "method"),
    [
        pytest.param("face_detection_front", "auto", id="float16 weights"),
        pytest.param("trained_lstm", "cut", id="a recurrent model"),
        pytest.param(
            "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29", "cut", id="boxes at its end"
        ),
    ],
)
def test_real_models_give_a_time_for_every_operator(
    data_dir: Path, name: str, method: Any
) -> None:
    path = next(data_dir.rglob(f"{name}.tflite"))
    try:
        ops, about = per_op(path, threads=1, runs=5, method=method)
    except EdgekitError as error:
        pytest.fail(str(error))
    assert len(ops) == len(Graph(path).ops) + 1
    assert not any("Could not be run" in note for note in about.notes)

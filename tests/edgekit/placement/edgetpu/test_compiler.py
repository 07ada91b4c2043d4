"""Running the compiler, with a program in its place that writes what the real one does."""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import edgetpu_stand_in
import pytest
from edgetpu_stand_in import HEAD, SUCCESS

from edgekit.errors import CrashError, InputError, TargetError, UsageError
from edgekit.flatbuffer import Graph
from edgekit.inspection import inspect
from edgekit.placement.edgetpu import predict, statuses
from edgekit.placement.edgetpu.compiler import (
    PROGRAM,
    compare,
    compile_model,
    find_compiler,
    truth,
    was_mapped,
)
from edgekit.placement.edgetpu.report import compile_for, report

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")

Make = Callable[..., Path]


@pytest.fixture
def stand_in(tmp_path: Path) -> Make:
    """Return the function that writes a program that behaves like the compiler."""
    return partial(edgetpu_stand_in.stand_in, tmp_path / PROGRAM)


@pytest.fixture
def model(tmp_path: Path, graph: Any, op: Any) -> Path:
    """Return a model of RELU and TANH."""
    made = graph(
        [op(op="RELU", inputs="x", outputs="a"), op(op="TANH", inputs="a", outputs="y")]
    )
    path = tmp_path / "m.tflite"
    path.write_bytes(made.file.data)
    return path


@pytest.fixture
def compiled(tmp_path: Path, graph: Any, op: Any) -> Path:
    """Return it as if only RELU had been taken; its package is left out."""
    made = graph(
        [
            op(op="edgetpu-custom-op", inputs="x", outputs="a"),
            op(op="TANH", inputs="a", outputs="y"),
        ]
    )
    path = tmp_path / "ready.tflite"
    path.write_bytes(made.file.data)
    return path


def test_prediction_and_truth_are_compared_operator_by_operator(
    tmp_path: Path, model: Path, compiled: Path, stand_in: Make
) -> None:
    done = compile_model(model, tmp_path, stand_in(SUCCESS, writes=compiled))
    assert done.path == tmp_path / "m_edgetpu.tflite"
    assert (done.failure, done.log.cached_bytes) == ("", 2048)
    graph = Graph(model)
    found = truth(graph, done)
    assert [place for place, _ in found] == ["edgetpu", "cpu"]
    compared = compare(graph, predict(graph), found)
    assert (compared.ops, compared.right, compared.uncertain) == (2, 1, 0)
    (wrong,) = compared.mismatches
    assert (wrong.index, wrong.op, wrong.predicted, wrong.found) == (
        1,
        "TANH",
        "edgetpu",
        "cpu",
    )
    assert wrong.status == statuses.UNSPECIFIED


def test_an_uncertain_operator_is_no_mismatch(model: Path) -> None:
    graph = Graph(model)
    compared = compare(graph, [("uncertain", ""), ("cpu", "")], [("edgetpu", ""), ("cpu", "")])
    assert (compared.right, compared.uncertain, compared.mismatches) == (1, 1, ())


def test_inspect_shows_what_the_compiler_did(
    model: Path, compiled: Path, stand_in: Make
) -> None:
    program = stand_in(SUCCESS, writes=compiled)
    found = inspect(model, target="coral-usb", edgetpu_compiler=str(program))
    assert [op.placement for op in found.ops] == ["edgetpu", "cpu"]
    assert found.ops[1].reason == statuses.UNSPECIFIED
    assert found.compiler is not None
    assert found.compiler.version == "16.0.384591198"
    assert [each.op for each in found.compiler.comparison.mismatches] == ["TANH"]
    without = inspect(model, target="coral-usb", edgetpu_compiler="none")
    assert without.compiler is None
    assert [op.placement for op in without.ops] == ["edgetpu", "edgetpu"]


def test_the_compiler_on_the_path_is_found(
    monkeypatch: pytest.MonkeyPatch, model: Path, compiled: Path, stand_in: Make
) -> None:
    program = stand_in(SUCCESS, writes=compiled)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    assert find_compiler() == program
    assert find_compiler("none") is None
    monkeypatch.chdir(program.parent)
    assert find_compiler(f"./{PROGRAM}") == program
    assert report(model, Graph(model), "edgetpu-16").compiler is not None


def test_a_compiler_that_is_not_there_is_refused_only_if_it_was_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() is None
    with pytest.raises(UsageError, match=r"--edgetpu-compiler /no/such: there is no such"):
        find_compiler("/no/such")


@pytest.mark.parametrize(
    ("said", "code", "failure"),
    [
        pytest.param(
            f"{HEAD}\nCompilation failed: Compilation failed due to large activation tensors "
            "in model.\nCompilation failed!",
            1,
            "Compilation failed due to large activation tensors in model.",
            id="with words",
        ),
        pytest.param(HEAD, 139, "it ended with code 139 and wrote no file", id="crash"),
        pytest.param(HEAD, 0, "it ended with code 0 and wrote no file", id="no file"),
    ],
)
def test_a_refusal_is_told_and_leaves_everything_on_the_cpu(
    tmp_path: Path, model: Path, stand_in: Make, said: str, code: int, failure: str
) -> None:
    program = stand_in(said, code=code)
    done = compile_model(model, tmp_path, program)
    assert (done.path, done.failure) == (None, failure)
    assert {place for place, _ in truth(Graph(model), done)} == {"cpu"}
    with pytest.raises(TargetError, match=r"refuses m\.tflite"):
        compile_for(model.read_bytes(), "m.tflite", "edgetpu-16", program)


def test_a_compiler_that_says_nothing_of_its_kind_is_refused(
    tmp_path: Path, model: Path, stand_in: Make
) -> None:
    with pytest.raises(InputError, match="is no log of edgetpu_compiler"):
        compile_model(model, tmp_path, stand_in("hello"))


def test_a_compiler_that_hangs_is_stopped_with_all_that_it_started(
    tmp_path: Path, model: Path, stand_in: Make
) -> None:
    late = tmp_path / "late"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(late)!r}).touch()"
    hang = f"subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    program = stand_in(HEAD, first=hang)
    start = time.monotonic()
    with pytest.raises(CrashError, match=r"did not end within 0\.5 s and was stopped"):
        compile_model(model, tmp_path, program, timeout_s=0.5)
    assert time.monotonic() - start < 30
    time.sleep(2.5)
    assert not late.exists()


def test_what_is_no_program_is_told(tmp_path: Path, model: Path) -> None:
    program = tmp_path / "broken"
    program.write_bytes(b"\x7fELF nothing")
    program.chmod(0o755)
    with pytest.raises(CrashError, match="cannot be started"):
        compile_model(model, tmp_path, program)


def test_a_kept_file_comes_with_where_its_operators_are(
    model: Path, compiled: Path, stand_in: Make
) -> None:
    content, told, verdicts = compile_for(
        model.read_bytes(), "m.tflite", "edgetpu-16", stand_in(SUCCESS, writes=compiled)
    )
    assert content == compiled.read_bytes()
    assert [place for place, _ in verdicts] == ["edgetpu", "cpu"]
    assert told.failure is None


@pytest.mark.data
def test_real_pairs_go_through_it_unchanged(
    tmp_path: Path, data_dir: Path, stand_in: Make
) -> None:
    folder = data_dir / "edgetpu/asr_demo/tflite_model"
    original, made = folder / "ASR_Model.tflite", folder / "ASR_Model_edgetpu.tflite"
    log = (folder / "ASR_Model_edgetpu.log").read_text()
    done = compile_model(original, tmp_path, stand_in(log, writes=made))
    graph = Graph(original)
    assert done.failure == ""
    assert all(was_mapped(graph, Graph(made)))
    compared = compare(graph, predict(graph), truth(graph, done))
    assert (compared.right, compared.mismatches) == (12, ())

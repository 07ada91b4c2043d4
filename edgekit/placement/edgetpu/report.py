"""All that can be said of a model on the Edge TPU: predicted, or as the compiler does it."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import TargetError
from edgekit.flatbuffer import Graph
from edgekit.placement.edgetpu.checks import Verdict
from edgekit.placement.edgetpu.compiler import (
    Comparison,
    Compilation,
    compare,
    compile_model,
    find_compiler,
    truth,
)
from edgekit.placement.edgetpu.log import LogRow
from edgekit.placement.edgetpu.memory import Memory, estimate
from edgekit.placement.edgetpu.prediction import is_compiled, predict


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerReport:
    """What the real compiler did, and how the prediction compares.

    Attributes:
        program: The program that was run.
        version: What it calls its version.
        failure: Why it made no file, in its words; None if it did.
        seconds: How long it took.
        log: Its operators by kind and status.
        cached_bytes: Parameters that stay on the chip; None if it does not say.
        streamed_bytes: Parameters that are streamed; None if it does not say.
        comparison: The prediction beside it.
    """

    program: str
    version: str
    failure: str | None
    seconds: float
    log: tuple[LogRow, ...]
    cached_bytes: int | None
    streamed_bytes: int | None
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Where the operators of a model run, and what becomes of its parameters.

    Attributes:
        verdicts: For each operator its place and why: the compiler's where it was run.
        memory: The parameters; None if nothing is on the Edge TPU, or it was compiled.
        compiler: What the real compiler did; None where it was not run.
    """

    verdicts: tuple[Verdict, ...]
    memory: Memory | None
    compiler: CompilerReport | None


def report(path: Path, graph: Graph, op_versions: str, compiler: str | None = None) -> Report:
    """Predict, and run the real compiler where there is one.

    Args:
        path: The .tflite file.
        graph: What it holds.
        op_versions: Table of the versions that the compiler knows.
        compiler: Its path, `none` to do without, or None to look on the PATH.

    Raises:
        UsageError: There is no such program.
        CrashError: The compiler does not end in time, or cannot be started.
        InputError: It says nothing that can be understood.
    """
    predicted = predict(graph, op_versions)
    program = find_compiler(compiler)
    if is_compiled(graph):
        return Report(verdicts=tuple(predicted), memory=None, compiler=None)
    if program is None:
        return Report(
            verdicts=tuple(predicted), memory=_memory(graph, predicted), compiler=None
        )
    with tempfile.TemporaryDirectory() as folder:
        done = compile_model(path.resolve(), Path(folder), program)
        found = truth(graph, done)
    return Report(
        verdicts=tuple(found),
        memory=_memory(graph, found),
        compiler=_sum_up(program, done, compare(graph, predicted, found)),
    )


def compile_for(
    content: bytes, name: str, op_versions: str, program: Path
) -> tuple[bytes, CompilerReport, tuple[Verdict, ...]]:
    """Compile a model that is to be kept.

    Args:
        content: The model.
        name: What its file is called.
        op_versions: Table of the versions that the compiler knows.
        program: The compiler.

    Returns:
        The compiled file, what the compiler did, and where it put each operator.

    Raises:
        TargetError: The compiler refuses the model.
        CrashError: It does not end in time, or cannot be started.
        InputError: It says nothing that can be understood.
    """
    graph = Graph(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        done = compile_model(path, Path(folder), program)
        if done.path is None:
            msg = (
                f"{program.name} refuses {name}: {done.failure}\n"
                "Give --edgetpu-compiler none to get the file that it was given."
            )
            raise TargetError(msg)
        found = truth(graph, done)
        compared = compare(graph, predict(graph, op_versions), found)
        return done.path.read_bytes(), _sum_up(program, done, compared), tuple(found)


def _sum_up(program: Path, done: Compilation, comparison: Comparison) -> CompilerReport:
    return CompilerReport(
        program=str(program),
        version=done.log.version,
        failure=done.failure or None,
        seconds=round(done.seconds, 3),
        log=done.log.rows,
        cached_bytes=done.log.cached_bytes,
        streamed_bytes=done.log.streamed_bytes,
        comparison=comparison,
    )


def _memory(graph: Graph, verdicts: Sequence[Verdict]) -> Memory | None:
    if all(place == "cpu" for place, _ in verdicts):
        return None
    return estimate(graph, verdicts)

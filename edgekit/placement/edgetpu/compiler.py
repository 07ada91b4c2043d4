"""The real Edge TPU compiler where it is installed, and how a prediction compares with it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import CrashError, UsageError
from edgekit.flatbuffer import Graph
from edgekit.placement.edgetpu import statuses
from edgekit.placement.edgetpu.checks import Verdict
from edgekit.placement.edgetpu.log import CompilerLog, read_log
from edgekit.placement.edgetpu.prediction import COMPILED

PROGRAM = "edgetpu_compiler"
NOT_WANTED = "none"
TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """What came of running the compiler.

    Attributes:
        path: The compiled file; None if the compiler made none.
        log: What it said.
        failure: Why it made none, in its own words; '' if it did.
        seconds: How long it took.
    """

    path: Path | None
    log: CompilerLog
    failure: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """An operator that is elsewhere than was predicted.

    Attributes:
        index: Its number.
        op: Its kind.
        predicted: `edgetpu` or `cpu`.
        found: Where the compiler put it.
        reason: Why it was predicted so.
        status: The compiler's words.
    """

    index: int
    op: str
    predicted: str
    found: str
    reason: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A prediction beside what the compiler did.

    Attributes:
        ops: Operators.
        right: Predicted as the compiler did it.
        uncertain: Left open by the prediction.
        mismatches: Predicted otherwise.
    """

    ops: int
    right: int
    uncertain: int
    mismatches: tuple[Mismatch, ...]


def find_compiler(wish: str | None = None) -> Path | None:
    """Find the compiler.

    Args:
        wish: Path of the program, `none` to do without, or None to look on the PATH.

    Returns:
        Its path; None if it is not wanted, or not there and not asked for by path.

    Raises:
        UsageError: There is no such program.
    """
    if wish == NOT_WANTED:
        return None
    found = shutil.which(wish or PROGRAM)
    if found is None and wish is not None:
        msg = (
            f"--edgetpu-compiler {wish}: there is no such program.\n"
            f"Give the path of {PROGRAM}, or '{NOT_WANTED}' to do without it."
        )
        raise UsageError(msg)
    return Path(found).absolute() if found else None


def compile_model(
    model: Path, folder: Path, compiler: Path, *, timeout_s: float = TIMEOUT_S
) -> Compilation:
    """Run the compiler on a model, in a child process.

    Args:
        model: The .tflite file.
        folder: Where the compiled file and the log go.
        compiler: The program.
        timeout_s: How long it may take.

    Raises:
        CrashError: It did not end in time, or could not be started.
        InputError: It wrote nothing that can be understood.
    """
    command = [os.fspath(compiler), "-s", "-o", os.fspath(folder), os.fspath(model)]
    start = time.monotonic()
    code, said = _run(command, folder, timeout_s)
    made = folder / f"{model.stem}_edgetpu.tflite"
    written = made.with_suffix(".log")
    more = written.read_text(encoding="utf-8", errors="replace") if written.exists() else ""
    log = read_log(f"{said}\n{more}", f"What {compiler.name} printed")
    failure = log.failure
    if not failure and (code or not made.exists()):
        failure = f"it ended with code {code} and wrote no file"
    return Compilation(
        path=None if failure else made,
        log=log,
        failure=failure,
        seconds=time.monotonic() - start,
    )


def was_mapped(original: Graph, compiled: Graph) -> tuple[bool, ...]:
    """Say of each operator of a model whether it went to the Edge TPU.

    It did if no operator that is left over makes one of its outputs.
    """
    left = {
        compiled.main.tensors[i].name
        for op in compiled.ops
        if op.custom_code != COMPILED
        for i in op.outputs
        if i >= 0
    }
    names = [tensor.name for tensor in original.main.tensors]
    return tuple(all(names[i] not in left for i in op.outputs if i >= 0) for op in original.ops)


def truth(original: Graph, done: Compilation) -> list[Verdict]:
    """Say where the compiler put each operator, in its own words."""
    if done.path is None:
        return [("cpu", f"the compiler refused the whole model: {done.failure}")] * len(
            original.ops
        )
    mapped = was_mapped(original, Graph(done.path))
    return [
        ("edgetpu", statuses.MAPPED) if here else ("cpu", _status(done.log, op.op))
        for op, here in zip(original.ops, mapped, strict=True)
    ]


def compare(
    original: Graph, predicted: Sequence[Verdict], found: Sequence[Verdict]
) -> Comparison:
    """Lay a prediction beside what the compiler did, operator by operator."""
    pairs = list(zip(original.ops, predicted, found, strict=True))
    return Comparison(
        ops=len(pairs),
        right=sum(guess[0] == fact[0] for _, guess, fact in pairs),
        uncertain=sum(guess[0] == "uncertain" for _, guess, _ in pairs),
        mismatches=tuple(
            Mismatch(
                index=op.index,
                op=op.custom_code or op.op,
                predicted=guess[0],
                found=fact[0],
                reason=guess[1],
                status=fact[1],
            )
            for op, guess, fact in pairs
            if guess[0] not in {"uncertain", fact[0]}
        ),
    )


def _status(log: CompilerLog, op: str) -> str:
    """The compiler's words for operators of a kind; it does not say which is which."""
    return " or ".join(log.statuses(op)) or "the compiler's log says nothing of it"


def _run(command: Sequence[str], folder: Path, timeout_s: float) -> tuple[int, str]:
    """Run a program and all that it starts, and end it all when the time is over."""
    with tempfile.TemporaryFile() as output:
        try:
            child = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            msg = f"{command[0]} cannot be started: {error.strerror or error}."
            raise CrashError(msg) from error
        try:
            code = child.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            msg = (
                f"{command[0]} did not end within {timeout_s:g} s and was stopped.\n"
                f"Leave it out with --edgetpu-compiler {NOT_WANTED}, or compile by hand."
            )
            raise CrashError(msg) from error
        finally:
            _end(child)
        output.seek(0)
        return code, output.read().decode("utf-8", errors="replace")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child with all that it started."""
    if child.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
        child.wait()

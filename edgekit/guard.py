"""Run a function in a child process, so that what it opens cannot hurt this one.

Native code may segfault or abort on a file from outside, or on a model that it cannot
convert; a child that dies becomes one `CrashError`. Arguments and result are JSON, the
child's progress and log messages are shown here, its own output is kept for the crash
report. The other end is `edgekit.guarded`.
"""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from edgekit import errors, progress
from edgekit.errors import CrashError, EdgekitError
from edgekit.records import to_json

_LAST_WORDS = 12  # lines of the child's own output that a crash report shows
_DAMAGED = "The file may be damaged, or holds something that native code cannot handle."
# The child takes edgekit, and nothing else, from where this process did: another interpreter
# has libraries of its own. Nothing comes from the working folder (-P).
_BEGIN = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("edgekit", sys.argv[1])
sys.modules["edgekit"] = package = module_from_spec(spec)
spec.loader.exec_module(package)
from edgekit.guarded import main
main()
"""
_log = logging.getLogger(__name__)


def call(
    function: str,
    *,
    doing: str,
    timeout_s: float | None = None,
    memory_mb: int | None = None,
    python: str = sys.executable,
    **arguments: Any,
) -> Any:
    """Run `module:function(**arguments)` in a child process and return its result.

    Args:
        function: `package.module:name`; what it returns must be a record or plain JSON.
        doing: What is being done, for messages, e.g. `converting model.keras`.
        timeout_s: Seconds after which the child is ended, or None for no limit.
        memory_mb: Address space the child may use, in MiB, or None for no limit.
        python: Interpreter to run the child with; another one than this process has must
            bring all that edgekit needs but edgekit itself.
        **arguments: Records or plain JSON values.

    Raises:
        EdgekitError: What the child raised, of the same class and with the same text.
        CrashError: The child died, ran out of memory or out of time.
    """
    job = {
        "function": function,
        "arguments": to_json(arguments),
        "doing": doing,
        "memory_mb": memory_mb,
        "log_level": logging.getLogger("edgekit").getEffectiveLevel(),
        "path": [entry for entry in sys.path if entry] if python == sys.executable else [],
    }
    with tempfile.TemporaryFile() as noise:
        with _child(python, noise) as child, _deadline(child, timeout_s) as late:
            answer, hint = _converse(child, job)
        if answer is None and late.is_set():
            msg = f"The process {doing} did not end within {timeout_s:g} s and was stopped."
            raise CrashError(msg)
        if answer is None:
            raise CrashError(_obituary(doing, child.returncode, hint, _last_words(noise)))
    if "result" in answer:
        return answer["result"]
    raise _error(answer["error"])


@contextlib.contextmanager
def _child(python: str, noise: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child in a session of its own and never leave it behind."""
    child = subprocess.Popen(
        [python, "-P", "-c", _BEGIN, str(Path(__file__).resolve().with_name("__init__.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if _log.isEnabledFor(logging.DEBUG) else noise,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


@contextlib.contextmanager
def _deadline(
    child: subprocess.Popen[bytes], timeout_s: float | None
) -> Iterator[threading.Event]:
    """End the child when its time is over; the event says that it was."""
    late = threading.Event()
    if timeout_s is None:
        yield late
        return

    def end() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(timeout_s, end)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _converse(
    child: subprocess.Popen[bytes], job: dict[str, Any]
) -> tuple[dict[str, Any] | None, str]:
    """Send the job, show progress and messages.

    Returns:
        answer: The child's last message, or None if it never came.
        hint: What the child said it was about to do, for the case that it dies.
    """
    answer, hint = None, _DAMAGED
    with _relayed_progress() as relay:
        for message in _messages(child, job):
            kind = message.pop("kind")
            if kind == "log":
                logging.getLogger(message["name"]).log(message["level"], message["text"])
            elif kind == "hint":
                hint = message["text"] or _DAMAGED
            elif kind == "answer":
                answer = message
            else:
                relay(kind, message)
    return answer, hint


@contextlib.contextmanager
def _relayed_progress() -> Iterator[Callable[[str, dict[str, Any]], None]]:
    """Show the child's tasks as ours, and end those that a dead child left open."""
    display = progress.display()
    depth = 0

    def relay(kind: str, content: dict[str, Any]) -> None:
        nonlocal depth
        depth += {"begin": 1, "end": -1}.get(kind, 0)
        getattr(display, kind)(**content)

    try:
        yield relay
    finally:
        for _ in range(depth):
            display.end()


def _messages(child: subprocess.Popen[bytes], job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Send the job and yield what comes back until the child closes its end."""
    if child.stdin is None or child.stdout is None:  # both were asked for as pipes
        return
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
    for line in child.stdout:
        if line.endswith(b"\n"):  # else the child died while it spoke
            yield json.loads(line)
    child.wait()


def _error(message: dict[str, Any]) -> EdgekitError:
    """Rebuild the child's error: its class by name, its text and its document."""
    kind = getattr(errors, message["class"], EdgekitError)
    error: EdgekitError = kind.__new__(kind)
    error.args = (message["text"],)
    if "document" in message:
        error.document = message["document"]  # type: ignore[attr-defined] # a GateError
    return error


def _last_words(noise: IO[bytes]) -> list[str]:
    noise.seek(0)
    lines = noise.read().decode(errors="replace").splitlines()
    return [line for line in lines if line.strip()][-_LAST_WORDS:]


def _obituary(doing: str, code: int, hint: str, report: list[str]) -> str:
    """Say how the child ended, in words."""
    if code < 0:
        name = signal.Signals(-code).name
        how = f"died from {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    else:
        how = f"ended with code {code} before it gave a result"
    tail = "".join(f"\n  | {line}" for line in report)
    words = f"\nIts last words:{tail}" if tail else ""
    return f"The process {doing} {how}. Nothing was written.\n{hint}{words}"

"""Run a function in a child process, so that what it opens cannot hurt this one.

Native code may segfault or abort on a file from outside, or on a model that it cannot
convert; a child that dies becomes one `CrashError`. Arguments and result are JSON, the
child's progress and log messages are shown here, its own output is kept for the crash
report. Long work, such as a live demo, may send news on the way, and ends early by itself
when Ctrl-C asks it to. The other end is `edgekit.guarded`.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    hear: Callable[[Any], None] | None = None,
    grace_s: float | None = None,
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
        hear: Gets what the child tells on the way (`guarded.tell`), in this thread.
        grace_s: After Ctrl-C the child is asked to end (`guarded.end_wanted`), and has so
            many seconds; what it then answers is returned. None ends it at once.
        **arguments: Records or plain JSON values.

    Raises:
        EdgekitError: What the child raised, of the same class and with the same text.
        CrashError: The child died, ran out of memory or out of time.
        KeyboardInterrupt: Ctrl-C, and no answer within `grace_s`.
    """
    here = python == sys.executable
    wanted = job(
        function,
        arguments,
        doing=doing,
        memory_mb=memory_mb,
        path=[entry for entry in sys.path if entry] if here else [],
    )
    package = Path(__file__).resolve().with_name("__init__.py")
    ending = converse(
        [python, "-P", "-c", _BEGIN, str(package)],
        wanted,
        timeout_s=timeout_s,
        hear=hear,
        grace_s=grace_s,
    )
    if ending.answer is None and ending.late:
        msg = f"The process {doing} did not end within {timeout_s:g} s and was stopped."
        raise CrashError(msg)
    if ending.answer is None:
        raise CrashError(_obituary(doing, ending))
    return result(ending.answer)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a conversation with a child ended.

    Attributes:
        answer: Its last message, for `result`; None if it never came.
        code: Its exit code, negative for a signal.
        late: Whether its time was over.
        hint: What it said about dying where it died.
        last_words: The last lines of its own output.
    """

    answer: dict[str, Any] | None
    code: int
    late: bool
    hint: str
    last_words: tuple[str, ...]


def job(
    function: str,
    arguments: Mapping[str, Any],
    *,
    doing: str,
    memory_mb: int | None = None,
    path: Sequence[str] = (),
) -> dict[str, Any]:
    """Describe a job as `edgekit.guarded` reads it.

    Args:
        function: As in `call`.
        arguments: As in `call`.
        doing: As in `call`.
        memory_mb: As in `call`.
        path: What comes first in the child's `sys.path`.
    """
    return {
        "function": function,
        "arguments": to_json(dict(arguments)),
        "doing": doing,
        "memory_mb": memory_mb,
        "log_level": logging.getLogger("edgekit").getEffectiveLevel(),
        "path": list(path),
    }


def converse(
    command: Sequence[str],
    wanted: Mapping[str, Any],
    *,
    timeout_s: float | None = None,
    hear: Callable[[Any], None] | None = None,
    grace_s: float | None = None,
) -> Ending:
    """Start a program whose other end is `edgekit.guarded`, and listen until it ends.

    Args:
        command: The program, e.g. a Python, or an ssh that starts one elsewhere.
        wanted: What it is to do: a `job`.
        timeout_s: As in `call`.
        hear: As in `call`.
        grace_s: As in `call`.

    Raises:
        KeyboardInterrupt: Ctrl-C, and no answer within `grace_s`.
    """
    with tempfile.TemporaryFile() as noise:
        with _child(command, noise) as child, _deadline(child, timeout_s) as late:
            _send(child, wanted)
            answer, hint = _converse(child, hear, grace_s)
        words = tuple(_last_words(noise))
        return Ending(answer, child.returncode, late.is_set(), hint, words)


def result(answer: Mapping[str, Any]) -> Any:
    """Return what a child answered.

    Raises:
        EdgekitError: What the child raised, of the same class and with the same text.
    """
    if "result" in answer:
        return answer["result"]
    raise _error(answer["error"])


@contextlib.contextmanager
def _child(command: Sequence[str], noise: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child in a session of its own and never leave it behind."""
    child = subprocess.Popen(
        command,
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


def _send(child: subprocess.Popen[bytes], wanted: Mapping[str, Any]) -> None:
    if child.stdin is not None:  # it was asked for as a pipe
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(json.dumps(wanted).encode() + b"\n")
            child.stdin.flush()


def _converse(
    child: subprocess.Popen[bytes],
    hear: Callable[[Any], None] | None,
    grace_s: float | None,
) -> tuple[dict[str, Any] | None, str]:
    """Listen until the child ends, or until Ctrl-C and for its time of grace."""
    try:
        with _relayed_progress() as relay:
            return _listen(child, hear, relay)
    except KeyboardInterrupt:
        if grace_s is None:
            raise
        answer, hint = _let_end(child, hear, grace_s)
        if answer is None:
            raise
        return answer, hint
    except OSError:  # nobody reads the news any more
        _let_end(child, None, grace_s or 0)
        raise


def _let_end(
    child: subprocess.Popen[bytes], hear: Callable[[Any], None] | None, grace_s: float
) -> tuple[dict[str, Any] | None, str]:
    """Ask the child to end, and listen until it does or its time is over."""
    if child.stdin is not None:
        child.stdin.close()
    with _deadline(child, grace_s):
        return _listen(child, hear, lambda kind, content: None)  # noqa: ARG005 (no display)


def _listen(
    child: subprocess.Popen[bytes],
    hear: Callable[[Any], None] | None,
    relay: Callable[[str, dict[str, Any]], None],
) -> tuple[dict[str, Any] | None, str]:
    """Show progress and messages.

    Returns:
        answer: The child's last message, or None if it never came.
        hint: What the child said it was about to do, for the case that it dies.
    """
    answer, hint = None, _DAMAGED
    for message in _messages(child):
        kind = message.pop("kind")
        if kind == "log":
            logging.getLogger(message["name"]).log(message["level"], message["text"])
        elif kind == "hint":
            hint = message["text"] or _DAMAGED
        elif kind == "news":
            if hear is not None:
                hear(message["content"])
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


def _messages(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Yield what comes back until the child closes its end."""
    if child.stdout is None:  # it was asked for as a pipe
        return
    for line in child.stdout:
        if line.endswith(b"\n"):  # else the child died while it spoke
            # What Ctrl-C came in the middle of is no message, nor is what a login prints.
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict) and "kind" in message:
                    yield message
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


def _obituary(doing: str, ending: Ending) -> str:
    """Say how the child ended, in words."""
    if ending.code < 0:
        name = signal.Signals(-ending.code).name
        how = f"died from {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    else:
        how = f"ended with code {ending.code} before it gave a result"
    tail = "".join(f"\n  | {line}" for line in ending.last_words)
    words = f"\nIts last words:{tail}" if tail else ""
    return f"The process {doing} {how}. Nothing was written.\n{ending.hint}{words}"

"""The child's end of `edgekit.guard`: read one job, do it, answer in JSON lines.

`main` is all that the child runs. The real standard output is the channel to the
parent; what libraries print goes to standard error.
"""

import contextlib
import ctypes
import importlib
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import IO, Any

from edgekit import progress
from edgekit.errors import EdgekitError, InputError
from edgekit.extras import explain
from edgekit.records import to_json


class Channel:
    """Messages to the parent, one JSON document a line."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._turn = threading.Lock()

    def send(self, kind: str, **content: object) -> None:
        """Send one message; any thread may."""
        line = json.dumps({"kind": kind, **content}) + "\n"
        with self._turn:
            self._pipe.write(line)
            self._pipe.flush()

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Tell the parent that a task begins."""
        self.send("begin", label=label, total=total, unit=unit)

    def advance(self, steps: int) -> None:
        """Tell the parent how far it is."""
        self.send("advance", steps=steps)

    def level(self, share: float, text: str) -> None:
        """Tell the parent how high something stands."""
        self.send("level", share=share, text=text)

    def end(self) -> None:
        """Tell the parent that the task ends."""
        self.send("end")


class Forward(logging.Handler):
    """Log messages to the parent."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self._channel.send(
            "log", name=record.name, level=record.levelno, text=record.getMessage()
        )


_channel: Channel | None = None


@contextlib.contextmanager
def if_it_dies(hint: str) -> Iterator[None]:
    """Leave a hint with the parent for the case that this process dies meanwhile.

    Outside a guarded child it does nothing.

    Args:
        hint: What is known about such deaths and what to do, as full sentences.
    """
    if _channel is not None:
        _channel.send("hint", text=hint)
    yield
    if _channel is not None:
        _channel.send("hint", text="")


def tell(content: object) -> None:
    """Send news to the parent, to what it gave as `hear`.

    Args:
        content: A record or plain JSON values.
    """
    if _channel is not None:
        _channel.send("news", content=to_json(content))


def end_wanted(then: Callable[[], None] | None = None) -> threading.Event:
    """Return an event that is set when the parent wants this work to end early.

    That is after Ctrl-C there, if the parent gives a time of grace. Call it once. Outside a
    guarded child it never is.

    Args:
        then: Called when it is, in a thread of its own.
    """
    wanted = threading.Event()

    def wait() -> None:
        sys.stdin.read()  # nothing more comes; it ends when the parent closes its end
        wanted.set()
        if then is not None:
            then()

    if _channel is not None:
        threading.Thread(target=wait, name="end wanted", daemon=True).start()
    return wanted


def main() -> None:
    """Do the job that standard input describes."""
    global _channel  # noqa: PLW0603 (one process has one parent)
    _channel = channel = Channel(_take_stdout())
    _die_with_parent()
    job = json.loads(sys.stdin.readline())
    sys.path[:] = job["path"] + [entry for entry in sys.path if entry not in job["path"]]
    _limit_memory(job["memory_mb"])
    for package in ("edgekit", "edgekit_converters", "edgekit_demos"):
        logger = logging.getLogger(package)
        logger.addHandler(Forward(channel))
        logger.setLevel(job["log_level"])
    progress.show_on(channel)
    answer = _answer(job)
    channel.send(**answer)
    sys.stderr.flush()
    # Interpreter libraries may crash while they are torn down; the answer is already out.
    os._exit(0)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    module, _, name = job["function"].partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(**job["arguments"])
        return {"kind": "answer", "result": to_json(result)}
    except EdgekitError as error:
        return {"kind": "answer", "error": _describe(error)}
    except ImportError as error:
        told = explain(error, f"finish {job['doing']}")
        return {"kind": "answer", "error": _describe(told) if told else _blunder(error)}
    except MemoryError:
        text = "There is not enough memory for this input; is the file damaged?"
        return {"kind": "answer", "error": {"class": InputError.__name__, "text": text}}
    except Exception as error:  # noqa: BLE001 (the border of the process: everything must be told)
        return {"kind": "answer", "error": _blunder(error)}


def _blunder(error: Exception) -> dict[str, Any]:
    """Describe an error that nobody meant."""
    traceback.print_exc()
    logging.getLogger(__name__).info("%s", traceback.format_exc())
    text = (
        f"Unexpected {type(error).__name__}: {error}\n"
        "This is a defect of edgekit or of a library it uses; "
        "run again with --debug to see where."
    )
    return {"class": EdgekitError.__name__, "text": text}


def _describe(error: EdgekitError) -> dict[str, Any]:
    described: dict[str, Any] = {"class": type(error).__name__, "text": str(error)}
    if hasattr(error, "document"):
        described["document"] = to_json(error.document)
    return described


def _take_stdout() -> IO[str]:
    """Keep the pipe to the parent for messages; prints of others go to standard error."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe


def _die_with_parent() -> None:
    """Ask Linux to end this process when its parent ends, however that happens."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _limit_memory(memory_mb: int | None) -> None:
    if memory_mb is not None and sys.platform != "win32":
        import resource

        size, hard = memory_mb * 2**20, resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard != resource.RLIM_INFINITY:
            size = min(size, hard)
        resource.setrlimit(resource.RLIMIT_AS, (size, size))

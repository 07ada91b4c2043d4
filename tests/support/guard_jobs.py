"""What test_guard.py runs in child processes."""

import ctypes
import logging
import os
import sys
import time
from pathlib import Path

from edgekit import guard, guarded, progress
from edgekit.errors import EdgekitError, GateError, SourceError, UnknownName


def echo(value: object) -> object:
    return value


def noisy(count: int) -> int:
    for i in range(count):
        sys.stdout.write(f'{{"kind": "answer", "result": {i}}}\n')
    os.write(1, b"native code writes here\n")
    os.write(2, b"and here\n")
    return count


def refuse(kind: str) -> None:
    made: dict[str, EdgekitError] = {
        "source": SourceError("line one\nline two"),
        "unknown": UnknownName("target", "toaster", ["host"], "Or a path."),
        "gate": GateError("dropped too far", {"drop": 3.5, "rejected": True}),
        "of a class of its own": OwnError("home-made"),
    }
    raise made[kind]


class OwnError(EdgekitError):
    """Of no class that edgekit.errors has."""


def blunder() -> None:
    msg = "a defect"
    raise ValueError(msg)


def crash(words: str) -> None:
    sys.stderr.write(words + "\n")
    ctypes.string_at(0)


def abort_with_hint(hint: str) -> None:
    with guarded.if_it_dies(hint):
        os.abort()


def die_mid_sentence() -> None:
    """Die while a message is on its way, as after a kill."""
    channel = next(fd for fd in range(3, 64) if _is_pipe(fd))
    os.write(channel, b'{"kind": "answer", "result": [1, 2')
    os._exit(3)


def _is_pipe(descriptor: int) -> bool:
    try:
        return not os.isatty(descriptor) and os.fstat(descriptor).st_mode & 0o170000 == 0o010000
    except OSError:
        return False


def leave(code: int) -> None:
    sys.exit(code)


def sleep(seconds: float, pid_file: str = "") -> None:
    if pid_file:
        ready = Path(pid_file)
        ready.with_suffix(".part").write_text(str(os.getpid()))
        ready.with_suffix(".part").rename(ready)
    time.sleep(seconds)


def nested_sleep(seconds: float, pid_file: str) -> None:
    guard.call("guard_jobs:sleep", doing="sleeping", seconds=seconds, pid_file=pid_file)


def allocate(mib: int) -> int:
    return len(bytes(mib * 2**20))


def work(steps: int) -> int:
    for _ in progress.track(range(steps), "Counting", steps, "step"):
        pass
    for name in ("edgekit.x", "edgekit_converters.x", "edgekit_demos.x"):
        logging.getLogger(name).warning("said by %s", name)
        logging.getLogger(name).info("whispered")
    return steps


def two_tasks() -> None:
    with progress.task("Outer", 2) as outer:
        with progress.task("Inner", 1) as inner:
            inner(1)
        outer(1)


def die_in_task() -> None:
    with progress.task("Doomed"):
        os.abort()


def import_missing() -> None:
    msg = "no"
    raise ModuleNotFoundError(msg, name="sounddevice.core")


def report(count: int, pid_file: str = "") -> str:
    """Tell numbers until there were `count`, or until this is to end."""
    wanted = guarded.end_wanted()
    if pid_file:
        Path(pid_file).write_text(str(os.getpid()), encoding="utf-8")
    for number in range(count):
        guarded.tell({"number": number})
        if wanted.wait(0.01):
            return f"ended after {number}"
    return "done"


def deaf(pid_file: str) -> None:
    """Tell one piece of news and never end."""
    Path(pid_file).write_text(str(os.getpid()), encoding="utf-8")
    guarded.tell("here")
    time.sleep(60)

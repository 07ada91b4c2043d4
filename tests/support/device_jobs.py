"""What tests of the ways in run on a device."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.errors import TargetError


def whereabouts(files: list[str]) -> dict[str, Any]:
    """Tell where the errand is done, and what came along."""
    return {
        "folder": str(Path.cwd()),
        "bytes": [Path(file).stat().st_size for file in files],
        "files": files,
    }


def crash(files: list[str]) -> object:  # noqa: ARG001 (as every errand)
    """Crash in a guarded child, as an interpreter does on a hostile model."""
    return guard.call("device_jobs:_die", doing="running the model")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def die(files: list[str]) -> None:  # noqa: ARG001 (as every errand)
    """Die altogether, as when the memory is full."""
    sys.stderr.write("Killed\n")
    sys.stderr.flush()
    os._exit(9)


def refuse(files: list[str]) -> None:
    """Raise an error that names a file."""
    msg = f"{files[0]} does not fit."
    raise TargetError(msg)


def sleep(files: list[str], *, seconds: float, told: str) -> object:  # noqa: ARG001 (too)
    """Sleep in a guarded child; its process id, and this one's, go into a file."""
    Path(told).write_text(f"{os.getpid()}\n")
    return guard.call("device_jobs:_sleep", doing="sleeping", seconds=seconds, told=told)


def _sleep(*, seconds: float, told: str) -> None:
    with Path(told).open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(seconds)

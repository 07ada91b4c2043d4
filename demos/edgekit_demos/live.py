"""What the live demos share: one guarded child that opens, runs and shows everything.

A film, a recording and a stream are files from outside, and so is a model: native code that
opens them may crash at any moment, not only at the first. So the whole demo runs in one
child process (`edgekit_demos.child`), as every command that opens such files does: frames or
sound, the model, the preview's server, what is saved. A crash becomes one message; lines for
standard output come from the child as news, and after Ctrl-C it is asked to end, so that
what it writes is finished and the summary told. Trying each file in a child first would open
it twice, and see only its beginning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgekit import guard
from edgekit.errors import InputError
from edgekit.known.table import known_file, known_models
from edgekit.records import from_json
from edgekit_demos.models import model_names, model_path

GRACE_S = 10.0  # to finish a film after Ctrl-C
STDOUT = "-"

Run = TypeVar("Run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What every live demo is told.

    Attributes:
        model: Path of a .tflite, or name of a carried or downloaded model.
        source: Where frames or sound come from.
        threshold: Score from which on something counts; None takes the model's.
        jsonl: File that gets JSON lines; `-` is standard output.
        preview: `HOST:PORT` of the page to watch in a browser.
        labels: Names of the classes; empty takes the model's.
        backend: Interpreter package.
        threads: CPU threads; None chooses.
        delegate: Accelerator; None is the CPU.
    """

    model: str
    source: str
    threshold: float | None = None
    jsonl: str | None = None
    preview: str | None = None
    labels: tuple[str, ...] = ()
    backend: str = "auto"
    threads: int | None = None
    delegate: str | None = None

    def opening(self) -> dict[str, Any]:
        """Return the keywords of what opens the model."""
        return {
            "labels": self.labels or None,
            "threshold": self.threshold,
            "threads": self.threads,
            "backend": self.backend,
            "delegate": self.delegate,
            "probe": False,  # this process is a child already
        }


def run(
    worker: str,
    wishes: Wishes,
    kind: type[Run],
    *,
    hear: Callable[[dict[str, Any]], None] | None = None,
) -> Run:
    """Run a demo in a guarded child.

    Args:
        worker: `module:function` that takes the wishes as plain JSON values.
        wishes: What it is to do.
        kind: The record of how it went.
        hear: Gets `{"line": ...}`, what was found, where `jsonl` is `-`, and
            `{"preview": ...}`, the address to open in a browser.

    Raises:
        InputError: The model or a file cannot be used.
        TargetError: The model is of another kind.
        DeviceError: The camera, the microphone, the stream or the preview's port cannot be
            opened.
        KeyboardInterrupt: Ctrl-C before there was anything.
    """
    answer = guard.call(
        worker,
        doing=f"running {Path(wishes.model).name} on {wishes.source}",
        hear=hear,
        grace_s=GRACE_S,
        request=wishes,
    )
    return from_json(kind, answer, "the run")


def find_model(name: str) -> Path:
    """Return the file of a model.

    Args:
        name: A path, or the name of a carried or of a downloaded model.

    Raises:
        InputError: There is none of these, or a known model was not downloaded.
    """
    path = Path(name)
    if path.is_file():
        return path
    if name in model_names():
        return model_path(name)
    if name in known_models():
        return known_file(name)
    carried = ", ".join(each for each in model_names() if model_path(each).suffix != ".keras")
    msg = (
        f"There is no model {name}: no such file, and none of the carried {carried}.\n"
        "`edgekit models` lists others that can be downloaded."
    )
    raise InputError(msg)

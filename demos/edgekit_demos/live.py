"""What the live demos share: one guarded child that opens, runs and shows everything.

A film, a picture and a stream are files from outside, and so is a model: native code that
opens them may crash at any frame, not only at the first. So the whole demo runs in one
child process (`edgekit_demos.watch`), as every command that opens such files does: the
frames, the model, the preview's server, the window and the film that is saved. A crash
becomes one message; lines for standard output come from the child as news, and after Ctrl-C
it is asked to end, so that the film is finished and the summary told. Trying each file in a
child first would open it twice, and see only its beginning.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.errors import InputError, UnknownName
from edgekit.manifest import Overrides
from edgekit.records import from_json
from edgekit_demos.models import model_names, model_path

GRACE_S = 10.0  # to finish a film after Ctrl-C
STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a live demo is to do.

    Attributes:
        model: Path of a .tflite, or name of a carried model.
        source: Where frames come from, as `edgekit.vision.sources.open_source` reads it.
        headless: Open no window, also where there is a desktop.
        frames: Number of frames to take; None takes all.
        threshold: Score from which on something counts as found; None takes the model's.
        jsonl: File that gets one JSON line a frame; `-` is standard output.
        save: Film to write, with boxes drawn, as .mp4.
        preview: `HOST:PORT` of the page to watch in a browser.
        labels: Names of the classes; empty takes the model's.
        overrides: Preprocessing, where the model says it wrongly or not at all.
        backend: Interpreter package.
        threads: CPU threads; None chooses.
        delegate: Accelerator; None is the CPU.
    """

    model: str
    source: str
    headless: bool = False
    frames: int | None = None
    threshold: float | None = None
    jsonl: str | None = None
    save: str | None = None
    preview: str | None = None
    labels: tuple[str, ...] = ()
    overrides: Overrides = field(default_factory=Overrides)
    backend: str = "auto"
    threads: int | None = None
    delegate: str | None = None

    def opening(self) -> dict[str, Any]:
        """Return the keywords of `open_detector` and `open_classifier`."""
        return {
            "labels": self.labels or None,
            "threshold": self.threshold,
            "threads": self.threads,
            "backend": self.backend,
            "delegate": self.delegate,
            "probe": False,  # this process is a child already
            "overrides": self.overrides,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a live demo went.

    Attributes:
        model: The model.
        source: What frames came from.
        frames: Frames that went through.
        seconds: From the first capture to the last result.
        fps: Frames a second.
        dropped: Frames of a live source that came while others were worked on.
        damaged: Frames that were no picture.
        ms: Milliseconds of each stage and of the whole, `p50` and `p95` over the last frames.
        seen: In how many frames each label was found.
        jsonl: File with one JSON line a frame, or None.
        saved: The film, or None.
        interrupted: Whether it was ended by Ctrl-C.
    """

    model: str
    source: str
    frames: int
    seconds: float
    fps: float
    dropped: int
    damaged: int
    ms: dict[str, dict[str, float]]
    seen: dict[str, int]
    jsonl: str | None
    saved: str | None
    interrupted: bool


def run(
    worker: str, request: Request, *, hear: Callable[[dict[str, Any]], None] | None = None
) -> Run:
    """Run a demo in a guarded child.

    Args:
        worker: `module:function` that takes the request as plain JSON values.
        request: What it is to do.
        hear: Gets `{"line": ...}`, what was found in a frame, where `jsonl` is `-`, and
            `{"preview": ...}`, the address to open in a browser.

    Raises:
        InputError: The model or a file cannot be used.
        TargetError: The model is of another kind.
        DeviceError: The camera, the stream or the preview's port cannot be opened.
        KeyboardInterrupt: Ctrl-C before the first frame.
    """
    answer = guard.call(
        worker,
        doing=f"running {Path(request.model).name} on {request.source}",
        hear=hear,
        grace_s=GRACE_S,
        request=request,
    )
    return from_json(Run, answer, "the run")


def find_model(name: str) -> Path:
    """Return the file of a model.

    Args:
        name: A path, or the name of a carried model.

    Raises:
        InputError: There is neither.
    """
    path = Path(name)
    if path.exists():
        return path
    try:
        return model_path(name)
    except UnknownName as error:
        carried = ", ".join(
            each for each in model_names() if model_path(each).suffix != ".keras"
        )
        msg = f"There is no model {name}: no such file, and none of the carried {carried}."
        raise InputError(msg) from error

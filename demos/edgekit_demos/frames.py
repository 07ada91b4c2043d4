"""What the demos that see share: what they are told, and what they tell in the end."""

from dataclasses import dataclass, field
from typing import Any

from edgekit.manifest import Overrides
from edgekit_demos.live import Wishes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Wishes):
    """What a demo that sees is to do.

    Attributes:
        headless: Open no window, also where there is a desktop.
        frames: Number of frames to take; None takes all.
        save: Film to write, with boxes drawn, as .mp4.
        overrides: Preprocessing, where the model says it wrongly or not at all.
    """

    headless: bool = False
    frames: int | None = None
    save: str | None = None
    overrides: Overrides = field(default_factory=Overrides)

    def opening(self) -> dict[str, Any]:
        """Return the keywords of `open_detector` and `open_classifier`."""
        return {**Wishes.opening(self), "overrides": self.overrides}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a demo that sees went.

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

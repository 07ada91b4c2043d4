"""`edgekit demo keywords`: words in the sound of a microphone or a recording.

In Python:

    from edgekit.audio.sources import open_sound
    from edgekit.audio.spotter import open_spotter

    spotter = open_spotter("words.raspberry-pi-4.tflite")
    with open_sound("mic", spotter.sample_rate_hz) as source:
        for chunk in source.chunks():
            for event in spotter.hear(chunk.samples).events:
                print(event.t, event.keyword, event.score)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from edgekit import guard
from edgekit.records import from_json
from edgekit_demos.live import Wishes, find_model, run

MODEL = "words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Wishes):
    """What the demo that listens is to do.

    Attributes:
        seconds: How much sound to hear; None hears all.
        front_end: Name of the front end of a model that does not tell its own.
    """

    seconds: float | None = None
    front_end: str | None = None

    def opening(self) -> dict[str, Any]:
        """Return the keywords of `open_spotter`."""
        from edgekit.data.frontend import preset

        front_end = preset(self.front_end) if self.front_end else None
        return {**Wishes.opening(self), "front_end": front_end}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How the demo that listens went.

    Attributes:
        model: The model.
        source: What the sound came from.
        seconds: Sound that was heard, without what was lost.
        real_time_factor: Seconds of work for a second of sound; None if there was no sound.
        lost_s: Seconds of a live source that are known to be missing.
        ms: Milliseconds of work for one piece of sound, as `total` with `p50` and `p95` over
            the last pieces; empty if there was no sound.
        heard: How often each word was heard.
        jsonl: File with one JSON line a word heard, or None.
        interrupted: Whether it was ended by Ctrl-C.
    """

    model: str
    source: str
    seconds: float
    real_time_factor: float | None
    lost_s: float
    ms: dict[str, dict[str, float]]
    heard: dict[str, int]
    jsonl: str | None
    interrupted: bool


def keywords(request: Request, *, hear: Callable[[dict[str, Any]], None] | None = None) -> Run:
    """Hear words in the sound of a source; see `edgekit_demos.live.run`.

    Args:
        request: What to do.
        hear: Gets `{"heard": {"t": ..., "keyword": ..., "score": ...}}`, too, where lines do
            not go to standard output.

    Raises:
        TargetError: The model spots no keywords.
    """
    found = replace(request, model=str(find_model(request.model)))
    return run("edgekit_demos.keywords:worker", found, Run, hear=hear)


def worker(request: dict[str, Any]) -> Run:
    """Do it, in the guarded child; the process that started it needs none of this."""
    from edgekit.audio.spotter import open_spotter
    from edgekit_demos.listen import listen

    wishes = from_json(Request, request, "the request")
    return listen(wishes, open_spotter(wishes.model, **wishes.opening()))


def devices() -> list[dict[str, Any]]:
    """List the devices that record sound, as JSON values.

    In a guarded child, as the libraries that ask for them talk much, and may crash.

    Raises:
        MissingExtra: What asks for them is not installed.
        DeviceError: It does not work here.
    """
    found: list[dict[str, Any]] = guard.call(
        "edgekit.audio.sources:list_devices", doing="looking for microphones"
    )
    return found

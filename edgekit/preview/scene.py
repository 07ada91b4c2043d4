"""What there is to see: the newest picture with what was found, the numbers, what happened."""

import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgekit.data.opencv import Order, Pixels
from edgekit.measure import Machine, machine
from edgekit.preview.colors import color_of, hexadecimal
from edgekit.preview.fresh import Fresh
from edgekit.preview.meter import Meter
from edgekit.preview.picture import Picture, photograph
from edgekit.preview.roll import Strip

Detection = Mapping[str, Any]

_PICTURES_PER_S = 25.0
_SHARE_OF_A_CORE = 0.25  # what encoding may take; the rest is the model's
_EVENTS_KEPT = 50
_IDS_KEPT = 1000
_MACHINE_EVERY_S = 5.0
_NUMBERS_EVERY_S = 0.25  # faster than this nobody reads


@dataclass(frozen=True, slots=True)
class View:
    """A picture with what was found in it.

    Attributes:
        mark: Names it among all pictures of all previews.
        picture: The frame, or the last seconds of a sound.
        boxes: What was found, as the page wants it.
        t: When it was shown, on the monotonic clock.
        more: What else goes with it.
    """

    mark: str
    picture: Picture
    boxes: tuple[dict[str, Any], ...]
    t: float
    more: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Return what the page must know of it, as JSON values."""
        told = {"mark": self.mark, "size": self.picture.size, "boxes": self.boxes}
        return {**told, **self.more}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        number: Counts them.
        t: When, on the monotonic clock.
        text: What.
        color: Of the label that it is about, as pages write colours; else empty.
    """

    number: int
    t: float
    text: str
    color: str

    def told(self, now: float) -> dict[str, Any]:
        """Return it as JSON values; how long ago it was, for a board may have no clock."""
        ago_s = round(now - self.t, 1)
        return {"number": self.number, "ago_s": ago_s, "text": self.text, "color": self.color}


class Scene:
    """The newest of everything, for any number of threads.

    The one who shows never waits for one who looks: a frame replaces the one before it,
    and becomes a JPEG only when a viewer asks for it, in the viewer's thread. Pictures go
    out at a pace that leaves the processor to the model.

    Args:
        about: What does not change: `title`, `model`, `source`, and as `kind` whether it is
            `pictures` or `sound`.
        labels: All labels, in the model's order; their colours stay far apart.
    """

    def __init__(self, about: Mapping[str, str], labels: Sequence[str] = ()) -> None:
        self._about = dict(about)
        self._labels = tuple(labels)
        self._run = secrets.token_hex(4)  # a page that stayed open knows another run's marks
        self._colors: dict[str, str] = {}
        self._frames = 0
        self._counts: dict[str, Any] = {}
        self._newest: View | None = None
        self._taken: View | None = None
        self._due = 0.0
        self._closed = False
        self._meter = Meter()
        self._events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self._ids: dict[Any, None] = {}
        self._changed = threading.Condition()
        nothing: dict[str, Any] = {"fps": None, "stages": []}
        self._numbers = Fresh(self._measured, _NUMBERS_EVERY_S, nothing)
        self._machine: Fresh[Machine | None] = Fresh(machine, _MACHINE_EVERY_S, None)

    def show(
        self,
        pixels: Pixels,
        order: Order,
        detections: Sequence[Detection],
        ms: Mapping[str, float],
        counts: Mapping[str, Any],
    ) -> None:
        """Replace what is shown; arguments as those of `Preview.show`."""
        boxes = tuple(self._box(each) for each in detections)
        self._replace(photograph(pixels, order), boxes, ms, counts)

    def hear(self, strip: Strip, ms: Mapping[str, float], counts: Mapping[str, Any]) -> None:
        """Replace what is shown; arguments as those of `Preview.hear`."""
        words = tuple(self._box(each) for each in strip.words)
        scores = tuple(
            {**self._box(each), "threshold": each["threshold"]} for each in strip.scores
        )
        curves = tuple(
            {"color": score["color"], "values": values}
            for score, values in zip(scores, strip.curves, strict=True)
        )
        more = {"scores": scores, "curves": curves, "seconds": strip.seconds}
        self._replace(strip.picture, words, ms, counts, more)

    def tell(self, text: str, label: str = "") -> None:
        """Add an event."""
        with self._changed:
            self._note(text, self._color(label) if label else "", time.monotonic())

    def close(self) -> None:
        """Send all who wait away."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def has_frames(self) -> bool:
        """Whether what is shown are frames, which make a film."""
        return self._about.get("kind") != "sound"

    @property
    def closed(self) -> bool:
        """Whether there will be nothing more to see."""
        return self._closed

    def next(self, seen: str, patience_s: float) -> View | None:
        """Wait for a frame that a viewer has not seen.

        Args:
            seen: Mark of the last one it saw, or anything else.
            patience_s: How long to wait, in seconds.

        Returns:
            The newest that may go out, or None if there was none in time.
        """
        deadline = time.monotonic() + patience_s
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                view = self._newest if now >= self._due else self._taken
                if view is not None and view.mark != seen:
                    self._take(view, now)
                    return view
                if now >= deadline:
                    return None
                until = min(self._due, deadline) if self._due > now else deadline
                self._changed.wait(until - now)
        return None

    def state(self, view: View | None) -> dict[str, Any]:
        """Return all but the picture, as JSON values.

        Args:
            view: The frame that goes with it, if there is one.
        """
        told = self._machine()
        numbers = self._numbers()
        with self._changed:
            now = time.monotonic()
            age_s = round(now - self._newest.t, 1) if self._newest else None
            events = [each.told(now) for each in reversed(self._events)]
            counts = self._counts
        return {
            **self._about,
            **(view.told() if view else {}),
            **numbers,
            "age_s": age_s,
            "counts": counts,
            "events": events,
            "temperature_c": told.temperature_c if told else None,
            "throttled": (told.throttled or ()) if told else (),
        }

    def _replace(
        self,
        picture: Picture,
        boxes: tuple[dict[str, Any], ...],
        ms: Mapping[str, float],
        counts: Mapping[str, Any],
        more: dict[str, Any] | None = None,
    ) -> None:
        now = time.monotonic()
        with self._changed:
            self._frames += 1
            mark = f"{self._run}.{self._frames}"
            self._newest = View(mark, picture, boxes, now, more or {})
            self._counts = dict(counts)
            self._meter.count(now, ms)
            self._note_arrivals(boxes, now)
            self._changed.notify_all()

    def _take(self, view: View, now: float) -> None:
        """Remember what went out, and when the next may."""
        if view is not self._taken:
            cost_s = self._taken.picture.cost_s if self._taken else 0.0
            self._taken = view
            self._due = now + max(1 / _PICTURES_PER_S, cost_s / _SHARE_OF_A_CORE)

    def _measured(self) -> dict[str, Any]:
        with self._changed:
            return {"fps": self._meter.fps(time.monotonic()), "stages": self._meter.stages()}

    def _color(self, label: str) -> str:
        if label not in self._colors:
            self._colors[label] = hexadecimal(color_of(label, self._labels))
        return self._colors[label]

    def _box(self, detection: Detection) -> dict[str, Any]:
        """Take over what the page draws, as JSON values; a box that is none is left out."""
        label, score = str(detection.get("label", "")), float(detection.get("score", 0.0))
        found: dict[str, Any] = {
            "label": label,
            "score": round(score, 3) if math.isfinite(score) else 0.0,
            "color": self._color(label),
        }
        box = detection.get("box")
        if box is not None and all(map(math.isfinite, box)):
            found["box"] = [round(float(side), 1) for side in box]
        if detection.get("id") is not None:
            found["id"] = int(detection["id"])
        return found

    def _note(self, text: str, color: str, now: float) -> None:
        number = self._events[-1].number + 1 if self._events else 1
        self._events.append(Event(number, now, text, color))

    def _note_arrivals(self, boxes: Sequence[Mapping[str, Any]], now: float) -> None:
        """Make an event of each id that was not there before."""
        for each in boxes:
            if "id" in each and each["id"] not in self._ids:
                self._ids[each["id"]] = None
                self._note(f"{each['label']} #{each['id']}", each["color"], now)
        while len(self._ids) > _IDS_KEPT:
            del self._ids[next(iter(self._ids))]

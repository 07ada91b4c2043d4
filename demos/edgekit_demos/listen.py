"""The child of the demo that listens: sound in, words out to all who wait for them."""

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from edgekit import guarded
from edgekit.audio.chunk import Chunk
from edgekit.audio.decisions import Event, Mean
from edgekit.audio.level import Level
from edgekit.audio.sources import SoundSource, open_sound
from edgekit.audio.sources.synthetic import Synthetic
from edgekit.audio.spotter import Heard, Spotter
from edgekit.data.pace import Pace
from edgekit.progress import meter, task
from edgekit_demos.child import Ending, Write, open_lines, open_page
from edgekit_demos.keywords import Request, Run
from edgekit_demos.live import STDOUT

if TYPE_CHECKING:
    from edgekit.preview import Preview

_KEPT = 4096  # pieces that percentiles are taken of: memory does not grow
_LOOK_S = 0.1  # between two looks at a meter, or at the page
_TOLD_S = 3.0  # that a word stands beside the meter


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A piece of sound and what was heard in it.

    Attributes:
        chunk: The sound.
        heard: What the spotter made of it.
        lines: For each word what is told of it.
        anew: Whether the spotter began anew with it.
        seconds: Work that it took.
    """

    chunk: Chunk
    heard: Heard
    lines: tuple[dict[str, Any], ...]
    anew: bool
    seconds: float


class Ear:
    """Listens to a source with a spotter and gives what it hears the time of the source.

    Each recording of a folder is heard for itself, and so is what comes after a gap that is
    longer than what the model sees at once; a shorter gap is passed over.

    Args:
        spotter: The spotter.
        live: Whether the source is; then time runs on, in any other it is the place in the
            recording.
    """

    def __init__(self, spotter: Spotter, *, live: bool) -> None:
        self._spotter = spotter
        self._live = live
        self._name: str | None = None
        self._begun_s = 0.0  # where the recording begins in the source
        self._fed = 0  # samples since the spotter began anew

    def hear(self, chunk: Chunk) -> Piece:
        """Listen to the next piece."""
        rate, size = self._spotter.sample_rate_hz, self._spotter.front_end.samples
        other = chunk.name != self._name
        if other:
            self._name = chunk.name
            self._begun_s = 0.0 if self._live else chunk.t
        anew = other or chunk.lost > size
        if anew:
            self._spotter.reset()
            self._fed = 0
        ahead_s = chunk.t - self._begun_s - self._fed / rate
        begun = time.perf_counter()
        heard = self._spotter.hear(chunk.samples)
        seconds = time.perf_counter() - begun
        self._fed += len(chunk.samples)
        lines = tuple(self._line(event, ahead_s) for event in heard.events)
        return Piece(chunk, heard, lines, anew, seconds)

    def _line(self, event: Event, ahead_s: float) -> dict[str, Any]:
        line: dict[str, Any] = {
            "t": round(event.t + ahead_s, 3),
            "keyword": event.keyword,
            "score": round(event.score, 4),
        }
        return {**line, "file": self._name} if self._name else line


class Outlet(Protocol):
    """One place where it is shown what is heard."""

    def show(self, piece: Piece) -> None:
        """Show a piece."""


class Lines:
    """JSON lines, one a word.

    Args:
        write: Takes a line.
    """

    def __init__(self, write: Write) -> None:
        self._write = write

    def show(self, piece: Piece) -> None:
        """Write the words of a piece."""
        for line in piece.lines:
            self._write(line)


class Gauge:
    """The meter in a terminal: how loud it is, and for a while the last word.

    Args:
        show: Shows a level with a text.
    """

    def __init__(self, show: Callable[[float, str], None]) -> None:
        self._show = show
        self._level = Level()
        self._due = 0.0
        self._word, self._until = "", 0.0

    def show(self, piece: Piece) -> None:
        """Take in a piece, and move some times a second."""
        now = time.monotonic()
        self._level.add(piece.chunk.samples)
        for line in piece.lines:
            self._word, self._until = f"{line['keyword']} {line['score']:.2f}", now + _TOLD_S
        if now >= self._due:
            self._due = now + _LOOK_S
            reading = self._level.read()
            word = self._word if now < self._until else ""
            self._show(reading.share, f"{reading}  {word}".rstrip())


class Progress:
    """How far a recording is.

    Args:
        advance: Counts seconds.
    """

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._shown_s = 0

    def show(self, piece: Piece) -> None:
        """Count whole seconds."""
        more = int(piece.chunk.t) - self._shown_s
        if more > 0:
            self._advance(more)
            self._shown_s += more


class Page:
    """The page in the browser.

    Args:
        preview: The page.
        spotter: The spotter.
        source: What it listens to.
    """

    def __init__(self, preview: "Preview", spotter: Spotter, source: SoundSource) -> None:
        from edgekit.preview import Roll

        front_end, settings, rate = spotter.front_end, spotter.settings, spotter.sample_rate_hz
        self._preview, self._source = preview, source
        self._columns = [spotter.labels.index(word) for word in spotter.words]
        self._mean = Mean(len(spotter.labels), settings.smooth)  # as thresholds are meant
        self._roll = Roll(
            spotter.words,
            [settings.threshold(word) for word in spotter.words],
            features=front_end.features,
            step_s=front_end.step_samples / rate,
            row_s=front_end.frame_samples / rate,
            rows=front_end.frames,
            level_rows=front_end.kind == "mfcc",
        )
        self._level = Level()
        self._work_s, self._heard_s, self._due = 0.0, 0.0, 0.0

    def show(self, piece: Piece) -> None:
        """Put a piece on the page."""
        if piece.anew:
            self._roll.begin()
            self._mean.reset()
        heard = piece.heard
        scores = self._mean.push(heard.scores)[:, self._columns]
        events = [(each.t, each.keyword, each.score) for each in heard.events]
        self._roll.add(heard.features, scores, heard.times, events)
        for line in piece.lines:
            place = "" if self._source.live else f" at {line['t']:.1f} s"
            told = f"{line['keyword']} {100 * line['score']:.0f} %{place}"
            self._preview.tell(told, line["keyword"])
        self._level.add(piece.chunk.samples)
        self._work_s += piece.seconds
        self._heard_s += len(piece.chunk.samples) / self._source.sample_rate_hz
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _LOOK_S
            ms = {"total": 1e3 * piece.seconds}
            self._preview.hear(self._roll.strip(), ms=ms, counts=self._counts())

    def _counts(self) -> dict[str, str]:
        counts = {
            "heard": f"{int(self._heard_s) // 60}:{int(self._heard_s) % 60:02}",
            "level": str(self._level.read()),
            "busy": f"{100 * self._work_s / max(self._heard_s, 1e-9):.1f} %",
        }
        lost_s = self._source.lost_s
        return {**counts, "lost": f"{lost_s:.1f} s"} if lost_s else counts


class Tally:
    """Counts what is told in the end."""

    def __init__(self) -> None:
        self.samples = 0
        self.work_s = 0.0
        self.words: Counter[str] = Counter()
        self._ms: deque[float] = deque(maxlen=_KEPT)

    def show(self, piece: Piece) -> None:
        """Count a piece."""
        self.samples += len(piece.chunk.samples)
        self.work_s += piece.seconds
        self.words.update(line["keyword"] for line in piece.lines)
        self._ms.append(1e3 * piece.seconds)

    def ms(self) -> dict[str, dict[str, float]]:
        """Return the milliseconds of work for a piece."""
        if not self._ms:
            return {}
        p50, p95 = np.percentile(self._ms, [50, 95])
        return {"total": {"p50": float(p50), "p95": float(p95)}}


def listen(wishes: Request, spotter: Spotter) -> Run:
    """Hear words in the sound of a source and show them; in the child.

    Args:
        wishes: What to do.
        spotter: The model.
    """
    ending = Ending()
    tally = Tally()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_sound(wishes.source, spotter.sample_rate_hz))
        # For somebody who watches; and what has no end shall not fill a disk meanwhile.
        endless = isinstance(source, Synthetic) and wishes.seconds is None
        paced = not source.live and (endless or wishes.preview is not None)
        outlets = [tally, *_outlets(wishes, spotter, source, stack, gauge=source.live or paced)]
        ending.stop = source.close
        ear = Ear(spotter, live=source.live)
        for chunk in _taken(source, wishes.seconds, Pace() if paced else None, ending):
            piece = ear.hear(chunk)
            for each in outlets:
                each.show(piece)
        seconds = tally.samples / source.sample_rate_hz
        return Run(
            model=wishes.model,
            source=source.description,
            seconds=seconds,
            real_time_factor=tally.work_s / seconds if seconds else None,
            lost_s=source.lost_s,
            ms=tally.ms(),
            heard={word: tally.words[word] for word in spotter.words},
            jsonl=wishes.jsonl,
            interrupted=ending.wanted.is_set(),
        )


def _taken(
    source: SoundSource, seconds: float | None, pace: Pace | None, ending: Ending
) -> Iterator[Chunk]:
    """Yield what is wanted of a source, at a pace if there is one."""
    with contextlib.closing(source.chunks()) as chunks:
        for chunk in chunks:
            if seconds is not None and chunk.t >= seconds:
                return
            if pace is not None:
                ending.wanted.wait(pace.wait_s(chunk.t))
            yield chunk


def _outlets(
    wishes: Request,
    spotter: Spotter,
    source: SoundSource,
    stack: contextlib.ExitStack,
    *,
    gauge: bool,
) -> list[Outlet]:
    """Open all that is wanted."""
    lines = open_lines(wishes, stack)
    outlets: list[Outlet] = [] if lines is None else [Lines(lines)]
    if wishes.jsonl != STDOUT:
        outlets.append(Lines(lambda line: guarded.tell({"heard": line})))
    page = open_page(wishes, source.description, spotter.words, stack, kind="sound")
    if page is not None:
        outlets.append(Page(page, spotter, source))
    label = f"Listening to {source.description}"
    if gauge:
        outlets.append(Gauge(stack.enter_context(meter(label))))
    else:
        ends = [each for each in (wishes.seconds, source.length_s) if each is not None]
        total = round(min(ends)) if ends else None
        outlets.append(Progress(stack.enter_context(task(label, total, "second"))))
    return outlets

"""The child of a demo that sees: frames in, findings out to all who look."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from edgekit.progress import task
from edgekit.records import to_json
from edgekit.vision.pipeline import Pipeline, Recognizer, Result
from edgekit.vision.sources import Source, open_source
from edgekit.vision.tracking import Tracker
from edgekit_demos.child import Ending
from edgekit_demos.frames import Request, Run
from edgekit_demos.shows import Pace, Shown, open_shows

_TICK_S = 0.25  # between two reports of progress


def watch(
    request: Request,
    recognizer: Recognizer,
    describe: Callable[[Result], dict[str, Any]],
    *,
    places: bool,
) -> Run:
    """Run a model over the frames of a source and show what it finds; in the child.

    Args:
        request: What to do.
        recognizer: The model.
        describe: Puts a result into plain JSON values, `detections` among them.
        places: Whether what it finds has a place in the frame; then objects get numbers.
    """
    ending = Ending()
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_source(request.source))
        shows = open_shows(request, source, recognizer.labels, stack)
        pipeline = Pipeline(
            source,
            recognizer,
            tracker=Tracker() if places else None,
            limit=request.frames,
            real_time=any(each.for_eyes for each in shows),
        )
        stack.enter_context(pipeline)
        ending.stop = pipeline.stop
        seen: Counter[str] = Counter()
        pace = Pace()
        advance = stack.enter_context(_progress(source, request.frames))
        for result in pipeline:
            told = describe(result)
            seen.update({each["label"] for each in told["detections"]})
            pace.add(result.ms)
            shown = Shown(
                result, told, recognizer.labels, pace, places=places, dropped=source.dropped
            )
            if not all(each.show(shown) for each in shows):
                break  # somebody closed the window
            advance()
        done = pipeline.summary()
    return Run(
        model=request.model,
        source=source.description,
        frames=done.frames,
        seconds=done.seconds,
        fps=done.fps,
        dropped=done.dropped,
        damaged=done.damaged,
        ms=to_json(done.ms),
        seen=dict(seen.most_common()),
        jsonl=request.jsonl,
        saved=request.save,
        interrupted=ending.wanted.is_set(),
    )


@contextlib.contextmanager
def _progress(source: Source, frames: int | None) -> Iterator[Callable[[], None]]:
    """Show how far it is, some times a second."""
    with task(f"Watching {source.description}", frames, "frame") as advance:
        waiting, due = 0, 0.0

        def step() -> None:
            nonlocal waiting, due
            waiting += 1
            if time.monotonic() >= due:
                advance(waiting)
                waiting, due = 0, time.monotonic() + _TICK_S

        yield step
        advance(waiting)

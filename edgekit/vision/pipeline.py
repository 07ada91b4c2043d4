"""From frames to findings: four stages that work at the same time.

Capture, preprocessing, inference and postprocessing run in a thread each and hand each
frame on; OpenCV and the interpreter leave Python's lock while they work, so that the
slowest stage sets the pace. At most `in_flight` frames are under way at once, the one in
the caller's hands included: that bounds every queue between the stages, and with it the
memory, and how old a live frame can get. OpenCV uses no threads of its own meanwhile.

An error in any stage ends all of them and is raised where the results are taken.
"""

import contextlib
import dataclasses
import functools
import itertools
import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Detections
from edgekit.data.opencv import Order, Pixels, one_thread
from edgekit.data.pace import Pace
from edgekit.live.closing import Closing
from edgekit.vision.frame import Frame
from edgekit.vision.sources.source import Source
from edgekit.vision.tracking import Tracker

STAGES = ("capture", "preprocess", "inference", "postprocess")
IN_FLIGHT = 6  # one in each stage, one waiting, one with the caller
IN_FLIGHT_LIVE = 3  # fewer, as waiting makes frames old

_WINDOW = 4096  # frames that percentiles are taken of: memory does not grow
_JOIN_S = 10.0
_log = logging.getLogger(__name__)


class Recognizer(Protocol):
    """A model with its three steps, each called by one thread at a time, all at once."""

    @property
    def labels(self) -> Sequence[str]:
        """Names of the classes."""

    def prepare(self, pixels: Pixels, order: Order) -> tuple[Any, Any]:
        """Return the model's input, and what it takes to come back from it.

        The input stays as it is while the next frames are prepared.
        """

    def infer(self, prepared: Any) -> Mapping[str, NDArray[Any]]:
        """Run the model; the outputs stay as they are while it runs again."""

    def finish(self, outputs: Mapping[str, NDArray[Any]], placing: Any) -> Detections:
        """Return what was found, in pixels of the frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """How long a frame took, in milliseconds.

    Attributes:
        capture: Until it was there; of a live source this is mostly waiting for it.
        preprocess: Until it was the model's input.
        inference: In the model.
        postprocess: Until its findings were known and had their numbers.
        total: From the beginning of its capture to then, waiting between stages included.
    """

    capture: float
    preprocess: float
    inference: float
    postprocess: float
    total: float


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What was found in a frame.

    Attributes:
        frame: The frame.
        detections: What was found.
        ids: The number of each, which the same object keeps from frame to frame; empty
            without a tracker.
        ms: How long it took.
    """

    frame: Frame
    detections: Detections
    ids: tuple[int, ...]
    ms: Stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """How long a stage took, in milliseconds, over the last 4096 frames.

    Attributes:
        p50: Half of the frames took no longer.
        p95: 95 % of them.
    """

    p50: float
    p95: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How a run went.

    Attributes:
        frames: Frames that went through.
        seconds: From the beginning of the first capture to the last result.
        fps: Frames a second.
        dropped: Frames of a live source that nobody had time for.
        damaged: Frames that were no picture.
        ms: How long each stage took, and all in all; empty if no frame went through.
        busy_s: Seconds that each stage worked, over the whole run.
    """

    frames: int
    seconds: float
    fps: float
    dropped: int
    damaged: int
    ms: dict[str, Percentiles]
    busy_s: dict[str, float]


@dataclass(slots=True, eq=False)
class _Job:
    """A frame on its way.

    Attributes:
        frame: The frame.
        begun: When its capture began.
        ms: How long each stage took so far.
        content: What the last stage made of it: the model's input, then its outputs.
        placing: What it takes to come back from the model's input.
        result: What is to be known in the end.
    """

    frame: Frame
    begun: float
    ms: list[float]
    content: Any = None
    placing: Any = None
    result: Result | None = None


_Queue = queue.SimpleQueue[_Job | None]


@dataclass(slots=True)
class _Times:
    """Durations of the stages: the last ones, and their sums over all."""

    last: deque[tuple[float, ...]] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    frames: int = 0
    begun: float = math.inf
    ended: float = 0.0

    def add(self, begun: float, ms: Stages) -> None:
        """Take note of a frame."""
        every = dataclasses.astuple(ms)
        self.last.append(every)
        for name, each in zip(STAGES, every, strict=False):
            self.sums[name] += each / 1e3
        self.frames += 1
        self.begun = min(self.begun, begun)
        self.ended = time.perf_counter()

    def percentiles(self) -> dict[str, Percentiles]:
        """Return those of each stage, and of the whole."""
        if not self.last:
            return {}
        halves, most = np.percentile(np.array(self.last), [50, 95], axis=0)
        return {
            name: Percentiles(p50=float(p50), p95=float(p95))
            for name, p50, p95 in zip((*STAGES, "total"), halves, most, strict=True)
        }


class Pipeline(Closing):
    """Runs a model over the frames of a source; iterate over it for the results.

    It takes the source over: at the end, after an error, or when the caller leaves the
    loop or the `with` statement, the source is closed and every thread has ended.

    Args:
        source: Where frames come from.
        recognizer: The model.
        tracker: Gives objects their numbers; None leaves them without.
        limit: Number of frames to take; None takes all.
        real_time: Give the frames of a film at its own pace, as for somebody who watches.
        in_flight: Frames that may be under way at once; None chooses.
    """

    def __init__(
        self,
        source: Source,
        recognizer: Recognizer,
        *,
        tracker: Tracker | None = None,
        limit: int | None = None,
        real_time: bool = False,
        in_flight: int | None = None,
    ) -> None:
        self._source = source
        self._recognizer = recognizer
        self._tracker = tracker
        self._limit = limit
        self._real_time = real_time and not source.live
        most = in_flight or (IN_FLIGHT_LIVE if source.live else IN_FLIGHT)
        self._room = threading.Semaphore(most)
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._times = _Times()
        # Each is as short as `in_flight` says, since no more frames are under way.
        queues = [queue.SimpleQueue[_Job | None]() for _ in STAGES]
        self._done = queues[-1]
        works = (self._prepare, self._infer, self._finish)
        steps: list[Callable[[], None]] = [functools.partial(self._capture, queues[0])]
        steps += [
            functools.partial(_stage, work, inbox, outbox)
            for work, (inbox, outbox) in zip(works, itertools.pairwise(queues), strict=True)
        ]
        self._threads = [
            threading.Thread(target=self._run, args=(step, outbox), name=name, daemon=True)
            for name, step, outbox in zip(STAGES, steps, queues, strict=True)
        ]

    def __iter__(self) -> Iterator[Result]:
        """Yield results in the order of the frames; to be called once.

        Raises:
            EdgekitError: What any stage raised.
        """
        with one_thread(), contextlib.closing(self):
            for thread in self._threads:
                thread.start()
            while (job := self._done.get()) is not None:
                if job.result is not None:
                    self._times.add(job.begun, job.result.ms)
                    yield job.result
                self._room.release()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Let no more frames in; what is under way still comes. Any thread may."""
        self._over.set()
        self._room.release()
        self._source.close()

    def close(self) -> None:
        """End all threads and close the source; a second call does nothing."""
        self.stop()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_JOIN_S)
            if thread.is_alive():
                _log.warning("The %s does not end; it is left as it is.", thread.name)

    def summary(self) -> Summary:
        """Return how the run went so far."""
        times = self._times
        seconds = max(times.ended - times.begun, 0.0)
        return Summary(
            frames=times.frames,
            seconds=seconds,
            fps=times.frames / seconds if seconds else 0.0,
            dropped=self._source.dropped,
            damaged=self._source.damaged,
            ms=times.percentiles(),
            busy_s=dict(times.sums),
        )

    def _run(self, step: Callable[[], None], outbox: _Queue) -> None:
        """Do a stage's work, and let the next one end when it is over."""
        try:
            step()
        except BaseException as error:  # noqa: BLE001 (raised where the results are taken)
            self._error = self._error or error
            self._over.set()
        finally:
            outbox.put(None)  # behind what is under way, which still comes

    def _capture(self, outbox: _Queue) -> None:
        """Take frames where there is room for them, so that a live one is the newest."""
        with contextlib.closing(self._source.frames()) as frames:
            pace = Pace()
            for _ in itertools.count() if self._limit is None else range(self._limit):
                self._room.acquire()
                begun = time.perf_counter()
                frame = None if self._over.is_set() else next(frames, None)
                if frame is None:
                    return
                took = _ms_since(begun)
                if self._real_time:
                    wait_s = pace.wait_s(frame.t)
                    self._over.wait(wait_s)
                    begun += wait_s
                outbox.put(_Job(frame, begun, [took]))

    def _prepare(self, job: _Job) -> None:
        frame = job.frame
        job.content, job.placing = self._recognizer.prepare(frame.pixels, frame.order)

    def _infer(self, job: _Job) -> None:
        job.content = self._recognizer.infer(job.content)

    def _finish(self, job: _Job) -> None:
        begun = time.perf_counter()
        found = self._recognizer.finish(job.content, job.placing)
        ids = self._tracker.update(found) if self._tracker is not None else ()
        capture, preprocess, inference = job.ms
        times = Stages(
            capture=capture,
            preprocess=preprocess,
            inference=inference,
            postprocess=_ms_since(begun),
            total=_ms_since(job.begun),
        )
        job.result = Result(job.frame, found, ids, times)


def _stage(work: Callable[[_Job], None], inbox: _Queue, outbox: _Queue) -> None:
    """Work on one frame after the other until there are no more."""
    while (job := inbox.get()) is not None:
        begun = time.perf_counter()
        work(job)
        job.ms.append(_ms_since(begun))
        outbox.put(job)


def _ms_since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3

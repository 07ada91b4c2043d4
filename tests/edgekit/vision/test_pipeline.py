"""Four stages at once: in order, bounded, and gone without a trace in the end."""

import gc
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import open_descriptors

from edgekit.data.boxes import Detections
from edgekit.data.opencv import Order, Pixels
from edgekit.errors import DataError, DeviceError, InputError
from edgekit.live.closing import Closing
from edgekit.measure import peak_rss_mb
from edgekit.vision.frame import Frame
from edgekit.vision.pipeline import IN_FLIGHT, IN_FLIGHT_LIVE, STAGES, Pipeline
from edgekit.vision.sources.synthetic import Synthetic
from edgekit.vision.tracking import Tracker

cv2 = pytest.importorskip("cv2")

PICTURE = np.zeros((8, 12, 3), np.uint8)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    threads, descriptors = {*threading.enumerate()}, open_descriptors()
    yield
    assert not {*threading.enumerate()} - threads  # one of an earlier test may end meanwhile
    assert open_descriptors() == descriptors


class Numbers(Closing):
    """A source of so many frames; it notes how far it was asked."""

    description = "numbers"
    size = (8, 12)
    dropped = 3
    damaged = 1

    def __init__(
        self, count: int, *, live: bool = False, wait_s: float = 0, step: float = 0.1
    ) -> None:
        self.count = count
        self.live = live
        self.given = 0
        self.closed = 0
        self._wait_s = wait_s
        self._step = step

    def frames(self) -> Generator[Frame, None, None]:
        for index in range(self.count):
            time.sleep(self._wait_s)
            self.given += 1
            yield Frame(index, index * self._step, PICTURE, "bgr")

    def close(self) -> None:
        self.closed += 1


class Model:
    """A recognizer whose stages sleep as long as told, and which notes what overlaps."""

    labels = ("thing",)

    def __init__(self, prepare_s: float = 0, infer_s: float = 0, finish_s: float = 0) -> None:
        self.waits = {"prepare": prepare_s, "infer": infer_s, "finish": finish_s}
        self.threads: dict[str, str] = {}
        self.fail: dict[str, BaseException] = {}

    def prepare(self, pixels: Pixels, order: Order) -> tuple[Any, Any]:
        assert pixels is PICTURE
        assert order == "bgr"
        self._work("prepare")
        return "input", "placing"

    def infer(self, prepared: Any) -> Mapping[str, Any]:
        assert prepared == "input"
        self._work("infer")
        return {"y": np.ones(1)}

    def finish(self, outputs: Mapping[str, Any], placing: Any) -> Detections:
        assert list(outputs) == ["y"]
        assert placing == "placing"
        self._work("finish")
        box = np.array([[1, 1, 5, 5]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0], np.intp))

    def _work(self, stage: str) -> None:
        self.threads[stage] = threading.current_thread().name
        if stage in self.fail:
            raise self.fail[stage]
        time.sleep(self.waits[stage])


def test_results_come_in_order_and_each_stage_has_its_thread() -> None:
    model = Model()
    pipeline = Pipeline(Numbers(40), model, tracker=Tracker())
    results = list(pipeline)
    assert [result.frame.index for result in results] == list(range(40))
    assert {result.ids for result in results} == {(1,)}
    assert list(model.threads.values()) == list(STAGES[1:])


def test_without_a_tracker_nothing_has_a_number() -> None:
    assert {result.ids for result in Pipeline(Numbers(3), Model())} == {()}


def test_stages_overlap_so_that_the_slowest_sets_the_pace() -> None:
    pipeline = Pipeline(Numbers(40, wait_s=0.008), Model(0.008, 0.012, 0.008))
    for _ in pipeline:
        pass
    summary = pipeline.summary()
    assert summary.busy_s["inference"] >= 40 * 0.012
    assert summary.seconds < 0.7 * sum(summary.busy_s.values())


def test_the_summary_counts_and_times_everything() -> None:
    pipeline = Pipeline(Numbers(20), Model(infer_s=0.004))
    assert pipeline.summary().frames == 0
    assert pipeline.summary().ms == {}
    results = list(pipeline)
    summary = pipeline.summary()
    assert (summary.frames, summary.dropped, summary.damaged) == (20, 3, 1)
    assert summary.fps == pytest.approx(20 / summary.seconds)
    assert list(summary.ms) == [*STAGES, "total"]
    assert 4 <= summary.ms["inference"].p50 <= summary.ms["inference"].p95
    for result in results:
        parts = [getattr(result.ms, stage) for stage in STAGES]
        assert sum(parts) <= result.ms.total * 1.001


@settings(max_examples=15)
@given(
    count=st.integers(0, 25), limit=st.none() | st.integers(1, 30), in_flight=st.integers(1, 8)
)
def test_any_bound_gives_all_frames_up_to_the_limit(
    count: int, limit: int | None, in_flight: int
) -> None:
    source = Numbers(count)
    results = list(Pipeline(source, Model(), limit=limit, in_flight=in_flight))
    assert len(results) == min(count, limit or count)
    assert source.given <= min(count, limit or count)
    assert source.closed


@pytest.mark.parametrize(("live", "most"), [(True, IN_FLIGHT_LIVE), (False, IN_FLIGHT)])
def test_a_slow_caller_holds_everything_up(live: bool, most: int) -> None:
    source = Numbers(100, live=live)
    results = iter(Pipeline(source, Model()))
    next(results)
    time.sleep(0.2)
    assert source.given <= most
    results.close()  # type: ignore[attr-defined] # a generator
    assert source.closed


@pytest.mark.parametrize("stage", ["prepare", "infer", "finish"])
def test_an_error_of_any_stage_ends_everything(stage: str) -> None:
    source, model = Numbers(1000), Model()
    model.fail[stage] = InputError(f"{stage} is broken")
    with pytest.raises(InputError, match=f"{stage} is broken"):
        list(Pipeline(source, model))
    assert source.closed
    assert source.given < 1000


def test_an_error_of_the_source_comes_after_what_it_gave() -> None:
    class Broken(Numbers):
        def frames(self) -> Generator[Frame, None, None]:
            yield from super().frames()
            msg = "the camera is gone"
            raise DeviceError(msg)

    seen: list[int] = []
    with pytest.raises(DeviceError, match="the camera is gone"):
        seen.extend(result.frame.index for result in Pipeline(Broken(5), Model()))
    assert seen == [0, 1, 2, 3, 4]


def test_an_error_of_the_caller_ends_everything() -> None:
    def fail(pipeline: Pipeline) -> None:
        with pipeline:
            for _ in pipeline:
                raise DataError

    source = Numbers(1000)
    with pytest.raises(DataError):
        fail(Pipeline(source, Model()))
    assert source.closed


def test_a_source_that_waits_is_ended_by_stop() -> None:
    class Silent(Numbers):
        def __init__(self) -> None:
            super().__init__(0, live=True)
            self.queue: queue.Queue[None] = queue.Queue()

        def frames(self) -> Generator[Frame, None, None]:
            yield Frame(0, 0.0, PICTURE, "bgr")
            self.queue.get()

        def close(self) -> None:
            self.queue.put(None)

    pipeline = Pipeline(Silent(), Model())
    threading.Timer(0.1, pipeline.stop).start()
    begun = time.monotonic()
    assert len(list(pipeline)) <= 1
    assert time.monotonic() - begun < 5


def test_a_film_for_eyes_keeps_its_own_time() -> None:
    begun = time.monotonic()
    times = [time.monotonic() - begun for _ in Pipeline(Numbers(6), Model(), real_time=True)]
    assert times[-1] >= 0.48
    live = Numbers(6, live=True)
    begun = time.monotonic()
    assert len(list(Pipeline(live, Model(), real_time=True))) == 6
    assert time.monotonic() - begun < 0.4


def rss_mb() -> float:
    """Memory that this process holds right now, in MiB."""
    gc.collect()
    with open("/proc/self/statm") as file:  # noqa: PTH123 (no file of a folder)
        return int(file.read().split()[1]) * 4096 / 2**20


def run_many(count: int, make: Callable[[], Any]) -> tuple[float, int, int]:
    """Run frames and return the growth of memory, and threads and descriptors at the end."""
    for _ in Pipeline(Synthetic((120, 160)), make(), tracker=Tracker(), limit=count // 10):
        pass
    before = rss_mb()
    for _ in Pipeline(Synthetic((120, 160)), make(), tracker=Tracker(), limit=count):
        pass
    return rss_mb() - before, threading.active_count(), open_descriptors()


def classifier() -> Any:
    from edgekit.vision.classifier import open_classifier
    from edgekit_demos.models import model_path

    return open_classifier(model_path("shapes.raspberry-pi-4"), threads=1, probe=False)


@pytest.mark.parametrize(
    "count",
    [pytest.param(2000, id="a representative"), pytest.param(20_000, marks=pytest.mark.slow)],
)
def test_many_frames_leave_nothing_behind(count: int) -> None:
    grown, _, _ = run_many(count, classifier)
    assert grown < 20
    assert peak_rss_mb() > 0


def test_opencv_works_in_the_stages_threads_alone_meanwhile() -> None:
    before = cv2.getNumThreads()
    with Pipeline(Numbers(3), Model()) as pipeline:
        assert {cv2.getNumThreads() for _ in pipeline} == {1}
    assert cv2.getNumThreads() == before

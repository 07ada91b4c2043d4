"""Laws of the measuring loop, on a clock that the test turns."""

import gc
from collections.abc import Callable

import pytest

from edgekit.profiling import timing
from edgekit.profiling.timing import Budget, race, time_ms, warm_up


class Clock:
    """A clock that stands still unless told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def perf_counter(self) -> float:
        return self.seconds

    def perf_counter_ns(self) -> int:
        return round(self.seconds * 1e9)

    def takes(self, *ms: float) -> Callable[[], None]:
        """Return a call that takes so long each time, the last value for ever."""
        left = list(ms)

        def call() -> None:
            self.seconds += (left.pop(0) if len(left) > 1 else left[0]) / 1000

        return call


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timing, "time", made)
    return made


def test_a_call_is_timed_in_milliseconds(clock: Clock) -> None:
    assert time_ms(clock.takes(12.5)) == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("ms", "runs"),
    [
        pytest.param(0.01, 20_000, id="very fast: no more than the cap"),
        pytest.param(1.0, 1000, id="fast: for a second"),
        pytest.param(100.0, 50, id="slow: fifty runs"),
        pytest.param(1000.0, 10, id="very slow: ten seconds"),
        pytest.param(60_000.0, 3, id="a minute each: three runs"),
    ],
)
def test_the_number_of_runs_follows_the_time_of_one(clock: Clock, ms: float, runs: int) -> None:
    (found,) = race([clock.takes(ms)], Budget())
    assert len(found) == pytest.approx(runs, abs=1)
    assert found == pytest.approx([ms] * len(found))


def test_a_wished_number_of_runs_is_kept_whatever_they_take(clock: Clock) -> None:
    assert [len(each) for each in race([clock.takes(9000.0)], Budget(runs=7))] == [7]


def test_models_run_in_turns_and_equally_often(clock: Clock) -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[], None]:
        wait = clock.takes(200.0)

        def call() -> None:
            order.append(name)
            wait()

        return call

    found = race([named("a"), named("b")], Budget(runs=4))
    assert [len(each) for each in found] == [4, 4]
    assert order == ["a", "b"] * 4


def test_warm_up_ends_when_the_median_is_steady(clock: Clock) -> None:
    assert warm_up(clock.takes(9, 8, 7, 6, 5, 3, 3, 3, 3, 3, 2), Budget()) == 20
    assert warm_up(clock.takes(2.0), Budget()) == 10


def test_warm_up_ends_after_its_time_even_if_nothing_is_steady(clock: Clock) -> None:
    growing = clock.takes(*(1.3**n for n in range(60)))
    begin = clock.seconds
    warm_up(growing, Budget(warmup_s=0.5))
    assert clock.seconds - begin < 1.0


def test_warm_up_of_a_slow_model_is_one_run(clock: Clock) -> None:
    assert warm_up(clock.takes(5000.0), Budget()) == 1


def test_garbage_collection_rests_while_timing_and_comes_back() -> None:
    states: list[bool] = []
    race([lambda: states.append(gc.isenabled())], Budget(runs=2))
    assert states == [False, False]
    assert gc.isenabled()

"""Time many small models on this machine, in turns, within a given time."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.measure import Machine, machine, summarize
from edgekit.profiling.calibration.nets import nets
from edgekit.profiling.calibration.op_set import Timed, least_ops, single_ops
from edgekit.profiling.inputs import random_values
from edgekit.profiling.timing import time_ms
from edgekit.progress import task
from edgekit.records import from_json
from edgekit.runtime import open_backend
from edgekit.runtime.backends import Backend

_TOGETHER = 40  # models that are in memory at the same time
_FEWEST_VISITS = 3
_MOST_VISITS = 60
_VISIT_MS = 0.5  # of timed runs, within these limits
_RUNS = (3, 24)
_FOR_OPS = 0.55  # of the time; the rest is for nets


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is timed, and how long.

    Attributes:
        threads: Numbers of threads, each timed alone.
        seconds: For all together, without loading.
        backend: Interpreter package.
        share: Of the models that are timed; below 1 only to try things out.
    """

    threads: tuple[int, ...] = (1,)
    seconds: float = 100.0
    backend: str = "auto"
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long one model takes.

    Attributes:
        name: Of the model.
        delegated: A delegate took the whole of it.
        runs: Timed runs.
        p5_ms: 5 % of the runs were at least as fast: what it takes if nothing interferes.
        median_ms: The typical run.
    """

    name: str
    delegated: bool
    runs: int
    p5_ms: float
    median_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What one device said.

    Attributes:
        runtime: Package and version.
        machine: The machine, before.
        timings: Of each model, by number of threads.
    """

    runtime: str
    machine: Machine
    timings: dict[str, tuple[Timing, ...]]


def models(share: float = 1.0) -> list[Timed]:
    """Write every model that a calibration times.

    Args:
        share: Of the operators and nets, spread evenly; the least operators always.
    """
    every = [*single_ops(), *nets()]
    return [*least_ops(), *every[:: max(1, round(1 / share))]]


def worker(*, plan: dict[str, Any]) -> Session:
    """Time everything, inside the guarded child."""
    how = from_json(Plan, plan, "the plan")
    package = open_backend(how.backend)
    before = machine()
    every = models(how.share)
    found = {}
    for threads in how.threads:
        with task(f"Timing operators and nets, threads: {threads}", len(every)) as advance:
            seconds = how.seconds / len(how.threads)
            found[str(threads)] = tuple(_time(every, package, threads, seconds, advance))
    runtime = f"{package.name} {package.version}"
    return Session(runtime=runtime, machine=before, timings=found)


def _time(
    every: Sequence[Timed],
    package: Backend,
    threads: int,
    seconds: float,
    advance: Callable[[int], None],
) -> Iterator[Timing]:
    """Time all models, some at a time; operators and nets have their shares of the time."""
    random = np.random.default_rng(0)
    for alone, part in ((True, _FOR_OPS), (False, 1 - _FOR_OPS)):
        chosen = [each for each in every if each.alone == alone]
        order = [chosen[i] for i in random.permutation(len(chosen))]
        for begin in range(0, len(order), _TOGETHER):
            batch = [_Loaded(each, package, threads) for each in order[begin:][:_TOGETHER]]
            _visit(batch, seconds * part * len(batch) / len(order), random)
            yield from (each.timing() for each in batch)
            advance(len(batch))


def _visit(batch: Sequence["_Loaded"], seconds: float, random: np.random.Generator) -> None:
    """Visit every model in turn, in another order each time, until the time is over."""
    end = time.perf_counter() + seconds
    for visit in range(_MOST_VISITS):
        if visit >= _FEWEST_VISITS and time.perf_counter() > end:
            return
        for i in random.permutation(len(batch)):
            batch[i].visit()


class _Loaded:
    """A model that is ready to run, and the times it took."""

    def __init__(self, model: Timed, package: Backend, threads: int) -> None:
        self._model = model
        self._interpreter = package.interpreter(
            model_content=model.content, num_threads=threads
        )
        self._interpreter.allocate_tensors()
        for detail in self._interpreter.get_input_details():
            self._interpreter.set_tensor(detail["index"], random_values(detail))
        self._ms: list[float] = []
        first = min(time_ms(self._interpreter.invoke) for _ in range(2))
        fewest, most = _RUNS
        self._runs = int(np.clip(_VISIT_MS / max(first, 1e-6), fewest, most))

    def visit(self) -> None:
        """Run some times; the first run, which finds the caches cold, does not count."""
        self._interpreter.invoke()
        self._ms += [time_ms(self._interpreter.invoke) for _ in range(self._runs)]

    def timing(self) -> Timing:
        """Sum up."""
        summary = summarize(self._ms)
        return Timing(
            name=self._model.name,
            delegated=_delegated(self._interpreter),
            runs=len(self._ms),
            p5_ms=summary.p5,
            median_ms=summary.median,
        )


def _delegated(interpreter: Any) -> bool:
    """Whether a delegate took operators of a model, as far as the interpreter says."""
    ask = getattr(interpreter, "_get_ops_details", None)
    return ask is not None and any(each["op_name"] == "DELEGATE" for each in ask())

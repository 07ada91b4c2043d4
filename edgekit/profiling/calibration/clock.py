"""Time many small models on this machine, in turns, within a given time.

All are timed in several rounds: what else a machine does, or the host of a virtual one, comes
and goes within seconds, and is to meet one round of a model and not the others.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
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

_ROUNDS = 3
_TOGETHER = 40  # models that are in memory at the same time
_FEWEST_VISITS = 3
_MOST_VISITS = 60
_VISIT_MS = 0.5  # of timed runs, within these limits
_RUNS = (3, 24)
_PICTURE = 4  # dimensions
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
        quiet_ms: The typical run of the quietest round.
    """

    name: str
    delegated: bool
    runs: int
    p5_ms: float
    median_ms: float
    quiet_ms: float


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
        label = f"Timing operators and nets, threads: {threads}"
        with task(label, _ROUNDS * len(every)) as advance:
            seconds = how.seconds / len(how.threads)
            found[str(threads)] = _time(every, package, threads, seconds, advance)
    runtime = f"{package.name} {package.version}"
    return Session(runtime=runtime, machine=before, timings=found)


def _time(
    every: Sequence[Timed],
    package: Backend,
    threads: int,
    seconds: float,
    advance: Callable[[int], None],
) -> tuple[Timing, ...]:
    """Time all models in rounds; operators and nets have their shares of the time."""
    random = np.random.default_rng(0)
    rounds: dict[str, list[list[float]]] = defaultdict(list)
    delegated: dict[str, bool] = {}
    for _ in range(_ROUNDS):
        for alone, part in ((True, _FOR_OPS), (False, 1 - _FOR_OPS)):
            chosen = [each for each in every if each.alone == alone]
            order = [chosen[i] for i in random.permutation(len(chosen))]
            each_s = part * seconds / _ROUNDS / max(1, len(order))
            for begin in range(0, len(order), _TOGETHER):
                batch = [_Loaded(each, package, threads) for each in order[begin:][:_TOGETHER]]
                _visit(batch, each_s * len(batch), random)
                for each in batch:
                    rounds[each.name].append(each.ms)
                    delegated[each.name] = each.delegated
                advance(len(batch))
    return tuple(
        timing(each.name, rounds[each.name], delegated=delegated[each.name]) for each in every
    )


def timing(name: str, rounds: Sequence[Sequence[float]], *, delegated: bool) -> Timing:
    """Sum up what one model took.

    Args:
        name: Of the model.
        rounds: Times of its runs in each round, in milliseconds.
        delegated: A delegate took the whole of it.
    """
    ms = [each for times in rounds for each in times]
    summary = summarize(ms)
    return Timing(
        name=name,
        delegated=delegated,
        runs=len(ms),
        p5_ms=summary.p5,
        median_ms=summary.median,
        quiet_ms=min(summarize(list(times)).median for times in rounds),
    )


def _visit(batch: Sequence["_Loaded"], seconds: float, random: np.random.Generator) -> None:
    """Visit every model in turn, in another order each time, until the time is over."""
    end = time.perf_counter() + seconds
    for visit in range(_MOST_VISITS):
        if visit >= _FEWEST_VISITS and time.perf_counter() > end:
            return
        for i in random.permutation(len(batch)):
            batch[i].visit()


class _Loaded:
    """A model that is ready to run, and the times it took.

    Attributes:
        name: Of the model.
        delegated: A delegate took the whole of it.
        ms: How long its runs took.
    """

    def __init__(self, model: Timed, package: Backend, threads: int) -> None:
        self._interpreter = package.interpreter(
            model_content=model.content, num_threads=threads
        )
        self._interpreter.allocate_tensors()
        for detail in self._interpreter.get_input_details():
            self._interpreter.set_tensor(detail["index"], _values(detail))
        self.name, self.delegated = model.name, _delegated(self._interpreter)
        self.ms: list[float] = []
        first = min(time_ms(self._interpreter.invoke) for _ in range(2))
        fewest, most = _RUNS
        self._runs = int(np.clip(_VISIT_MS / max(first, 1e-6), fewest, most))

    def visit(self) -> None:
        """Run some times; the first run, which finds the caches cold, does not count."""
        self._interpreter.invoke()
        self.ms += [time_ms(self._interpreter.invoke) for _ in range(self._runs)]


def _values(detail: dict[str, Any]) -> Any:
    """Draw an input; integers of a channel are alike, as they are within nets.

    A kernel that branches by the sign, as that of RELU does, takes longer on noise.
    """
    shape = tuple(detail["shape"])
    if detail["dtype"] not in (np.int8, np.uint8) or len(shape) != _PICTURE:
        return random_values(detail)
    random = np.random.default_rng(0)
    found = random.normal(0, 40, shape[-1]) + random.normal(0, 10, shape)
    limits = np.iinfo(detail["dtype"])
    middle = (limits.min + limits.max + 1) / 2
    return np.clip(found + middle, limits.min, limits.max).astype(detail["dtype"])


def _delegated(interpreter: Any) -> bool:
    """Whether a delegate took operators of a model, as far as the interpreter says."""
    ask = getattr(interpreter, "_get_ops_details", None)
    return ask is not None and any(each["op_name"] == "DELEGATE" for each in ask())

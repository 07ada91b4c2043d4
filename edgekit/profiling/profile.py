"""Measure a model's latency and memory on this machine, in a guarded child process."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edgekit import guard
from edgekit.errors import InputError, UsageError
from edgekit.extras import need
from edgekit.flatbuffer.graph import Graph
from edgekit.measure import MIB, Machine, Summary, machine, peak_rss_mb, summarize
from edgekit.profiling.arena import arena_bytes
from edgekit.profiling.inputs import values
from edgekit.profiling.perop.records import OpTime, PerOp
from edgekit.profiling.records import Sustained, Sweep
from edgekit.profiling.timing import Budget, Call, race, time_ms, warm_up
from edgekit.progress import task
from edgekit.records import from_json

BUSY = 2.0  # p95 above so many medians means that something else was running
KERAS = (".keras", ".h5", ".hdf5")
_HOTTER_C = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a model is run while it is measured.

    Attributes:
        backend: Interpreter package.
        threads: CPU threads; None chooses.
        delegate: Accelerator; None is the CPU.
        budget: How long to measure.
    """

    backend: str = "auto"
    threads: int | None = None
    delegate: str | None = None
    budget: Budget = field(default_factory=Budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was measured of one model.

    Attributes:
        kind: `measured`: it ran here.
        model: The model's file.
        bytes: Its size.
        latency_ms: One run of the whole model. Setting inputs and reading outputs is not
            part of it.
        runs: Timed runs.
        warmup_runs: Runs before them, until the time was steady.
        threads: CPU threads; None where the interpreter does not say.
        runtime: Package and version that ran it.
        delegate: What runs the operators.
        load_ms: Opening the file and making the tensors.
        first_ms: The first run, which prepares weights and caches.
        peak_rss_mb: Most memory that the process held, interpreter included; None if
            several models shared it.
        arena_mb: Memory that the values between the operators need at least, without
            weights; None where that is not known.
        interleaved_with: Models that were measured in turns with this one.
        ops: Times of single operators; empty where they were not asked for.
        machine: The machine, before the measurement.
        temperature_after_c: Temperature of the processor after it.
        notes: What to know about the measurement.
        on: How the machine was reached: `local`, the address of a device, or the file of a
            recorded measurement.
        per_op: How the operators were measured, and what to change; None if they were not.
        sweep: What other settings take; None if they were not tried.
        sustained: How it went on without pause; None if that was not tried.
    """

    kind: Literal["measured"] = "measured"
    model: str
    bytes: int
    latency_ms: Summary
    runs: int
    warmup_runs: int
    threads: int | None
    runtime: str
    delegate: str | None
    load_ms: float
    first_ms: float
    peak_rss_mb: float | None
    arena_mb: float | None
    interleaved_with: tuple[str, ...]
    ops: tuple[OpTime, ...]
    machine: Machine
    temperature_after_c: float | None
    notes: tuple[str, ...]
    on: str = "local"
    per_op: PerOp | None = None
    sweep: Sweep | None = None
    sustained: Sustained | None = None


def profile(
    path: str | Path,
    *,
    backend: str = "auto",
    threads: int | None = None,
    delegate: str | None = None,
    runs: int | None = None,
    warmup_s: float = 2.0,
) -> Profile:
    """Measure one model on this machine; the file is never altered.

    Args:
        path: A .tflite or a Keras file.
        backend: Interpreter package, or `auto`.
        threads: CPU threads; None for as many as there are cores, at most 4.
        delegate: Accelerator; None is the CPU.
        runs: Exactly so many timed runs; None for at least 50 runs and a second, and at
            most ten seconds.
        warmup_s: Longest warm-up in seconds.

    Raises:
        InputError: The model cannot be used.
        DeviceError: The accelerator is not attached.
    """
    (found,) = profile_many(
        [path],
        backend=backend,
        threads=threads,
        delegate=delegate,
        runs=runs,
        warmup_s=warmup_s,
    )
    return found


def profile_many(
    paths: Sequence[str | Path],
    *,
    backend: str = "auto",
    threads: int | None = None,
    delegate: str | None = None,
    runs: int | None = None,
    warmup_s: float = 2.0,
) -> tuple[Profile, ...]:
    """Measure several models in turns, so that a busy moment meets all of them alike.

    Args:
        paths: The models.
        backend: As in `profile`.
        threads: As in `profile`.
        delegate: As in `profile`.
        runs: As in `profile`, of each model.
        warmup_s: As in `profile`, for each model.

    Raises:
        As `profile`.
    """
    if not paths or (runs is not None and runs < 1):
        msg = f"At least one model and one run are needed; found {len(paths)} and {runs}."
        raise UsageError(msg)
    budget = replace(
        Budget(), runs=runs, warmup_s=warmup_s, max_s=Budget().max_s * max(1, len(paths) / 2)
    )
    settings = Settings(backend=backend, threads=threads, delegate=delegate, budget=budget)
    answer = guard.call(
        "edgekit.profiling.profile:_worker",
        doing=f"profiling {', '.join(Path(path).name for path in paths)}",
        paths=[str(path) for path in paths],
        settings=settings,
    )
    return tuple(from_json(Profile, each, "the profile") for each in answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A model that is ready to be timed.

    Attributes:
        path: Its file.
        call: Runs it once.
        runtime: Package and version that runs it.
        threads: CPU threads; None where nobody says.
        delegate: What runs the operators.
        load_ms: Opening it.
        first_ms: The first run.
    """

    path: Path
    call: Call
    runtime: str
    threads: int | None
    delegate: str | None
    load_ms: float
    first_ms: float


def _worker(*, paths: list[str], settings: dict[str, Any]) -> list[Profile]:
    """Do the work, inside the guarded child."""
    how = from_json(Settings, settings, "the settings")
    before = machine()
    contenders = [open_contender(Path(path), how) for path in paths]
    with task("Warming up"):
        warm = [warm_up(contender.call, how.budget) for contender in contenders]
    with task("Measuring"):
        times = race([contender.call for contender in contenders], how.budget)
    after = machine()
    return [
        _profile(
            contender, count, ms, (before, after), others=[*paths[:place], *paths[place + 1 :]]
        )
        for place, (contender, count, ms) in enumerate(
            zip(contenders, warm, times, strict=True)
        )
    ]


def _profile(
    contender: Contender,
    warmup_runs: int,
    ms: list[float],
    machines: tuple[Machine, Machine],
    *,
    others: list[str],
) -> Profile:
    before, after = machines
    summary = summarize(ms)
    return Profile(
        model=str(contender.path),
        bytes=_size(contender.path),
        latency_ms=summary,
        runs=len(ms),
        warmup_runs=warmup_runs,
        threads=contender.threads,
        runtime=contender.runtime,
        delegate=contender.delegate,
        load_ms=contender.load_ms,
        first_ms=contender.first_ms,
        peak_rss_mb=None if others else peak_rss_mb() or None,
        arena_mb=_arena_mb(contender.path),
        interleaved_with=tuple(others),
        ops=(),
        machine=before,
        temperature_after_c=after.temperature_c,
        notes=notes(summary, before, after),
    )


def notes(summary: Summary, before: Machine, after: Machine) -> tuple[str, ...]:
    """Say what makes a measurement doubtful.

    Args:
        summary: The latencies.
        before: The machine before the measurement.
        after: The machine after it.
    """
    found = []
    if summary.p95 > BUSY * summary.median:
        found.append(
            f"This machine is busy: p95 is {summary.p95 / summary.median:.1f} times the "
            "median. Trust min and p5, or end what else is running and measure again."
        )
    elif summary.p99 > BUSY * summary.median:
        found.append(
            f"One run in a hundred takes {summary.p99 / summary.median:.1f} times the "
            "median or longer: something interrupts now and then. Plan a deadline with p99."
        )
    if after.throttled:
        found.append(f"The firmware says: {', '.join(after.throttled)}. Check supply and fan.")
    start, end = before.temperature_c, after.temperature_c
    if start is not None and end is not None and end - start >= _HOTTER_C:
        found.append(f"The processor went from {start:.0f} to {end:.0f} °C.")
    return tuple(found)


def open_contender(path: Path, how: Settings) -> Contender:
    """Open a model and run it once, both timed; inside a guarded child.

    Args:
        path: The model.
        how: How it is run.

    Raises:
        InputError: The model cannot be used.
        DeviceError: The accelerator is not attached.
    """
    if not path.exists():
        msg = f"There is no model {path}."
        raise InputError(msg)
    if path.suffix.lower() in KERAS or path.is_dir():
        return _open_keras(path)
    from edgekit.runtime import load, open_backend

    open_backend(how.backend)  # importing the package is not part of loading a model
    begin = time.perf_counter()
    model = load(
        path, backend=how.backend, threads=how.threads, delegate=how.delegate, probe=False
    )
    load_ms = 1000 * (time.perf_counter() - begin)
    feed = {spec.name: values(spec.shape, spec.dtype) for spec in model.inputs}
    first_ms = time_ms(lambda: model.raw(feed))
    return Contender(
        path=path,
        call=model.invoke,
        runtime=model.runtime,
        threads=model.threads,
        delegate=model.delegate,
        load_ms=load_ms,
        first_ms=first_ms,
    )


def _open_keras(path: Path) -> Contender:
    keras_model = need("edgekit_converters.keras_model", f"open {path.name}")
    need("tensorflow", f"open {path.name}")  # starting it is not part of loading a model
    begin = time.perf_counter()
    model = keras_model.open_model(path)
    load_ms = 1000 * (time.perf_counter() - begin)
    feed = {spec.name: values(spec.shape, str(spec.dtype)) for spec in model.inputs}
    fed = feed if len(feed) > 1 else next(iter(feed.values()))

    def call() -> object:
        return model(fed)

    return Contender(
        path=path,
        call=call,
        runtime=getattr(model, "runtime", "keras"),
        threads=None,
        delegate=None,
        load_ms=load_ms,
        first_ms=time_ms(call),
    )


def _arena_mb(path: Path) -> float | None:
    if path.is_dir() or path.suffix.lower() in KERAS:
        return None
    try:
        return arena_bytes(Graph(path)) / MIB
    except InputError:  # the runtime is content with it all the same
        return None


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    return path.stat().st_size

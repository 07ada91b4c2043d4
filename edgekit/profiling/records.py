"""What a sweep over settings and a long run find out."""

from dataclasses import dataclass

from edgekit.measure import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One way of running a model, and how long that takes.

    Attributes:
        threads: CPU threads.
        delegate: What runs the operators.
        runs: Timed runs.
        latency_ms: One run of the model.
        first_ms: The first run.
    """

    threads: int
    delegate: str
    runs: int
    latency_ms: Summary
    first_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Ways of running a model, measured in turns.

    Attributes:
        settings: All that were tried.
        recommended: The fastest, or one with fewer threads that is as fast within 3 %.
        skipped: Settings that do not work here, and why.
    """

    settings: tuple[Setting, ...]
    recommended: Setting
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stretch of a long run.

    Attributes:
        t_s: Seconds from its begin to the end of this stretch.
        runs: Runs of the model within it.
        median_ms: The typical run within it.
        p95_ms: 95 % of the runs within it were at least as fast.
        temperature_c: Of the processor, at its end.
        clock_mhz: Of the processor, all cores' average, at its end.
        throttled: What a Raspberry Pi's firmware says, as `Machine` has it.
    """

    t_s: float
    runs: int
    median_ms: float
    p95_ms: float
    temperature_c: float | None
    clock_mhz: float | None
    throttled: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """A model that runs without pause.

    Attributes:
        seconds: How long it ran.
        runs: How often.
        curve: Stretches of equal length.
        slowdown: By which part the last fifth is slower than the first fifth.
        hottest_c: Highest temperature at the end of a stretch.
        notes: What happened meanwhile.
    """

    seconds: float
    runs: int
    curve: tuple[Moment, ...]
    slowdown: float
    hottest_c: float | None
    notes: tuple[str, ...]

"""What is known of the time of each operator."""

from dataclasses import dataclass
from typing import Literal

OVERHEAD = -1  # the index of the row that is no operator


@dataclass(frozen=True, slots=True, kw_only=True)
class OpTime:
    """The time of one operator, or of what is between the operators.

    Attributes:
        index: Number of the operator in the model; -1 for the overhead.
        op: Name of the builtin, e.g. `CONV_2D`; of a custom operator its own name.
        kernel: What computes it, as the runtime calls it; several are joined by ` + `.
        ms: Milliseconds of one run of the model.
        share: Part of the whole run, 0 to 1.
        name: Name of its output tensor, which says what layer it comes from.
        delegated: Whether XNNPACK runs it; None where nobody says.
        partition: Number of the part of the model that XNNPACK runs as one.
        macs: Multiply-accumulates.
        bytes: What it reads and writes, weights included.
        gmacs_per_s: Achieved rate; None where there are no MACs or no time.
        gb_per_s: Bytes over time.
        bound: What would limit it on this machine, by its MACs and bytes.
        of_roof: Achieved part of what this machine could do with as many MACs and bytes.
    """

    index: int
    op: str
    kernel: str
    ms: float
    share: float
    name: str = ""
    delegated: bool | None = None
    partition: int | None = None
    macs: int = 0
    bytes: int = 0
    gmacs_per_s: float | None = None
    gb_per_s: float | None = None
    bound: Literal["compute", "memory"] | None = None
    of_roof: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """The most that this machine does, measured beside the model.

    Attributes:
        gmacs_per_s: By type, e.g. `float32`: rate of a large matrix product.
        gb_per_s: By a number of bytes: how fast so many are read and written in a copy; few
            stay in the caches, many come from memory.
    """

    gmacs_per_s: dict[str, float]
    gb_per_s: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Something about the model that costs time, and what to do.

    Attributes:
        code: Short name, e.g. `not-delegated`.
        ops: The operators that it is about.
        share: Their part of the whole run; what can be won is at most this.
        text: What was found and what to change.
    """

    code: str
    ops: tuple[int, ...]
    share: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PerOp:
    """How the time of each operator was measured, and how far the sum can be trusted.

    Attributes:
        method: `profiler`: the runtime tells what each kernel of a whole run takes; `cut`:
            each operator is run alone, as a model of its own.
        runtime: Package and version that ran it.
        threads: CPU threads.
        runs: Runs that were measured.
        whole_ms: One run of the whole model, measured in turns with the operators.
        ops_ms: Sum of all operators.
        overhead_ms: With `profiler` what is left of the whole: between the operators, and
            around them. With `cut` what a run costs that computes next to nothing.
        difference: By how much operators and overhead miss the whole, as a part of it.
        partitions: Parts of the model that XNNPACK runs; None where nobody says.
        roof: What this machine can do.
        hints: What to change, the most expensive first.
        notes: What to know about the measurement.
    """

    method: Literal["profiler", "cut"]
    runtime: str
    threads: int
    runs: int
    whole_ms: float
    ops_ms: float
    overhead_ms: float
    difference: float
    partitions: int | None
    roof: Roof | None
    hints: tuple[Hint, ...]
    notes: tuple[str, ...]

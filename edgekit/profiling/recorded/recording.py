"""What a recorded measurement says, and the profile that it gives."""

from dataclasses import dataclass

from edgekit.measure import Machine, Summary
from edgekit.profiling.perop.records import OpTime
from edgekit.profiling.profile import Profile

_OVERHEAD = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What was found in the output of another tool; None is what it does not say.

    Attributes:
        tool: The tool, e.g. `benchmark_model`.
        model: Name of the model.
        bytes: Its size.
        runs: Timed runs.
        warmup_runs: Runs before them.
        min_ms: The fastest run.
        max_ms: The slowest run.
        mean_ms: The mean.
        std_ms: The standard deviation.
        p5_ms: 5 % of the runs were at least as fast.
        median_ms: The typical run.
        p95_ms: 95 % of the runs were at least as fast.
        init_ms: Opening the model.
        first_ms: The first run.
        threads: CPU threads.
        delegate: What runs the operators.
        memory_mb: What the model added to the memory of the process, in MB.
        ops: Times of single operators.
        only_operators: Whether the whole is nothing but their sum.
    """

    tool: str
    model: str
    runs: int
    mean_ms: float
    bytes: int = 0
    warmup_runs: int = 0
    min_ms: float | None = None
    max_ms: float | None = None
    std_ms: float | None = None
    p5_ms: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None
    init_ms: float | None = None
    first_ms: float | None = None
    threads: int | None = None
    delegate: str | None = None
    memory_mb: float | None = None
    ops: tuple[OpTime, ...] = ()
    only_operators: bool = False

    def profile(self, on: str, machine: Machine) -> Profile:
        """Return it as a profile.

        Args:
            on: The file or the device that it comes from.
            machine: The machine that it was measured on.
        """
        return Profile(
            model=self.model,
            bytes=self.bytes,
            latency_ms=self._summary(),
            runs=self.runs,
            warmup_runs=self.warmup_runs,
            threads=self.threads,
            runtime=self.tool,
            delegate=self.delegate,
            load_ms=self.init_ms or 0.0,
            first_ms=self.first_ms or 0.0,
            peak_rss_mb=None,
            arena_mb=None,
            interleaved_with=(),
            ops=self._with_overhead(),
            machine=machine,
            temperature_after_c=None,
            notes=self._notes(),
            on=on,
        )

    def _summary(self) -> Summary:
        """Order statistics; what is not known is replaced by what bounds it."""
        low = self.mean_ms if self.min_ms is None else self.min_ms
        high = self.mean_ms if self.max_ms is None else self.max_ms
        return Summary(
            min=low,
            p5=low if self.p5_ms is None else self.p5_ms,
            median=self.mean_ms if self.median_ms is None else self.median_ms,
            p95=high if self.p95_ms is None else self.p95_ms,
            p99=high,
            max=high,
        )

    def _notes(self) -> tuple[str, ...]:
        if self.only_operators:
            return ("The file has a table of operators alone; the latency is their sum.",)
        found = []
        if self.median_ms is None:
            spread = "" if self.std_ms is None else f", at most {self.std_ms:.3g} ms from it"
            found.append(
                f"{self.tool} gave a mean and no median: `median` is the mean here (the true "
                f"one lies between min and max{spread}), p5 the min, p95 and p99 the max."
            )
        else:
            found.append(f"{self.tool} gave no p99: the max stands there.")
        missing = [
            name
            for name, value in (("load", self.init_ms), ("first run", self.first_ms))
            if value is None
        ]
        if missing:
            found.append(f"{self.tool} says nothing of: {', '.join(missing)}; 0 stands there.")
        if self.memory_mb is not None:
            found.append(f"The model added {self.memory_mb:.1f} MB to the tool's memory.")
        return tuple(found)

    def _with_overhead(self) -> tuple[OpTime, ...]:
        """The operators, and a row for what is left of the whole."""
        if not self.ops:
            return ()
        left = self.mean_ms - sum(op.ms for op in self.ops)
        rest = OpTime(
            index=_OVERHEAD, op="", kernel="overhead", ms=left, share=left / self.mean_ms
        )
        return (*self.ops, rest)


def unknown_machine(board: str | None = None) -> Machine:
    """The record of a machine that nobody asked.

    Args:
        board: What is known of it all the same.
    """
    return Machine(
        board=board,
        cpu=None,
        arch="unknown",
        os="unknown",
        kernel="unknown",
        python="none",
        cores=0,
        memory_mb=None,
        governor=None,
        temperature_c=None,
        throttled=None,
        load=None,
    )

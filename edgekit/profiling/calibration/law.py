"""The law of a device: coefficients that turn what operators cost into time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from edgekit.flatbuffer import Graph
from edgekit.placement.partition import rounds
from edgekit.profiling.calibration.cost import COUNTED, Cost, costs

GROUPS = ("float32", "int8", "uint8")  # types of values that have a factor of their own
_BEYOND = 4.0  # times larger than the largest that was timed: no longer covered


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """How long operators of one kind and type take.

    Attributes:
        key: Kind and type, e.g. `CONV_2D 1x1 int8`.
        delegated: The delegate takes such operators.
        us: Microseconds for each of what is counted (`cost.COUNTED`); what is left out
            costs nothing.
        largest: Size of the largest that was timed.
        rate_us: Median of their time over their size.
        timed: Operators that were timed.
        error: Median of the relative errors on them.
    """

    key: str
    delegated: bool
    us: dict[str, float]
    largest: float
    rate_us: float
    timed: int
    error: float

    def time_us(self, cost: Cost) -> float:
        """Return how long an operator takes when it runs alone, over and over."""
        return sum(
            self.us.get(name, 0.0) * count
            for name, count in zip(COUNTED, cost.counts, strict=True)
        )

    def covers(self, cost: Cost) -> bool:
        """Whether an operator is no larger than what was timed by much."""
        return cost.size <= _BEYOND * self.largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """What happens between the operators of a whole model.

    Attributes:
        factors: What the times of operators are multiplied with, by type of values.
        run_us: Each run of a model.
        handover_us: Each part of the model that changes between the delegate and the
            runtime's own kernels.
        near_us: Each byte of weights that the near cache held when its operator ran alone,
            and does not hold when the whole model runs.
        far_us: Likewise of the far cache.
        near_bytes: Bytes of weights that the near cache holds.
        far_bytes: Bytes that the far one holds.
        moved_us: Each byte of values that operators read and write, beyond their own time.
        operator_us: Each operator, beyond its own time.
    """

    factors: dict[str, float]
    run_us: float
    handover_us: float
    near_us: float
    far_us: float
    near_bytes: float
    far_bytes: float
    moved_us: float
    operator_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """A model in the terms of `Between`.

    Attributes:
        alone_us: Sums of the operators' times alone, by type of values.
        handovers: Parts beyond the first.
        weight_bytes: Of the weights of each operator that has some.
        moved_bytes: Of values read and written.
        operators: How many take time.
        uncovered: Why operators cannot be told, by their number.
        undelegated: Operators that the delegate does not take though it takes others.
    """

    alone_us: dict[str, float]
    handovers: int
    weight_bytes: tuple[float, ...]
    moved_bytes: float
    operators: int
    uncovered: dict[int, str]
    undelegated: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How far the law is from nets that it was not fitted to: each was left out once.

    Attributes:
        nets: How many.
        median_error: Median of the relative errors.
        within_10pct: Share of them within 10 %.
        within_20pct: Share of them within 20 %.
        low: Truth over prediction that so many nets are above that the interval holds.
        high: Likewise from above.
        coverage: Share of nets that lie within the interval, as it was asked for.
    """

    nets: int
    median_error: float
    within_10pct: float
    within_20pct: float
    low: float
    high: float
    coverage: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The law for one number of threads.

    Attributes:
        threads: CPU threads.
        laws: By kind and type.
        between: What happens between operators.
        accuracy: Errors on nets that were left out.
        spread: Median over all that was timed of the typical run over the fast ones; far
            above 1 says that the machine was busy.
    """

    threads: int
    laws: tuple[Law, ...]
    between: Between
    accuracy: Accuracy
    spread: float

    def by_key(self) -> dict[str, Law]:
        """Return the laws by kind and type."""
        return {law.key: law for law in self.laws}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model as the law sees it.

    Attributes:
        costs: Of each operator, in the order of execution.
        graph: The model.
    """

    costs: tuple[Cost, ...]
    graph: Graph

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Count what the operators of a model cost."""
        return cls(costs=costs(graph), graph=graph)

    @property
    def alone(self) -> Cost:
        """What the operator costs of a model that has one which takes time."""
        return next(each for each in self.costs if not each.free)


def group(dtype: str) -> str:
    """Return the type of values whose factor an operator takes.

    >>> group("float32>int8"), group("float32")
    ('int8', 'float32')
    """
    return "uint8" if "uint8" in dtype else "int8" if "int8" in dtype else "float32"


def sums(model: Model, laws: Mapping[str, Law]) -> Sums:
    """Add up what is known of the operators of a model."""
    alone = dict.fromkeys(GROUPS, 0.0)
    uncovered: dict[int, str] = {}
    weights: list[float] = []
    moved = 0.0
    for cost in model.costs:
        if cost.free:
            continue
        law = laws.get(cost.key)
        if law is None:
            uncovered[cost.index] = f"{cost.key} was not timed on the device"
        elif not law.covers(cost):
            larger = cost.size / law.largest
            uncovered[cost.index] = f"{larger:.0f} times larger than any {cost.key} timed"
        if law is not None:
            alone[group(cost.dtype)] += law.time_us(cost)
        if cost.weight_bytes:
            weights.append(cost.weight_bytes)
        moved += cost.moved_bytes
    taken = delegated(model.costs, laws)
    parts = rounds(model.graph.ops, [op.index in taken for op in model.graph.ops])
    left = [c.index for c in model.costs if not c.free and _refused(laws.get(c.key))]
    return Sums(
        alone_us=alone,
        handovers=max(0, len(parts) - 1),
        weight_bytes=tuple(weights),
        moved_bytes=moved,
        operators=sum(not cost.free for cost in model.costs),
        uncovered=uncovered,
        undelegated=tuple(left) if taken else (),
    )


def _refused(law: Law | None) -> bool:
    return law is not None and not law.delegated


def delegated(every: Sequence[Cost], laws: Mapping[str, Law]) -> set[int]:
    """Return the numbers of the operators that the delegate takes."""
    found = set()
    for cost in every:
        law = laws.get(cost.key)
        if law is not None and law.delegated:
            found.add(cost.index)
    return found


def cold_bytes(found: Sums, cache: float) -> float:
    """Return the weights that a cache holds for an operator alone but not for the whole model.

    Args:
        found: The model.
        cache: Bytes of weights that the cache holds.
    """
    every = sum(found.weight_bytes)
    missing = max(0.0, 1.0 - cache / every) if every else 0.0
    return missing * sum(each for each in found.weight_bytes if each <= cache)


def time_us(found: Sums, between: Between) -> float:
    """Return how long a whole model takes, without its uncovered operators."""
    alone = sum(between.factors[name] * us for name, us in found.alone_us.items())
    return (
        alone
        + between.run_us
        + between.handover_us * found.handovers
        + between.near_us * cold_bytes(found, between.near_bytes)
        + between.far_us * cold_bytes(found, between.far_bytes)
        + between.moved_us * found.moved_bytes
        + between.operator_us * found.operators
    )

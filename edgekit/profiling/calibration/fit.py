"""Fit the law of a device to what it said."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer import Graph
from edgekit.profiling.calibration.clock import Timing
from edgekit.profiling.calibration.cost import COUNTED, Cost
from edgekit.profiling.calibration.law import (
    GROUPS,
    Accuracy,
    Between,
    Law,
    Model,
    Setting,
    Sums,
    cold_bytes,
    sums,
    time_us,
)
from edgekit.profiling.calibration.nnls import nnls
from edgekit.profiling.calibration.op_set import Timed

COVERAGE = 0.9  # of the interval around an estimate, as it is stated
_RANK = 0.95  # of the nets that it holds: models are not of the same families as these nets
_LEAST_US = 0.02  # an operator's time after the cost of a run is taken off
_FLOOR_US = 0.5  # errors of faster operators count as if they took so long
_SAMPLES_EACH = 2  # coefficient of a law
_NEAR = tuple(2.0**power for power in range(17, 23))  # bytes
_FAR = tuple(2.0**power for power in range(20, 27))
_PRIOR = 0.2  # weight of a factor of 1, in nets
_ROUNDS = 6  # of weighting
_OUTLIER = 0.04  # relative error from which a net counts less
_NARROWEST = 0.03  # half of the interval, even if all nets are nearer

Array = NDArray[np.float64]
_Pair = tuple[float, float]  # bytes that the near and the far cache hold


@dataclass(frozen=True, slots=True)
class Sample:
    """One operator and its time.

    Attributes:
        cost: What it costs.
        us: Its time alone, without the cost of a run.
        delegated: The delegate took it.
    """

    cost: Cost
    us: float
    delegated: bool


@dataclass(frozen=True, slots=True)
class Net:
    """One net and its time.

    Attributes:
        model: The net.
        us: Its time.
    """

    model: Model
    us: float


def fit(models: Sequence[Timed], timings: Sequence[Timing], threads: int) -> Setting:
    """Fit the law of one number of threads.

    Args:
        models: What was timed.
        timings: How long each took.
        threads: CPU threads.
    """
    by_name = {each.name: each for each in timings}
    run = {d: 1000 * by_name[f"least-{d}"].p5_ms for d in ("delegated", "builtin")}
    samples, nets = [], []
    for model in models:
        timing = by_name[model.name]
        seen = Model.of(Graph(model.content))
        if not model.alone:  # told is what is measured of whole models: the typical run
            nets.append(Net(seen, 1000 * timing.quiet_ms))
        elif not model.name.startswith("least-"):
            own = 1000 * timing.p5_ms - run["delegated" if timing.delegated else "builtin"]
            samples.append(Sample(seen.alone, max(own, _LEAST_US), timing.delegated))
    laws = fit_laws(samples)
    between, accuracy = fit_between(nets, laws)
    spread = float(np.median([each.median_ms / each.p5_ms for each in timings]))
    return Setting(
        threads=threads, laws=laws, between=between, accuracy=accuracy, spread=spread
    )


def fit_laws(samples: Sequence[Sample]) -> tuple[Law, ...]:
    """Fit one law to the operators of each kind and type."""
    kinds: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        kinds[sample.cost.key].append(sample)
    return tuple(_law(key, kinds[key]) for key in sorted(kinds))


def _law(key: str, samples: Sequence[Sample]) -> Law:
    counts = np.array([each.cost.counts for each in samples])
    us = np.array([each.us for each in samples])
    weights = 1.0 / np.maximum(us, _FLOOR_US)
    most = max(1, len(samples) // _SAMPLES_EACH)
    helping = counts.copy()
    if most == 1:  # a constant alone would say that size does not matter
        helping[:, 0] = 0.0
    found = nnls(helping * weights[:, None], us * weights, most)
    errors = np.abs(counts @ found - us) * weights
    return Law(
        key=key,
        delegated=sum(each.delegated for each in samples) * 2 > len(samples),
        us={name: float(each) for name, each in zip(COUNTED, found, strict=True) if each > 0},
        largest=max(each.cost.size for each in samples),
        rate_us=float(np.median([each.us / max(1.0, each.cost.size) for each in samples])),
        timed=len(samples),
        error=float(np.median(errors)),
    )


def fit_between(nets: Sequence[Net], laws: Sequence[Law]) -> tuple[Between, Accuracy]:
    """Fit what happens between operators, and say how far it is off on nets left out."""
    by_key = {law.key: law for law in laws}
    found = [sums(net.model, by_key) for net in nets]
    us = np.array([net.us for net in nets])
    caches = [(near, far) for near in _NEAR for far in _FAR if near < far]
    between = min(
        (_solve(found, us, pair) for pair in caches),
        key=lambda law: _distance(found, us, law),
    )
    pair = between.near_bytes, between.far_bytes
    return between, _accuracy(_left_out(found, us, pair))


def _distance(found: Sequence[Sums], us: Array, law: Between) -> float:
    told = np.array([time_us(each, law) for each in found])
    return float(np.abs(np.log(told / us)).mean())


def _columns(found: Sequence[Sums], caches: _Pair) -> Array:
    return np.array(
        [
            [
                *(each.alone_us[name] for name in GROUPS),
                1.0,
                each.handovers,
                *(cold_bytes(each, cache) for cache in caches),
                each.moved_bytes,
                each.operators,
            ]
            for each in found
        ]
    )


def _solve(found: Sequence[Sums], us: Array, caches: _Pair) -> Between:
    """Solve for what makes relative errors smallest; factors lean to 1.

    Nets that do not fit count less and less: one that was interrupted whenever it ran must
    not move the others.
    """
    matrix = _columns(found, caches) / us[:, None]
    prior = np.zeros((len(GROUPS), matrix.shape[1]))
    prior[:, : len(GROUPS)] = math.sqrt(_PRIOR) * np.eye(len(GROUPS))
    weights = np.ones(len(us))
    solved = np.zeros(matrix.shape[1])
    for _ in range(_ROUNDS):
        rows = np.concatenate([matrix * weights[:, None], prior])
        solved = nnls(rows, np.concatenate([weights, prior.sum(axis=1)]))
        error = np.abs(matrix @ solved - 1.0)
        weights = np.sqrt(np.minimum(1.0, _OUTLIER / np.maximum(error, _OUTLIER)))
    factors = solved[: len(GROUPS)].tolist()
    run, handover, near, far, moved, operator = solved[len(GROUPS) :].tolist()
    return Between(
        factors=dict(zip(GROUPS, factors, strict=True)),
        run_us=run,
        handover_us=handover,
        near_us=near,
        far_us=far,
        near_bytes=caches[0],
        far_bytes=caches[1],
        moved_us=moved,
        operator_us=operator,
    )


def _left_out(found: Sequence[Sums], us: Array, caches: _Pair) -> Array:
    """Return truth over prediction of each net, by a law that does not know it."""
    ratios = []
    for i, own in enumerate(found):
        others = [each for j, each in enumerate(found) if j != i]
        law = _solve(others, np.delete(us, i), caches)
        ratios.append(us[i] / time_us(own, law))
    return np.array(ratios)


def _accuracy(ratios: Array) -> Accuracy:
    """Sum up; the interval holds the truth of one more net with the stated chance.

    By the rank of the errors (split conformal prediction): of n nets and one more, each
    is the worst with the same chance. It is wider than that by a margin, see `_RANK`.
    """
    errors = np.sort(np.abs(1 / ratios - 1))
    count = len(ratios)
    rank = min(count, math.ceil(_RANK * (count + 1)))
    reach = max(math.log1p(_NARROWEST), float(np.sort(np.abs(np.log(ratios)))[rank - 1]))
    return Accuracy(
        nets=count,
        median_error=float(np.median(errors)),
        within_10pct=float((errors <= 0.1).mean()),
        within_20pct=float((errors <= 0.2).mean()),
        low=math.exp(-reach),
        high=math.exp(reach),
        coverage=COVERAGE,
    )

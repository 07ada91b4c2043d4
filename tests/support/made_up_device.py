"""A device whose law is known, which says how long a calibration's models take on it."""

import functools
from dataclasses import dataclass, field, replace

import numpy as np

from edgekit.flatbuffer import Graph
from edgekit.measure import Machine, machine
from edgekit.profiling.calibration.clock import Session, Timing, models
from edgekit.profiling.calibration.cost import Cost
from edgekit.profiling.calibration.law import GROUPS, Between, Law, Model, sums, time_us

# Microseconds for each of what is counted; kinds differ by how slow they are.
RATES = {
    "padded_macs": 2e-5,
    "tiles": 4e-5,
    "in_bytes": 3e-5,
    "out_bytes": 5e-5,
    "weight_bytes": 2e-5,
}
DISPATCH_US = 0.6  # each operator, whatever its kind
BETWEEN = Between(
    factors=dict.fromkeys(GROUPS, 1.0) | {"int8": 1.1},
    run_us=4.0,
    handover_us=9.0,
    near_us=3e-5,
    far_us=4e-5,
    near_bytes=2.0**19,
    far_bytes=2.0**23,
    moved_us=0.0,
    operator_us=0.0,
)
UNDELEGATED = ("HARD_SWISH int8", "SOFTMAX int8", "SOFTMAX uint8", "AVERAGE_POOL_2D int8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that obeys a law exactly, but for noise.

    Attributes:
        noise: Standard deviation of its times, as a share.
        spread: Typical runs over fast ones.
        runtime: What it says it runs.
        machine: What it says it is.
    """

    noise: float = 0.0
    spread: float = 1.01
    runtime: str = "ai-edge-litert 2.3.0"
    machine: Machine = field(
        default_factory=lambda: replace(machine(), board="Made-up board", arch="aarch64")
    )

    @staticmethod
    def law(cost: Cost) -> Law:
        """The law of an operator's kind: some are three times slower than others."""
        slow = 1.0 + 2.0 * (sum(cost.key.encode()) % 10) / 10
        return Law(
            key=cost.key,
            delegated=cost.key not in UNDELEGATED,
            us={name: slow * each for name, each in RATES.items()} | {"operators": DISPATCH_US},
            largest=float("inf"),
            rate_us=1.0,
            timed=1,
            error=0.0,
        )

    @staticmethod
    def us(graph: Graph) -> float:
        """How long a run of a model takes, without noise."""
        model = Model.of(graph)
        laws = {each.key: Device.law(each) for each in model.costs}
        return time_us(sums(model, laws), BETWEEN)

    def session(self, share: float = 1.0, threads: int = 1) -> Session:
        """Say how long the models of a calibration take."""
        random = np.random.default_rng(1)
        timings = []
        for name, us, delegated in _exact(share):
            ms = us / 1000 * (1.0 + self.noise * float(random.standard_normal()))
            timing = Timing(
                name=name,
                delegated=delegated,
                runs=100,
                p5_ms=ms,
                median_ms=self.spread * ms,
                quiet_ms=ms,
            )
            timings.append(timing)
        return Session(
            runtime=self.runtime,
            machine=self.machine,
            timings={str(threads): tuple(timings)},
        )


@functools.cache
def _exact(share: float) -> tuple[tuple[str, float, bool], ...]:
    """Name, microseconds and whether it is delegated, of each model of a calibration."""
    found = []
    for each in models(share):
        graph = Graph(each.content)
        cost = Model.of(graph).alone
        # An operator that runs over and over has its weights in the cache.
        alone = BETWEEN.run_us + Device.law(cost).time_us(cost)
        us = alone if each.alone else Device.us(graph)
        found.append((each.name, us, Device.law(cost).delegated))
    return tuple(found)

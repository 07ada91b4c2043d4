"""Where the operators of an artifact run on its target's accelerator, as predicted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.flatbuffer.graph import Graph
from edgekit.placement import Placement, place
from edgekit.placement.edgetpu.memory import estimate
from edgekit.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """What is predicted of an artifact on an Edge TPU.

    Attributes:
        summary: How many operators run where: `edgetpu`, `cpu`, `uncertain`.
        elsewhere: Those not surely on the Edge TPU and why, alike ones once.
        parameter_bytes: Parameters as the compiler packs them.
        memory: Whether they stay on the chip: `fits`, `streams` or `uncertain`.
    """

    summary: dict[str, int]
    elsewhere: tuple[str, ...]
    parameter_bytes: int
    memory: str


def placed(graph: Graph, target: Target) -> Placed | None:
    """Predict where the operators of an artifact run; None for targets without an Edge TPU."""
    if target.delegate != "edgetpu":
        return None
    found = place(graph, target)
    counts = Counter(each.placement for each in found)
    memory = estimate(graph, [(each.placement, each.reason) for each in found])
    return Placed(
        summary={name: counts[name] for name in ("edgetpu", "cpu", "uncertain")},
        elsewhere=tuple(_elsewhere(found)),
        parameter_bytes=memory.parameter_bytes,
        memory=memory.verdict,
    )


def _elsewhere(found: Sequence[Placement]) -> list[str]:
    alike: dict[tuple[str, str, str], list[str]] = {}
    for each in found:
        if each.placement != "edgetpu":
            key = (each.op, each.placement, each.reason)
            alike.setdefault(key, []).append(str(each.index))
    return [
        f"{op} (op {', '.join(indices)}) {where}: {reason}"
        for (op, where, reason), indices in alike.items()
    ]

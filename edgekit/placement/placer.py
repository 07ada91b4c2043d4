"""Where each operator of a model runs on a target, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit.flatbuffer import Graph
from edgekit.placement import edgetpu, ethos, gpu
from edgekit.targets import Target

Verdict = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one operator runs.

    Attributes:
        index: Its number in the main subgraph.
        op: Builtin name, or the name of a custom operator.
        version: Version that the file asks for.
        placement: `edgetpu`, `cpu`, `gpu`, `npu` or `uncertain`.
        reason: Why, as a clause.
    """

    index: int
    op: str
    version: int
    placement: str
    reason: str


def place(graph: Graph, target: Target) -> tuple[Placement, ...]:
    """Say where each operator of a model runs on a target.

    Args:
        graph: The model.
        target: The device.

    Returns:
        One placement an operator of the main subgraph, in the order of execution.
    """
    return placed(graph, PLACERS[target.delegate](graph, target))


def placed(graph: Graph, verdicts: Sequence[Verdict]) -> tuple[Placement, ...]:
    """Put verdicts on the operators that they are about.

    Args:
        graph: The model.
        verdicts: Place and reason of each operator of its main subgraph.
    """
    return tuple(
        Placement(op.index, op.custom_code or op.op, op.version, where, why)
        for op, (where, why) in zip(graph.ops, verdicts, strict=True)
    )


def _on_cpu(graph: Graph, target: Target) -> list[Verdict]:
    return [("cpu", f"{target.title} runs everything on the CPU") for _ in graph.ops]


def _on_edgetpu(graph: Graph, target: Target) -> list[Verdict]:
    return list(edgetpu.predict(graph, target.op_versions))


def _on_gpu(graph: Graph, target: Target) -> list[Verdict]:  # noqa: ARG001 (one signature for all)
    return gpu.predict(graph)


def _on_coreml(graph: Graph, target: Target) -> list[Verdict]:  # noqa: ARG001
    reason = "what the Core ML delegate takes depends on the device and its system"
    return [("uncertain", reason) for _ in graph.ops]


def _on_npu(graph: Graph, target: Target) -> list[Verdict]:
    return ethos.predict(graph, target)


# Delegate of a target -> what knows it.
PLACERS: dict[str, Callable[[Graph, Target], list[Verdict]]] = {
    "cpu": _on_cpu,
    "edgetpu": _on_edgetpu,
    "gpu": _on_gpu,
    "coreml": _on_coreml,
    "npu": _on_npu,
}

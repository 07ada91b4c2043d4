"""What is checked on the bytes of an artifact before it is run."""

from edgekit.errors import TargetError
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.placement.op_versions import op_version_problems
from edgekit.targets import Target

_SHAPE_OPS = {"PACK", "SHAPE", "STRIDED_SLICE"}


def refuse_misfit(graph: Graph, target: Target) -> None:
    """Refuse an artifact that the target's runtime or compiler cannot take.

    Raises:
        TargetError: With every reason.
    """
    if reasons := op_version_problems(graph, target.op_versions):
        msg = f"The model does not fit {target.name}:\n  " + "\n  ".join(reasons)
        raise TargetError(msg)


def refuse_islands(graph: Graph, target: Target) -> None:
    """Refuse an artifact that is to be integer and is not.

    Raises:
        TargetError: With every op that stays in float.
    """
    if graph.float_islands:
        msg = (
            f"{target.name}: --integer-only, but {len(graph.float_islands)} ops stay in "
            f"float: {_islands(graph)}.\nReplace these layers, or leave --integer-only out."
        )
        raise TargetError(msg)


def problems(graph: Graph, scheme: str) -> tuple[str, ...]:
    """Name what may hurt on a device, one sentence or two each.

    Args:
        graph: The artifact.
        scheme: How it was quantized.
    """
    found = []
    if scheme == "int8" and graph.float_islands:
        found.append(
            f"{len(graph.float_islands)} ops stay in float: {_islands(graph)}. "
            "They cost time, and an integer-only accelerator cannot run them. "
            "--integer-only writes LayerNormalization and negation another way."
        )
    if leftovers := _shape_ops(graph):
        found.append(
            f"The graph computes shapes while it runs ({', '.join(leftovers)}); "
            "accelerators refuse that. A fixed input shape in the Keras model removes them."
        )
    if dead := _dead_scales(graph):
        found.append(
            f"Tensors with scale 0: {', '.join(dead)}. Their values never changed during "
            "calibration; is the calibration data constant, or the model untrained?"
        )
    return tuple(found)


def _islands(graph: Graph) -> str:
    """Name the float ops and their layers; conversions at the shores of islands last."""
    shores = {"DEQUANTIZE", "QUANTIZE"}
    inner = [op for op in graph.float_islands if op.op not in shores]
    named = [f"{op.op} of {_layer(graph, op)} (op {op.index})" for op in inner]
    around = [f"{op.op} (op {op.index})" for op in graph.float_islands if op.op in shores]
    return ", ".join(named + around)


def _layer(graph: Graph, op: OpView) -> str:
    """The layer that an op comes from, as the name of its result tells it."""
    tensors = graph.subgraphs[op.subgraph].tensors
    path = tensors[op.outputs[0]].name.partition(";")[0].split("/")
    return f"'{path[-2] if len(path) > 1 else path[0]}'"


def _shape_ops(graph: Graph) -> list[str]:
    computed = {op.op for op in graph.ops if op.op in _SHAPE_OPS}
    return sorted(computed) if "SHAPE" in computed else []


def _dead_scales(graph: Graph) -> list[str]:
    tensors = graph.main.tensors
    return [t.name for t in tensors if not t.is_constant and t.scale and min(t.scale) <= 0]

"""What is checked on the bytes of an artifact before it is run."""

from collections.abc import Mapping, Sequence

from edgekit.errors import TargetError
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.placement import op_version_problems, place
from edgekit.targets import Target

MIB = 2**20
_SHAPE_OPS = {"PACK", "SHAPE", "STRIDED_SLICE"}
_PHONES = {"android", "android-gpu", "ios"}  # whose apps open models with MediaPipe Tasks


def misfits(graph: Graph, target: Target, *, integer_only: bool) -> list[str]:
    """Say why the target's runtime, compiler or memory cannot take an artifact.

    Args:
        graph: The artifact.
        target: The device.
        integer_only: The user wants no operator in float.

    Returns:
        Every reason, one sentence or two each; empty if it fits.
    """
    found = list(op_version_problems(graph, target.op_versions))
    constants = sum(
        tensor.nbytes
        for subgraph in graph.subgraphs
        for tensor in subgraph.tensors
        if tensor.is_constant
    )
    if target.memory_mb is not None and constants > target.memory_mb * MIB:
        found.append(
            f"The weights take {constants / MIB:.1f} MiB; it has {target.memory_mb:g} MiB for "
            "a model and its tensors. Prune the model, or choose a smaller one."
        )
    if integer_only and graph.float_islands:
        found.append(
            f"--integer-only, but {len(graph.float_islands)} ops stay in float: "
            f"{_islands(graph)}. Replace these layers, or leave --integer-only out."
        )
    return found


def refuse(reasons: Mapping[str, Sequence[str]]) -> None:
    """Refuse what does not fit, with every reason for every target at once.

    Args:
        reasons: By name of the target; none where it fits.

    Raises:
        TargetError: There is at least one.
    """
    misfit = {name: found for name, found in reasons.items() if found}
    if not misfit:
        return
    if [len(found) for found in misfit.values()] == [1]:
        ((name, (only,)),) = misfit.items()
        msg = f"{name}: {only}"
        raise TargetError(msg)
    lines = [f"  {name}: {reason}" for name, found in misfit.items() for reason in found]
    msg = "\n".join([f"The model does not fit {', '.join(misfit)}:", *lines])
    raise TargetError(msg)


def problems(graph: Graph, scheme: str, target: Target) -> tuple[str, ...]:
    """Name what may hurt on a device, one sentence or two each.

    Args:
        graph: The artifact.
        scheme: How it was quantized.
        target: The device.
    """
    found = []
    if target.delegate == "gpu" and (elsewhere := _off_the_gpu(graph, target)):
        found.append(
            f"Not certain to run on the GPU: {'; '.join(elsewhere)}. What does not runs on the "
            "CPU, with a copy each way."
        )
    if target.name in _PHONES and any(each.dtype == "int8" for each in graph.inputs):
        found.append(
            "MediaPipe Tasks refuses models with int8 inputs; LiteRT itself opens them. For "
            "MediaPipe leave --io out, or say --io uint8 or float32."
        )
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


def _off_the_gpu(graph: Graph, target: Target) -> list[str]:
    """Name the operators that the GPU's delegate does not surely take, alike ones once."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in place(graph, target):
        if each.placement != "gpu":
            alike.setdefault((each.op, each.reason), []).append(str(each.index))
    return [
        f"{op} (op {', '.join(indices)}): {reason}" for (op, reason), indices in alike.items()
    ]


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

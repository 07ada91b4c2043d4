"""Look into a .tflite file without running it: what it takes, what it does, where it runs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.artifact import graph_manifest
from edgekit.errors import RecordError
from edgekit.flatbuffer.graph import Graph, OpView, TensorView
from edgekit.placement import ethos
from edgekit.placement.edgetpu.memory import Memory
from edgekit.placement.edgetpu.package import Compiled, read_compiled
from edgekit.placement.edgetpu.report import CompilerReport, Report, report
from edgekit.records import to_json
from edgekit.targets import Target, load_target

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or output.

    Attributes:
        name: Name in the model's signature where it has one, else the tensor's.
        shape: Its shape; -1 for an open dimension.
        dtype: numpy's name of its type.
        scale: Real units per integer step; None if it is not quantized.
        zero_point: The integer that stands for real 0; None if it is not quantized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """One operator.

    Attributes:
        index: Its place in the order of execution.
        op: Name of the builtin, or of the custom op.
        version: Version that the file asks the runtime for.
        placement: Where it runs on the target; None without a target.
        reason: Why there; None without a target.
        macs: Multiply-accumulates of one run.
        weight_bytes: Bytes of the constants it reads.
        output: Shape of its first output.
        dtype: Type of its first output.
        cycles: Estimated by the NPU's compiler; None elsewhere.
    """

    index: int
    op: str
    version: int
    placement: str | None
    reason: str | None
    macs: int
    weight_bytes: int
    output: tuple[int, ...]
    dtype: str
    cycles: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What is in a .tflite file.

    Attributes:
        model: The file.
        bytes: Its size.
        inputs: What goes in.
        outputs: What comes out.
        fully_integer: No float tensor but inputs and outputs and their own QUANTIZE and
            DEQUANTIZE.
        float_islands: Operators that stand against that.
        ops: All operators in the order of execution.
        target: The target that placement and warnings are about, or None.
        summary: How many operators run where; empty without a target.
        macs: Multiply-accumulates of one run.
        weight_bytes: Bytes of all constants.
        subgraphs: 1, and one more for each body of a loop or branch.
        warnings: What may be in the way, in words.
        manifest: What the file says about itself, or None.
        npu: What the compiler of the target's NPU estimates; None for other targets.
        memory: What becomes of the parameters on the target's Edge TPU; None elsewhere.
        compiled: What the Edge TPU compiler put into the file; None if it was not compiled.
        compiler: What the real Edge TPU compiler made of it; None where it was not run.
    """

    model: str
    bytes: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    fully_integer: bool
    float_islands: tuple[Op, ...]
    ops: tuple[Op, ...]
    target: str | None
    summary: dict[str, int]
    macs: int
    weight_bytes: int
    subgraphs: int
    warnings: tuple[str, ...]
    manifest: dict[str, Any] | None
    npu: ethos.Estimate | None = None
    memory: Memory | None = None
    compiled: Compiled | None = None
    compiler: CompilerReport | None = None


def inspect(
    path: str | Path, *, target: str | None = None, edgetpu_compiler: str | None = None
) -> Inspection:
    """Read a .tflite file; nothing is run, no interpreter is needed.

    Args:
        path: The file.
        target: Name of a target, or a TOML file, to say where each operator runs there.
        edgetpu_compiler: Path of the Edge TPU compiler, or `none` to do without; by default
            it is run where it is installed, if the target has an Edge TPU.

    Raises:
        InputError: The file cannot be read, is no .tflite, or is damaged.
        UsageError: There is no such program as the Edge TPU compiler.
        CrashError: The Edge TPU compiler did not end in time.
        UnknownName: There is no such target.
        MissingExtra: The target's compiler, which alone can tell, is not installed.
        TargetError: That compiler refuses the model.
    """
    device = load_target(target) if target is not None else None
    graph = Graph(Path(path))
    compiled = _compiled(Path(path), graph, device)
    edge = _on_edgetpu(Path(path), graph, device, edgetpu_compiler)
    placed = dict(enumerate(compiled.ops)) if compiled else _placements(graph, device, edge)
    manifest, trouble = _manifest(graph)
    ops = tuple(_op(graph, op, placed.get(op.index)) for op in graph.ops)
    return Inspection(
        model=str(path),
        bytes=Path(path).stat().st_size,
        inputs=_ports(graph.inputs, graph.main.input_names),
        outputs=_ports(graph.outputs, graph.main.output_names),
        fully_integer=graph.fully_integer,
        float_islands=tuple(_op(graph, op, None) for op in graph.float_islands),
        ops=ops,
        target=device.name if device else None,
        summary=_summary(ops),
        macs=sum(op.macs for op in ops),
        weight_bytes=sum(
            tensor.nbytes
            for subgraph in graph.subgraphs
            for tensor in subgraph.tensors
            if tensor.is_constant
        ),
        subgraphs=len(graph.subgraphs),
        warnings=(*trouble, *warnings(graph, device)),
        manifest=manifest,
        npu=compiled.estimate if compiled else None,
        memory=edge.memory if edge else None,
        compiled=read_compiled(graph),
        compiler=edge.compiler if edge else None,
    )


def warnings(graph: Graph, target: Target | None) -> tuple[str, ...]:
    """Say what may be in the way of running a model, on a target if one is given."""
    found = [*_about_shapes(graph), *_about_islands(graph, target)]
    found += _about_custom_ops(graph, target)
    if target is not None:
        found += _about_target(graph, target)
    return tuple(found)


def _about_shapes(graph: Graph) -> list[str]:
    """Warn of open dimensions; that the batch is open is the lesser trouble."""
    is_open = graph.dynamic_tensors
    if not is_open:
        return []
    if all(-1 not in (tensor.shape_signature or tensor.shape)[1:] for tensor in is_open):
        said = "The batch is left open. Interpreters take 1; accelerators want it fixed."
    else:
        names = ", ".join(tensor.name for tensor in is_open[:3])
        said = (
            f"{_counted(len(is_open), 'tensor')} with open dimensions, e.g. {names}. "
            "Accelerators refuse such models; export it with fixed sizes."
        )
    return [said]


def _about_islands(graph: Graph, target: Target | None) -> list[str]:
    """Warn of float operators where there should be none; a float model is no mistake."""
    islands = graph.float_islands
    names = ", ".join(sorted({_name(op) for op in islands}))
    integers = any(
        tensor.scale and not tensor.is_float and not tensor.is_constant
        for tensor in graph.main.tensors
    )
    if islands and target is not None and target.delegate == "edgetpu":
        said = (
            f"{target.name} computes with integers only, and {len(islands)} of "
            f"{_counted(len(graph.ops), 'operator')} compute in float: {names}. "
            f"Quantize the model with: edgekit convert --target {target.name}"
        )
        return [said]
    if islands and integers:
        said = f"{_counted(len(islands), 'operator')} of this integer model in float: {names}."
        return [said]
    return []


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _about_custom_ops(graph: Graph, target: Target | None) -> list[str]:
    found = []
    custom = {op.custom_code for op in graph.ops if op.custom_code}
    compiled = "edgetpu-custom-op" in custom
    if compiled and (target is None or target.delegate != "edgetpu"):
        found.append(
            "The file was compiled for the Edge TPU and runs only there: give --delegate "
            "edgetpu, or take the file that the compiler was given."
        )
    if ethos.NPU_OP in custom and (target is None or target.npu is None):
        found.append(
            "The file was compiled for an Arm Ethos-U and runs only there, in TensorFlow Lite "
            "Micro; elsewhere take the file that Vela was given."
        )
    rest = sorted(custom - {"edgetpu-custom-op", ethos.NPU_OP})
    if rest and target is None:  # of a target it is known whether it has them
        found.append(f"Custom operators need a runtime that has them: {', '.join(rest)}.")
    return found


def _about_target(graph: Graph, target: Target) -> list[str]:
    from edgekit.placement import op_version_problems

    compiled = target.npu is not None and ethos.is_compiled(graph)
    found = [] if compiled else list(op_version_problems(graph, target.op_versions))
    constants = sum(tensor.nbytes for tensor in graph.main.tensors if tensor.is_constant)
    if target.memory_mb is not None and constants > target.memory_mb * MIB:
        found.append(
            f"The weights take {constants / MIB:.1f} MiB; {target.name} has "
            f"{target.memory_mb:g} MiB for a model and its tensors."
        )
    return found


def _placements(graph: Graph, target: Target | None, edge: Report | None) -> dict[int, Any]:
    if target is None:
        return {}
    from edgekit.placement import place, placed

    found = placed(graph, edge.verdicts) if edge else place(graph, target)
    return {each.index: each for each in found}


def _on_edgetpu(
    path: Path, graph: Graph, target: Target | None, compiler: str | None
) -> Report | None:
    """All that can be said of the Edge TPU, if the target has one."""
    if target is None or target.delegate != "edgetpu":
        return None
    return report(path, graph, target.op_versions, compiler)


def _compiled(path: Path, graph: Graph, target: Target | None) -> ethos.Compilation | None:
    """Ask the NPU's compiler, unless the file has been through it already."""
    if target is None or target.npu is None or ethos.is_compiled(graph):
        return None
    return ethos.compile_for(path.read_bytes(), path.name, target)


def _manifest(graph: Graph) -> tuple[dict[str, Any] | None, list[str]]:
    try:
        found = graph_manifest(graph)
    except RecordError as error:
        return None, [str(error)]
    return (to_json(found) if found is not None else None), []


def _op(graph: Graph, op: OpView, placed: Any) -> Op:
    tensors = graph.subgraphs[op.subgraph].tensors
    first = next((tensors[index] for index in op.outputs if index >= 0), None)
    constants = {index for index in op.inputs if index >= 0 and tensors[index].is_constant}
    return Op(
        index=op.index,
        op=_name(op),
        version=op.version,
        placement=placed.placement if placed is not None else None,
        reason=placed.reason if placed is not None else None,
        macs=graph.macs(op),
        weight_bytes=sum(tensors[index].nbytes for index in constants),
        output=first.shape if first is not None else (),
        dtype=first.dtype if first is not None else "",
        cycles=getattr(placed, "cycles", None),
    )


def _name(op: OpView) -> str:
    return op.custom_code or op.op


def _ports(tensors: Sequence[TensorView], names: dict[int, str]) -> tuple[Port, ...]:
    return tuple(
        Port(
            name=names.get(tensor.index, tensor.name),
            shape=tensor.shape_signature or tensor.shape,
            dtype=tensor.dtype,
            scale=tensor.scale[0] if tensor.scale else None,
            zero_point=tensor.zero_point[0] if tensor.zero_point else None,
        )
        for tensor in tensors
    )


def _summary(ops: Sequence[Op]) -> dict[str, int]:
    """Count the operators by placement; the three of the contract are always there."""
    placed = Counter(op.placement for op in ops if op.placement is not None)
    if not placed:
        return {}
    return {name: placed.pop(name, 0) for name in ("edgetpu", "cpu", "uncertain")} | placed

"""A float .tflite made ready for quantization: batch 1, constants folded, names unique.

What shape arithmetic leaves behind (SHAPE, STRIDED_SLICE, PACK) is computed once and
stored, as is everything else that depends on constants alone (float16 weights, sparse
weights), so that only the operators that see the input remain.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.extras import need
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.schema import enum_names, enum_values
from edgekit.flatbuffer.tables import Table, pack, read_model, text
from edgekit_converters.quantize.op_versions import op_name

# Operators whose result differs from run to run, or that do more than compute one.
_NEVER_FOLDED = frozenset(
    [
        "ASSIGN_VARIABLE",
        "BERNOULLI",
        "CALL",
        "CALL_ONCE",
        "CUSTOM",
        "DELEGATE",
        "HASHTABLE",
        "HASHTABLE_FIND",
        "HASHTABLE_IMPORT",
        "HASHTABLE_SIZE",
        "IF",
        "MULTINOMIAL",
        "RANDOM_STANDARD_NORMAL",
        "RANDOM_UNIFORM",
        "READ_VARIABLE",
        "STABLEHLO_COMPOSITE",
        "STABLEHLO_RNG_BIT_GENERATOR",
        "VAR_HANDLE",
        "WHILE",
    ]
)
_ABOUT_SHAPE = frozenset({"RANK", "SHAPE"})  # known without the values
_INTEGERS = frozenset({"int4", "int8", "int16", "uint8"})
_MAX_FOLDED_BYTES = 2**26


@dataclass(frozen=True, slots=True)
class FloatGraph:
    """A float model that is ready.

    Attributes:
        data: The .tflite file.
        notes: What was changed and what stands in the way of integers, as sentences.
    """

    data: bytes
    notes: tuple[str, ...]


def prepare(path: Path) -> FloatGraph:
    """Read a float .tflite and make it ready.

    Call it in a guarded child: it runs the model in the interpreter.

    Raises:
        SourceError: It is quantized already, leaves more than its batch open, or does
            not run.
        InputError: It is no .tflite file, or is damaged.
    """
    file = read_model(path)
    graph = Graph(file)  # checks every number that refers to something
    _refuse_quantized(graph, path, constants=False)
    model = file.model
    _complete(model)
    _unique_names(model)
    notes = _fix_batch(model, graph, path)
    values = run_once(pack(model), str(path))
    _take_shapes(model.subgraphs[0], values)
    notes += _fold(model, values)
    drop_unused(model)
    data = pack(model)
    _refuse_quantized(Graph(data), path, constants=True)
    return FloatGraph(data=data, notes=(*notes, *_shape_leftovers(model)))


def interpreter(data: bytes, name: str, threads: int = 1, *, plain: bool = True) -> Any:
    """Open a model so that every tensor keeps its values after a run.

    Args:
        data: The model.
        name: What messages call it.
        threads: How many its kernels may use.
        plain: Without delegates. With them it is faster, but tensors between operators are
            lost.

    Raises:
        SourceError: The interpreter does not know one of its operators, or it is damaged.
    """
    litert = need("ai_edge_litert.interpreter", "run the float model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that keeping tensors takes memory
        try:
            made = litert.Interpreter(
                model_content=data,
                num_threads=threads,
                experimental_preserve_all_tensors=plain,
                experimental_op_resolver_type=(
                    litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                    if plain
                    else litert.OpResolverType.AUTO
                ),
            )
            made.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise _does_not_run(name, error) from error
    return made


def resize(made: Any, shapes: Sequence[Sequence[int]], name: str) -> None:
    """Give the inputs of an open model other shapes.

    Raises:
        SourceError: It does not take them.
    """
    try:
        for detail, shape in zip(made.get_input_details(), shapes, strict=True):
            made.resize_tensor_input(detail["index"], list(shape))
        made.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise _does_not_run(name, error) from error


def run(made: Any, name: str) -> None:
    """Run the model once on the inputs that were set.

    Raises:
        SourceError: It does not run.
    """
    try:
        made.invoke()
    except (RuntimeError, ValueError) as error:
        raise _does_not_run(name, error) from error


def _does_not_run(name: str, error: Exception) -> SourceError:
    reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
    msg = (
        f"{name} does not run in the LiteRT interpreter: {reason}\n"
        "Only models of built-in operators can be quantized; export it without custom or "
        "Flex operators."
    )
    return SourceError(msg)


def _complete(model: Table) -> None:
    """Write what old files leave out: operator numbers beyond one byte, signatures."""
    model.signature_defs = model.signature_defs or []
    for code in model.operator_codes:
        number = max(code.builtin_code, code.deprecated_builtin_code)
        code.builtin_code, code.deprecated_builtin_code = number, min(number, 127)


def _unique_names(model: Table) -> None:
    """Give every tensor a name of its own: ranges and transformations go by name."""
    taken: set[str] = set()
    for subgraph in model.subgraphs:
        for index, tensor in enumerate(subgraph.tensors or ()):
            name = base = text(tensor.name) or f"tensor_{index}"
            copy = 1
            while name in taken:
                copy += 1
                name = f"{base}_{copy}"
            taken.add(name)
            tensor.name = name


def _fix_batch(model: Table, graph: Graph, path: Path) -> tuple[str, ...]:
    """Set an open first dimension of the inputs to 1."""
    opened = [each for each in graph.inputs if each.dynamic]
    for each in opened:
        asked = each.shape_signature or each.shape
        if any(size < 0 for size in asked[1:]):
            shape = ", ".join("open" if size < 0 else str(size) for size in asked)
            msg = (
                f"{path}: input '{each.name}' has shape ({shape}); only the first dimension, "
                "the batch, may be open.\nExport the model with fixed sizes."
            )
            raise SourceError(msg)
    main = model.subgraphs[0]
    for each in opened:
        main.tensors[each.index].shape = np.array([1, *each.shape[1:]], np.int32)
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors or ():
            tensor.shape_signature = None
    return ("The open batch was fixed to 1.",) if opened else ()


def run_once(data: bytes, name: str) -> Any:
    """Run a model on zeros; what depends on constants alone has its final value then.

    Raises:
        SourceError: It does not run.
    """
    made = interpreter(data, name)
    for detail in made.get_input_details():
        made.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    run(made, name)
    return made


def _take_shapes(main: Table, made: Any) -> None:
    """Write the shapes that follow from the batch into the file."""
    for detail in made.get_tensor_details():
        if detail["index"] < len(main.tensors):
            main.tensors[detail["index"]].shape = np.array(detail["shape"], np.int32)


def _fold(model: Table, made: Any) -> tuple[str, ...]:
    """Replace operators whose result is known by that result."""
    main = model.subgraphs[0]
    known = {index for index in range(len(main.tensors)) if constant(model, main, index)}
    kept, folded = [], []
    for op in main.operators or ():
        results = [int(index) for index in op.outputs]
        if _is_known(model, op, known) and all(_storable(main, i) for i in results):
            known.update(results)
            folded.append(op)
        else:
            kept.append(op)
    used = {int(i) for op in kept for i in op.inputs} | {int(i) for i in main.outputs}
    for op in folded:
        for index in (int(each) for each in op.outputs):
            if index in used:
                _store(model, main.tensors[index], made.get_tensor(index))
    main.operators = kept
    if not folded:
        return ()
    names = ", ".join(sorted({op_name(model, op) for op in folded}))
    return (f"{len(folded)} operators that do not depend on the input were computed: {names}.",)


def constant(model: Table, subgraph: Table, index: int) -> bool:
    """Whether the values of a tensor stand in the file."""
    tensor = subgraph.tensors[index]
    data = model.buffers[tensor.buffer].data if tensor.buffer else None
    return data is not None and len(data) > 0 and not tensor.is_variable


def _is_known(model: Table, op: Table, known: set[int]) -> bool:
    name = op_name(model, op)
    inputs = [int(index) for index in op.inputs if index >= 0]
    if name in _ABOUT_SHAPE:
        return True  # every shape is fixed
    return bool(inputs) and name not in _NEVER_FOLDED and known.issuperset(inputs)


def _storable(main: Table, index: int) -> bool:
    tensor = main.tensors[index]
    kind = enum_names("TensorType")[tensor.type]
    if kind in {"RESOURCE", "STRING", "VARIANT"} or index in set(main.inputs):
        return False
    return int(np.prod(tensor.shape)) * 8 <= _MAX_FOLDED_BYTES


def _store(model: Table, tensor: Table, values: NDArray[Any]) -> None:
    """Make a tensor a constant."""
    raw = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    tensor.shape = np.array(values.shape, np.int32)
    model.buffers.append(Table("Buffer", data=raw))


def drop_unused(model: Table) -> None:
    """Drop the data of tensors that no operator touches, and buffers that nobody uses."""
    for subgraph in model.subgraphs:
        used = {int(i) for op in subgraph.operators or () for i in (*op.inputs, *op.outputs)}
        used |= {int(i) for i in (*subgraph.inputs, *subgraph.outputs)}
        for index, tensor in enumerate(subgraph.tensors or ()):
            if index not in used:
                tensor.buffer = 0
    owners = [each for subgraph in model.subgraphs for each in subgraph.tensors or ()]
    owners += model.metadata or []
    kept = sorted({0, *(owner.buffer for owner in owners)})
    place = {buffer: index for index, buffer in enumerate(kept)}
    for owner in owners:
        owner.buffer = place[owner.buffer]
    model.buffers = [model.buffers[buffer] for buffer in kept]
    model.metadata_buffer = None  # numbers of buffers, superseded by `metadata`


def _refuse_quantized(graph: Graph, path: Path, *, constants: bool) -> None:
    used = {i for op in graph.main.ops for i in (*op.inputs, *op.outputs)} | {
        *graph.main.inputs
    }
    for tensor in graph.main.tensors:
        looked_at = tensor.index in used and (constants or not tensor.is_constant)
        if looked_at and tensor.dtype in _INTEGERS and tensor.scale:
            msg = (
                f"{path} is quantized already: its tensor '{tensor.name}' is {tensor.dtype}.\n"
                "Give the float model that it was made from."
            )
            raise SourceError(msg)


def _shape_leftovers(model: Table) -> Iterator[str]:
    """Name the operators that compute shapes from values."""
    names = sorted(_integer_ops(model, model.subgraphs[0]))
    if names:
        yield f"Arithmetic with whole numbers stays in the model: {', '.join(names)}."


def _integer_ops(model: Table, main: Table) -> set[str]:
    whole = {enum_values("TensorType")[name] for name in ("INT32", "INT64")}

    def types(indices: Sequence[int]) -> set[int]:
        return {int(main.tensors[index].type) for index in indices if index >= 0}

    return {
        op_name(model, op)
        for op in main.operators or ()
        if types(op.inputs) <= whole and types(op.outputs) <= whole
    }

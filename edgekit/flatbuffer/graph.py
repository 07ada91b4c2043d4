"""A read-only view of a .tflite file: tensors, operators, signatures, metadata.

Everything that refers to something else by number is checked once, when the view is
made; after that no look-up can fail.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from edgekit.errors import InputError
from edgekit.flatbuffer.schema import enum_names, schema
from edgekit.flatbuffer.tables import ModelFile, Table, Unknown, read_model, text

FLOAT_TYPES = frozenset(
    {"float16", "bfloat16", "float32", "float64", "complex64", "complex128"}
)
# Types of later schemas than the package knows.
_LATER_TYPES = {18: "bfloat16", 19: "int2", 20: "uint4"}
# Bits of an element where numpy has no such type.
_BITS = {
    "bfloat16": 16,
    "float8_e4m3fn": 8,
    "float8_e5m2": 8,
    "int2": 2,
    "int4": 4,
    "resource": 0,
    "string": 8,
    "uint4": 4,
    "variant": 0,
}
# Option -> the enum whose names stand for its numbers.
_OPTION_ENUMS = {
    "combiner": "CombinerType",
    "fused_activation_function": "ActivationFunctionType",
    "in_data_type": "TensorType",
    "idx_out_type": "TensorType",
    "kernel_type": "LSTMKernelType",
    "out_data_type": "TensorType",
    "out_type": "TensorType",
    "output_type": "TensorType",
    "padding": "Padding",
    "quantized_bias_type": "TensorType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
}
_MAX_RANK = 64
_MIRROR_PAD = {"mode": "MirrorPadMode"}


@dataclass(frozen=True, slots=True)
class TensorView:
    """One tensor.

    Attributes:
        index: Its number within the subgraph.
        name: As it can be printed.
        shape: () for a scalar; an open dimension is 1, or -1, see `dynamic`.
        dtype: numpy's name, e.g. `int8`, or `string`, `int4`, `resource`, ...
        scale: Real units a step: one value, one a channel, or () if it is not quantized.
        zero_point: Quantized value of real 0, as many as scales.
        quantized_dimension: Which dimension the channels are.
        is_constant: Its values are in the file.
        nbytes: Bytes of a constant in the file; else what its values take in memory.
        shape_signature: The shape with -1 for each open dimension; () if the file has none.
        is_variable: It keeps its values from one run to the next.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    quantized_dimension: int = 0
    is_constant: bool = False
    nbytes: int = 0
    shape_signature: tuple[int, ...] = ()
    is_variable: bool = False

    @property
    def is_float(self) -> bool:
        """Its values are floats."""
        return self.dtype.startswith(("float", "bfloat", "complex"))

    @property
    def dynamic(self) -> bool:
        """A dimension is open."""
        return min(self.shape_signature, default=0) < 0 or min(self.shape, default=0) < 0


@dataclass(frozen=True, slots=True)
class OpView:
    """One operator.

    Attributes:
        index: Its number within the subgraph, which is the order of execution.
        op: Name of the builtin, e.g. `CONV_2D`; `CUSTOM` for custom ops.
        version: Version of the op that the file asks the runtime for.
        inputs: Tensor numbers; -1 for an optional one that is left out.
        outputs: Tensor numbers.
        options: Fields of its options table; enums by name, e.g. {'padding': 'SAME'}.
        custom_code: Name of a custom op, e.g. `edgetpu-custom-op`; '' for builtins.
        intermediates: Tensors that only carry ranges of a fused LSTM; they hold no values.
        subgraph: Number of the subgraph it stands in.
    """

    index: int
    op: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict, compare=False)
    custom_code: str = ""
    intermediates: tuple[int, ...] = ()
    subgraph: int = 0


@dataclass(frozen=True, slots=True)
class SubgraphView:
    """One subgraph; the first is the model, others are bodies of loops and branches.

    Attributes:
        index: Its number.
        name: Its name, often empty.
        tensors: All tensors.
        ops: Operators in the order of execution.
        inputs: Numbers of the input tensors.
        outputs: Numbers of the output tensors.
        signature: Key of its signature, e.g. `serving_default`; '' if it has none.
        input_names: The signature's name of each input tensor, by tensor number.
        output_names: The signature's name of each output tensor, by tensor number.
    """

    index: int
    name: str
    tensors: tuple[TensorView, ...]
    ops: tuple[OpView, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    signature: str = ""
    input_names: dict[int, str] = field(default_factory=dict, compare=False)
    output_names: dict[int, str] = field(default_factory=dict, compare=False)


class Graph:
    """What a .tflite file holds.

    Args:
        source: A path, the bytes, or a file that was read already.

    Raises:
        InputError: It cannot be read, is no .tflite file, or is damaged.

    Attributes:
        file: The file as a tree of tables.
        subgraphs: Views of its subgraphs; there is at least one.
        metadata: The metadata buffers by name, e.g. {'min_runtime_version': b'1.5.0...'}.
        description: The file's own words about itself.
    """

    def __init__(self, source: str | Path | bytes | ModelFile) -> None:
        self.file = source if isinstance(source, ModelFile) else read_model(source)
        view = _Viewer(self.file)
        self.subgraphs = view.subgraphs()
        self.metadata = view.metadata()
        self.description = text(self.file.model.description)

    @property
    def main(self) -> SubgraphView:
        """The subgraph that is the model."""
        return self.subgraphs[0]

    @property
    def inputs(self) -> tuple[TensorView, ...]:
        """The model's input tensors."""
        return tuple(self.main.tensors[i] for i in self.main.inputs)

    @property
    def outputs(self) -> tuple[TensorView, ...]:
        """The model's output tensors."""
        return tuple(self.main.tensors[i] for i in self.main.outputs)

    @property
    def ops(self) -> tuple[OpView, ...]:
        """The model's operators, without those of loops and branches."""
        return self.main.ops

    @cached_property
    def dynamic_tensors(self) -> tuple[TensorView, ...]:
        """Tensors of the model that have an open dimension."""
        return tuple(tensor for tensor in self.main.tensors if tensor.dynamic)

    @cached_property
    def float_islands(self) -> tuple[OpView, ...]:
        """Operators that read or write float values where an integer model has none.

        Allowed are 1. QUANTIZE from a float input of the model to integers and
        2. DEQUANTIZE from integers to a float output of the model. Every other operator
        with a float input or output tensor is part of an island, and so is each inside a
        loop or branch. Not counted are tensors without values: the intermediates of a
        fused LSTM, and those that no operator touches.
        """
        return tuple(
            op
            for subgraph in self.subgraphs
            for op in subgraph.ops
            if _touches_float(subgraph, op) and not _at_the_border(subgraph, op)
        )

    @property
    def fully_integer(self) -> bool:
        """No float tensor except inputs and outputs and their own QUANTIZE / DEQUANTIZE."""
        return not self.float_islands

    def macs(self, op: OpView) -> int:
        """Multiply-accumulates of one run of an operator; 0 for ops without a matrix product.

        Counted are CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED and
        BATCH_MATMUL; an open dimension counts as 1.
        """
        count = _MACS.get(op.op)
        tensors = self.subgraphs[op.subgraph].tensors
        shapes = [_fixed(tensors[i].shape) if i >= 0 else () for i in op.inputs]
        outputs = [_fixed(tensors[i].shape) for i in op.outputs if i >= 0]
        if count is None or not outputs or len(shapes) < 2:
            return 0
        return count(shapes, outputs[0], op.options)

    def constant(self, tensor: TensorView, subgraph: int = 0) -> np.ndarray[Any, Any]:
        """Values of a constant in its shape; raw bytes where numpy has no such type.

        Raises:
            InputError: It is no constant, or its bytes do not fill its shape.
        """
        data = _buffer_data(self.file.model, self._table(tensor, subgraph).buffer)
        if data is None or not tensor.is_constant:
            msg = f"Tensor '{tensor.name}' of {self.file.name} is no constant."
            raise InputError(msg)
        dtype = _numpy_type(tensor.dtype)
        if dtype is None:
            return data
        if data.nbytes != math.prod(tensor.shape) * dtype.itemsize:
            msg = (
                f"Constant '{tensor.name}' of {self.file.name} has {data.nbytes:,} bytes, "
                f"which do not fill {tensor.dtype} {list(tensor.shape)}."
            )
            raise InputError(msg)
        return data.view(dtype).reshape(tensor.shape)

    def custom_options(self, op: OpView) -> bytes:
        """The raw options of a custom op."""
        table = self.file.model.subgraphs[op.subgraph].operators[op.index]
        return b"" if table.custom_options is None else bytes(table.custom_options)

    def _table(self, tensor: TensorView, subgraph: int) -> Table:
        table: Table = self.file.model.subgraphs[subgraph].tensors[tensor.index]
        return table


def dtype_name(code: int) -> str:
    """Name of a tensor type, e.g. 9 -> 'int8'."""
    return enum_names("TensorType").get(code, f"type {code}").lower()


def op_name(code: int) -> str:
    """Name of a builtin operator, e.g. 3 -> 'CONV_2D'."""
    return enum_names("BuiltinOperator").get(code, f"BUILTIN_{code}")


def op_code(table: Table) -> int:
    """Number of an operator code's builtin: codes above 127 stand in a field of their own."""
    code: int = max(table.deprecated_builtin_code, table.builtin_code)
    return code


class _Viewer:
    """Builds the views and checks every number that refers to something."""

    def __init__(self, file: ModelFile) -> None:
        self.name = file.name
        self.model = file.model
        self.buffers = file.model.buffers or []

    def fail(self, detail: str) -> NoReturn:
        msg = f"{self.name} is damaged: {detail}. Get or make the file again."
        raise InputError(msg)

    def check(self, numbers: Any, count: int, what: str, low: int = 0) -> tuple[int, ...]:
        """Numbers of tensors, buffers, ... as a tuple, each in [low, count)."""
        values = () if numbers is None else tuple(np.asarray(numbers).tolist())
        if values and not (low <= min(values) and max(values) < count):
            wrong = next(v for v in values if not low <= v < count)
            self.fail(f"{what} refers to number {wrong} of {count}")
        return values

    def subgraphs(self) -> tuple[SubgraphView, ...]:
        tables = self.model.subgraphs or []
        if not tables:
            self.fail("it holds no graph")
        return tuple(self.subgraph(i, table) for i, table in enumerate(tables))

    def subgraph(self, index: int, table: Table) -> SubgraphView:
        tensors = tuple(self.tensor(i, each) for i, each in enumerate(table.tensors or ()))
        count = len(tensors)
        signature = self.signature(index)
        return SubgraphView(
            index=index,
            name=text(table.name),
            tensors=tensors,
            ops=tuple(self.op(i, t, index, count) for i, t in enumerate(table.operators or ())),
            inputs=self.check(table.inputs, count, "an input of the graph"),
            outputs=self.check(table.outputs, count, "an output of the graph"),
            signature=text(signature.signature_key) if signature else "",
            input_names=self.names(signature.inputs, count) if signature else {},
            output_names=self.names(signature.outputs, count) if signature else {},
        )

    def signature(self, subgraph: int) -> Table | None:
        found = (s for s in self.model.signature_defs or () if s.subgraph_index == subgraph)
        return next(found, None)

    def names(self, maps: list[Table] | None, count: int) -> dict[int, str]:
        self.check([each.tensor_index for each in maps or ()], count, "a signature")
        return {each.tensor_index: text(each.name) for each in maps or ()}

    def tensor(self, index: int, table: Table) -> TensorView:
        self.check([table.buffer], max(len(self.buffers), 1), f"tensor {index}")
        data = _buffer_data(self.model, table.buffer)
        dtype = dtype_name(table.type)
        shape = _tuple(table.shape)
        if len(shape) > _MAX_RANK:
            self.fail(f"tensor {index} has {len(shape):,} dimensions")
        constant = data is not None and data.size > 0 and not table.is_variable
        params = table.quantization
        scale = _tuple(params.scale) if params else ()
        return TensorView(
            index=index,
            name=text(table.name),
            shape=shape,
            dtype=dtype,
            scale=scale,
            zero_point=_zero_points(params.zero_point, len(scale)) if params else (),
            quantized_dimension=params.quantized_dimension if params else 0,
            is_constant=constant,
            nbytes=data.nbytes if constant and data is not None else _nbytes(dtype, shape),
            shape_signature=_tuple(table.shape_signature),
            is_variable=bool(table.is_variable),
        )

    def op(self, index: int, table: Table, subgraph: int, tensors: int) -> OpView:
        codes = self.model.operator_codes or []
        self.check([table.opcode_index], len(codes), f"operator {index}")
        code = codes[table.opcode_index]
        where = f"operator {index}"
        return OpView(
            index=index,
            op=op_name(op_code(code)),
            version=code.version,
            inputs=self.check(table.inputs, tensors, where, low=-1),
            outputs=self.check(table.outputs, tensors, where, low=-1),
            options=dict(_options(table.builtin_options))
            | dict(_options(table.builtin_options2)),
            custom_code=text(code.custom_code),
            intermediates=self.check(table.intermediates, tensors, where, low=-1),
            subgraph=subgraph,
        )

    def metadata(self) -> dict[str, bytes]:
        found = {}
        for each in self.model.metadata or ():
            self.check([each.buffer], len(self.buffers), f"metadata '{text(each.name)}'")
            data = self.buffers[each.buffer].data
            found[text(each.name)] = b"" if data is None else bytes(data)
        return found


def _tuple(values: np.ndarray[Any, Any] | None) -> tuple[Any, ...]:
    return () if values is None else tuple(values.tolist())


def _zero_points(values: np.ndarray[Any, Any] | None, count: int) -> tuple[int, ...]:
    """One zero point a scale; those that the file leaves out are 0."""
    found = _tuple(values)[:count]
    return found + (0,) * (count - len(found))


def _buffer_data(model: Table, index: int) -> np.ndarray[Any, Any] | None:
    """Bytes of a buffer; number 0 stands for none by convention."""
    if index == 0 or not model.buffers:
        return None
    data: np.ndarray[Any, Any] | None = model.buffers[index].data
    return data


def _numpy_type(dtype: str) -> np.dtype[Any] | None:
    try:
        return None if dtype in _BITS else np.dtype(dtype).newbyteorder("<")
    except TypeError:
        return None


def _nbytes(dtype: str, shape: tuple[int, ...]) -> int:
    known = _numpy_type(dtype)
    bits = known.itemsize * 8 if known else _BITS.get(dtype, 8)
    return (math.prod(_fixed(shape)) * bits + 7) // 8


def _fixed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with 1 for open dimensions."""
    return tuple(size if size >= 0 else 1 for size in shape)


def _options(table: Table | Unknown | None) -> Iterator[tuple[str, Any]]:
    """Fields of an options table as plain values."""
    if not isinstance(table, Table):
        return
    enums = _OPTION_ENUMS | (_MIRROR_PAD if table.table_kind == "MirrorPadOptions" else {})
    for each in schema(table.table_kind).fields:
        value = getattr(table, each.name)
        if each.kind == "scalars":
            value = _tuple(value)
        elif each.kind == "string":
            value = text(value)
        elif each.kind != "scalar":
            continue
        elif each.name in enums:
            value = enum_names(enums[each.name]).get(value, value)
        elif each.flags.__name__ == "BoolFlags":
            value = bool(value)
        yield each.name, value


def _touches_float(subgraph: SubgraphView, op: OpView) -> bool:
    return any(subgraph.tensors[i].is_float for i in op.inputs + op.outputs if i >= 0)


def _at_the_border(subgraph: SubgraphView, op: OpView) -> bool:
    """The op is the QUANTIZE of an input of the model or the DEQUANTIZE of an output."""
    if subgraph.index != 0 or len(op.inputs) != 1 or len(op.outputs) != 1:
        return False
    (source,), (result,) = op.inputs, op.outputs
    if op.op == "QUANTIZE":
        return source in subgraph.inputs and not subgraph.tensors[result].is_float
    if op.op == "DEQUANTIZE":
        return result in subgraph.outputs and not subgraph.tensors[source].is_float
    return False


_Shapes = list[tuple[int, ...]]


def _conv_macs(inputs: _Shapes, output: tuple[int, ...], _: dict[str, Any]) -> int:
    return math.prod(output) * math.prod(inputs[1][1:])  # filter: out, height, width, in


def _depthwise_macs(inputs: _Shapes, output: tuple[int, ...], _: dict[str, Any]) -> int:
    return math.prod(output) * math.prod(inputs[1][1:3])  # filter: 1, height, width, out


def _transposed_macs(inputs: _Shapes, _: tuple[int, ...], __: dict[str, Any]) -> int:
    if len(inputs) < 3:
        return 0
    return math.prod(inputs[2]) * math.prod(inputs[1][:3])  # filter: out, height, width, in


def _dense_macs(inputs: _Shapes, output: tuple[int, ...], _: dict[str, Any]) -> int:
    return math.prod(output) * math.prod(inputs[1][-1:])  # weights: out, in


def _matmul_macs(inputs: _Shapes, output: tuple[int, ...], options: dict[str, Any]) -> int:
    inner = -2 if options.get("adj_x") else -1
    return math.prod(output) * (inputs[0][inner] if len(inputs[0]) >= 2 else 0)


_MACS: dict[str, Callable[[_Shapes, tuple[int, ...], dict[str, Any]], int]] = {
    "BATCH_MATMUL": _matmul_macs,
    "CONV_2D": _conv_macs,
    "DEPTHWISE_CONV_2D": _depthwise_macs,
    "FULLY_CONNECTED": _dense_macs,
    "TRANSPOSE_CONV": _transposed_macs,
}

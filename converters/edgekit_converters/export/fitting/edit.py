"""Operators of a model, replaced by others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer.graph import Graph, OpView, TensorView
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack
from edgekit_converters.quantize.float_graph import drop_unused
from edgekit_converters.quantize.op_versions import set_versions

Array = NDArray[Any]


class Edit:
    """Changes the main subgraph of a model.

    Args:
        graph: The model; its tree is changed.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._model = graph.file.model
        self._main = self._model.subgraphs[0]

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        like: int,
        scale: Sequence[float] | None = None,
        zero_point: int | None = None,
    ) -> int:
        """Add a tensor that is computed; return its number.

        Args:
            name: Its name.
            shape: Its shape.
            like: The tensor whose type it has, and whose scale unless another is given.
            scale: Real units a step.
            zero_point: Quantized value of real 0.
        """
        known = self._main.tensors[like]
        params = known.quantization
        if scale is not None:
            params = _params(scale, [zero_point or 0])
        return self._added(name, shape, known.type, params)

    def constant(
        self, name: str, values: Array, scale: Sequence[float] = (), axis: int = 0
    ) -> int:
        """Add a constant with the zero point 0; return its number.

        Args:
            name: Its name.
            values: As they stand in the file.
            scale: One for all values or one a channel; none for plain numbers.
            axis: Which dimension the channels are.
        """
        kind = enum_values("TensorType")[values.dtype.name.upper()]
        params = _params(scale, [0] * len(scale), axis) if len(scale) else None
        number = self._added(name, values.shape, kind, params)
        data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self._main.tensors[number].buffer = len(self._model.buffers)
        self._model.buffers.append(Table("Buffer", data=data))
        return number

    def op(
        self,
        kind: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Table | None = None,
    ) -> Table:
        """Make an operator that stands nowhere yet.

        Args:
            kind: Name of the builtin, e.g. `CONV_2D`.
            inputs: Numbers of its inputs.
            outputs: Numbers of its outputs.
            options: Its options table, where it has one.
        """
        number = enum_values("BuiltinOperator")[kind]
        codes = self._model.operator_codes
        code = Table(
            "OperatorCode", builtin_code=number, deprecated_builtin_code=min(number, 127)
        )
        codes.append(code)  # `set_versions` joins codes of one operator
        return Table(
            "Operator",
            opcode_index=len(codes) - 1,
            inputs=np.array(inputs, np.int32),
            outputs=np.array(outputs, np.int32),
            builtin_options=options,
        )

    def options(self, op: OpView, **changed: Any) -> Table:
        """Copy the options of an operator."""
        source = self._main.operators[op.index].builtin_options
        fields = {k: v for k, v in vars(source).items() if not k.startswith("table_")}
        return Table(source.table_kind, **(fields | changed))

    def replace(self, replacements: Sequence[tuple[Sequence[OpView], Sequence[Table]]]) -> None:
        """Put operators in the place of others, where the last of these stood."""
        gone = {op.index for ops, _ in replacements for op in ops}
        at = {ops[-1].index: made for ops, made in replacements}
        operators: list[Table] = []
        for index, op in enumerate(self._main.operators):
            operators += at.get(index, ())
            if index not in gone:
                operators.append(op)
            else:  # its version may have been for its sake alone; `set_versions` knows
                self._model.operator_codes[op.opcode_index].version = 1
        self._main.operators = operators

    def packed(self) -> bytes:
        """Return the model as a file, without what nothing refers to."""
        set_versions(self._model)
        drop_unused(self._model)
        return pack(self._model)

    def _added(self, name: str, shape: Sequence[int], kind: int, params: Table | None) -> int:
        self._main.tensors.append(
            Table(
                "Tensor",
                name=name,
                shape=np.array(shape, np.int32),
                type=kind,
                buffer=0,
                quantization=params,
                has_rank=True,
            )
        )
        return len(self._main.tensors) - 1


@dataclass(frozen=True, slots=True)
class Match:
    """Operators that can be written another way.

    Attributes:
        ops: The operators, in the order of execution; only the last one's result is read
            by others.
        make: Makes those that take their place.
    """

    ops: tuple[OpView, ...]
    make: Callable[[Edit], list[Table]]


def sole_reader(graph: Graph, tensor: int) -> OpView | None:
    """Return the operator that reads a tensor, if one alone does and it is no output."""
    readers = [op for op in graph.main.ops if tensor in op.inputs]
    return readers[0] if len(readers) == 1 and tensor not in graph.main.outputs else None


def ends(graph: Graph, op: OpView) -> tuple[TensorView, TensorView]:
    """Return the first input and the first output of an operator."""
    return graph.main.tensors[op.inputs[0]], graph.main.tensors[op.outputs[0]]


def _params(scale: Sequence[float], zero_point: Sequence[int], axis: int = 0) -> Table:
    return Table(
        "QuantizationParameters",
        scale=np.array(scale, np.float32),
        zero_point=np.array(zero_point, np.int64),
        quantized_dimension=axis,
    )

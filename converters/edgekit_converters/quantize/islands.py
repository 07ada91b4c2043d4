"""Make operators integer that ai-edge-quantizer left in float between integer neighbours.

Its output has DEQUANTIZE -> operator -> QUANTIZE where it has no rule for the operator
although the runtime has an 8-bit kernel. Here such an operator reads and writes integers:

1. An operator whose float inputs all come from DEQUANTIZE becomes integer; its result is
   dequantized for whoever reads it. In the order of execution, so chains follow.
2. QUANTIZE of such a DEQUANTIZE vanishes where both have the same scale, and rescales
   integers where they differ.
3. DEQUANTIZE without a reader goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table
from edgekit_converters.quantize.float_graph import constant
from edgekit_converters.quantize.op_versions import op_name
from edgekit_converters.quantize.ranges import Range

_TYPES = enum_values("TensorType")
_FLOAT32, _INT8, _INT16 = _TYPES["FLOAT32"], _TYPES["INT8"], _TYPES["INT16"]

# Type -> operators whose integer kernel has its own scale for the result.
_FREE = {
    _INT8: frozenset(
        "ABS ELU EXP L2_NORMALIZATION LEAKY_RELU LOG PRELU RELU6 RELU_N1_TO_1".split()
    ),
    _INT16: frozenset("ABS EXP LEAKY_RELU LOG RELU6".split()),
}
# Type -> operators that only move values or choose among them: one scale before and after.
_MOVING = {
    _INT8: frozenset(
        "BATCH_TO_SPACE_ND DEPTH_TO_SPACE EXPAND_DIMS REDUCE_MAX REVERSE_V2 SPACE_TO_BATCH_ND "
        "SQUEEZE TILE".split()
    ),
    _INT16: frozenset(
        "BATCH_TO_SPACE_ND EXPAND_DIMS REDUCE_MAX REVERSE_V2 SPACE_TO_BATCH_ND SQUEEZE".split()
    ),
}


def close_islands(model: Table, ranges: dict[str, Range], left_out: set[str]) -> None:
    """Make float operators of an int8 or int16x8 model integer where a kernel exists.

    Args:
        model: The file, changed in place.
        ranges: (low, high) of each tensor of the float model, by name.
        left_out: Operators that stay in float, by `name;name;` of their outputs.
    """
    work = _Work(model, ranges, left_out)
    work.convert()
    work.join()
    work.sweep()


@dataclass(frozen=True, slots=True)
class _Params:
    """Type, scale and zero point of an integer tensor."""

    type: int
    scale: float
    zero_point: int


class _Work:
    """The rewriting of one model; see the module's text for the steps."""

    def __init__(self, model: Table, ranges: dict[str, Range], left_out: set[str]) -> None:
        self.model = model
        self.main = model.subgraphs[0]
        self.ranges = ranges
        self.left_out = left_out
        # Float tensor -> the integer tensor that it is dequantized from.
        self.origin: dict[int, int] = {}

    def convert(self) -> None:
        """Step 1."""
        made: list[Table] = []
        for op in self.main.operators:
            made.append(op)
            if self._name(op) == "DEQUANTIZE" and self._is_integer(int(op.inputs[0])):
                self.origin[int(op.outputs[0])] = int(op.inputs[0])
            elif self._convertible(op):
                made.append(self._made_integer(op))
        self.main.operators = made

    def join(self) -> None:
        """Step 2."""
        kept = []
        same: dict[int, int] = {}
        for op in self.main.operators:
            op.inputs = _replaced(op.inputs, same)
            if self._name(op) == "QUANTIZE" and int(op.inputs[0]) in self.origin:
                source, result = self.origin[int(op.inputs[0])], int(op.outputs[0])
                op.inputs = np.array([source], np.int32)
                if self._params(source) == self._params(result):
                    same[result] = source
                    continue
            kept.append(op)
        self.main.operators = kept
        self.main.outputs = _replaced(self.main.outputs, same)

    def sweep(self) -> None:
        """Step 3."""
        read = {int(i) for op in self.main.operators for i in op.inputs}
        read |= {int(i) for i in self.main.outputs}
        self.main.operators = [
            op
            for op in self.main.operators
            if self._name(op) != "DEQUANTIZE" or int(op.outputs[0]) in read
        ]

    def _name(self, op: Table) -> str:
        return op_name(self.model, op)

    def _tensor(self, index: int) -> Table:
        tensor: Table = self.main.tensors[index]
        return tensor

    def _is_integer(self, index: int) -> bool:
        tensor = self._tensor(index)
        scale = tensor.quantization.scale if tensor.quantization is not None else None
        return tensor.type in _FREE and scale is not None and len(scale) == 1

    def _params(self, index: int) -> _Params:
        tensor = self._tensor(index)
        scale, zero_point = tensor.quantization.scale[0], tensor.quantization.zero_point[0]
        return _Params(tensor.type, float(scale), int(zero_point))

    def _convertible(self, op: Table) -> bool:
        name = self._name(op)
        scope = "".join(f"{self._tensor(int(i)).name};" for i in op.outputs)
        first = self.origin.get(int(op.inputs[0])) if len(op.inputs) else None
        if first is None or scope in self.left_out or len(op.outputs) != 1:
            return False
        kind = self._tensor(first).type
        reads = [int(i) for i in op.inputs if i >= 0 and self._tensor(int(i)).type == _FLOAT32]
        loose = [i for i in reads if i not in self.origin]
        slopes = name == "PRELU" and all(constant(self.model, self.main, i) for i in loose)
        ranged = self._tensor(int(op.outputs[0])).name in self.ranges
        has_kernel = name in _MOVING[kind] or (name in _FREE[kind] and ranged)
        return has_kernel and (not loose or slopes)

    def _made_integer(self, op: Table) -> Table:
        """Let an operator compute in integers; return the DEQUANTIZE behind it."""
        result = int(op.outputs[0])
        first = self.origin[int(op.inputs[0])]
        op.inputs = np.array([self._integer(int(i)) for i in op.inputs], np.int32)
        params = self._params(first)
        if self._name(op) not in _MOVING[params.type]:
            params = self._chosen(op, result, params.type)
        quantized = self._add_tensor(result, params)
        op.outputs = np.array([quantized], np.int32)
        self.origin[result] = quantized
        return self._dequantize(quantized, result)

    def _integer(self, index: int) -> int:
        """The integer tensor that stands for a float one; others stay what they are."""
        if index in self.origin:
            return self.origin[index]
        if index < 0 or self._tensor(index).type != _FLOAT32:
            return index
        return self._quantized_constant(index)

    def _quantized_constant(self, index: int) -> int:
        tensor = self._tensor(index)
        values = np.frombuffer(self.model.buffers[tensor.buffer].data.tobytes(), np.float32)
        params = _Params(_INT8, max(float(np.abs(values).max()) / 127, 1e-9), 0)
        made = self._add_tensor(index, params)
        raw = np.clip(np.rint(values / params.scale), -127, 127).astype(np.int8)
        self._tensor(made).buffer = len(self.model.buffers)
        self.model.buffers.append(Table("Buffer", data=raw.view(np.uint8)))
        return made

    def _chosen(self, op: Table, result: int, kind: int) -> _Params:
        """Scale and zero point of a result, from its range or as the kernel demands."""
        if self._name(op) == "L2_NORMALIZATION":
            return _Params(kind, 1 / 128, 0)
        low, high = self.ranges[self._tensor(result).name]
        if kind == _INT16:
            return _Params(kind, max(-low, high, 1e-9) / 32767, 0)
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32(max(high - low, 1e-9) / 255))
        return _Params(kind, scale, int(np.rint(-128 - low / scale)))

    def _add_tensor(self, like: int, params: _Params) -> int:
        """Add an integer tensor with the shape of another one."""
        tensor = self._tensor(like)
        quantization = Table(
            "QuantizationParameters",
            scale=np.array([params.scale], np.float32),
            zero_point=np.array([params.zero_point], np.int64),
        )
        self.main.tensors.append(
            Table(
                "Tensor",
                shape=tensor.shape,
                type=params.type,
                buffer=0,
                name=f"{tensor.name}_integer",
                quantization=quantization,
                has_rank=tensor.has_rank,
            )
        )
        return len(self.main.tensors) - 1

    def _dequantize(self, source: int, result: int) -> Table:
        number = enum_values("BuiltinOperator")["DEQUANTIZE"]
        codes = self.model.operator_codes
        found = (i for i, code in enumerate(codes) if code.builtin_code == number)
        index = next(found, len(codes))
        if index == len(codes):
            codes.append(
                Table("OperatorCode", builtin_code=number, deprecated_builtin_code=number)
            )
        return Table(
            "Operator",
            opcode_index=index,
            inputs=np.array([source], np.int32),
            outputs=np.array([result], np.int32),
            builtin_options=Table("DequantizeOptions"),
        )


def _replaced(indices: Sequence[int], by: dict[int, int]) -> Any:
    return np.array([by.get(int(index), int(index)) for index in indices], np.int32)

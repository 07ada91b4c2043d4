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
        {
            "ABS",
            "ELU",
            "EXP",
            "L2_NORMALIZATION",
            "LEAKY_RELU",
            "LOG",
            "PRELU",
            "RELU6",
            "RELU_N1_TO_1",
        }
    ),
    _INT16: frozenset({"ABS", "EXP", "LEAKY_RELU", "LOG", "RELU6"}),
}
# Type -> operators that only move values or choose among them: one scale before and after.
_MOVING = {
    _INT8: frozenset(
        {
            "BATCH_TO_SPACE_ND",
            "DEPTH_TO_SPACE",
            "EXPAND_DIMS",
            "REDUCE_MAX",
            "REVERSE_V2",
            "SPACE_TO_BATCH_ND",
            "SQUEEZE",
            "TILE",
        }
    ),
    _INT16: frozenset(
        {
            "BATCH_TO_SPACE_ND",
            "EXPAND_DIMS",
            "REDUCE_MAX",
            "REVERSE_V2",
            "SPACE_TO_BATCH_ND",
            "SQUEEZE",
        }
    ),
}


def close_islands(
    model: Table, ranges: dict[str, Range], left_out: set[str], *, bits: int
) -> None:
    """Make float operators of an int8 or int16x8 model integer where a kernel exists.

    Args:
        model: The file, changed in place.
        ranges: (low, high) of each tensor of the float model, by name.
        left_out: Operators that stay in float, by `name;name;` of their outputs.
        bits: Of the activations, 8 or 16.
    """
    work = _Work(model, ranges, left_out, bits)
    work.convert()
    work.join()
    work.sweep()


@dataclass(frozen=True, slots=True)
class _Params:
    """Scale and zero point of an integer tensor."""

    scale: float
    zero_point: int


class _Work:
    """The rewriting of one model; see the module's text for the steps."""

    def __init__(
        self, model: Table, ranges: dict[str, Range], left_out: set[str], bits: int
    ) -> None:
        self.model = model
        self.type = {8: _INT8, 16: _INT16}[bits]
        self.free, self.moving = _FREE[self.type], _MOVING[self.type]
        self.main = model.subgraphs[0]
        self.ranges = ranges
        self.left_out = left_out
        # Float tensor -> the integer tensor that it is dequantized from.
        self.origin: dict[int, int] = {}
        self.inputs = {int(index) for index in self.main.inputs}

    def convert(self) -> None:
        """Step 1."""
        made: list[Table] = []
        for op in self.main.operators:
            first = int(op.inputs[0]) if len(op.inputs) else -1
            if first in self.inputs and first not in self.origin:
                made += self._quantized_input(op, first)
            made.append(op)
            if self._name(op) == "DEQUANTIZE" and self._is_integer(first):
                self.origin[int(op.outputs[0])] = first
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
                if source != result:
                    op.inputs = np.array([source], np.int32)
                if source != result and self._params(source) == self._params(result):
                    same[result] = source
                    continue
            kept.append(op)
        self.main.operators = kept
        self.main.outputs = _replaced(self.main.outputs, same)

    def _quantized_input(self, op: Table, index: int) -> list[Table]:
        """Quantize an input of the model for the first operator that reads it."""
        tensor = self._tensor(index)
        if self._name(op) == "QUANTIZE":
            self.origin[index] = int(op.outputs[0])
            return []
        if self._name(op) not in self.free | self.moving:
            return []
        if tensor.type != _FLOAT32 or tensor.name not in self.ranges:
            return []
        self.origin[index] = self._add_tensor(index, self._chosen(index))
        return [self._conversion("QUANTIZE", index, self.origin[index])]

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
        return tensor.type == self.type and scale is not None and len(scale) == 1

    def _params(self, index: int) -> _Params:
        quantization = self._tensor(index).quantization
        return _Params(float(quantization.scale[0]), int(quantization.zero_point[0]))

    def _convertible(self, op: Table) -> bool:
        name = self._name(op)
        scope = "".join(f"{self._tensor(int(i)).name};" for i in op.outputs)
        first = self.origin.get(int(op.inputs[0])) if len(op.inputs) else None
        if first is None or scope in self.left_out or len(op.outputs) != 1:
            return False
        reads = [int(i) for i in op.inputs if i >= 0 and self._tensor(int(i)).type == _FLOAT32]
        loose = [i for i in reads if i not in self.origin]
        slopes = name == "PRELU" and all(constant(self.model, self.main, i) for i in loose)
        ranged = self._tensor(int(op.outputs[0])).name in self.ranges
        has_kernel = name in self.moving or (name in self.free and ranged)
        return has_kernel and (not loose or slopes)

    def _made_integer(self, op: Table) -> Table:
        """Let an operator compute in integers; return the DEQUANTIZE behind it."""
        result = int(op.outputs[0])
        first = self.origin[int(op.inputs[0])]
        op.inputs = np.array([self._integer(int(i)) for i in op.inputs], np.int32)
        name = self._name(op)
        params = self._params(first) if name in self.moving else self._chosen(result, name)
        quantized = self._add_tensor(result, params)
        op.outputs = np.array([quantized], np.int32)
        self.origin[result] = quantized
        return self._conversion("DEQUANTIZE", quantized, result)

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
        params = _Params(max(float(np.abs(values).max()) / 127, 1e-9), 0)
        made = self._add_tensor(index, params)
        raw = np.clip(np.rint(values / params.scale), -127, 127).astype(np.int8)
        self._tensor(made).buffer = len(self.model.buffers)
        self.model.buffers.append(Table("Buffer", data=raw.view(np.uint8)))
        return made

    def _chosen(self, index: int, op: str = "") -> _Params:
        """Scale and zero point of a tensor, from its range or as the kernel of `op` demands."""
        if op == "L2_NORMALIZATION":
            return _Params(1 / 128, 0)
        low, high = self.ranges[self._tensor(index).name]
        if self.type == _INT16:
            return _Params(max(-low, high, 1e-9) / 32767, 0)
        low, high = min(low, 0.0), max(high, 0.0)
        scale = float(np.float32(max(high - low, 1e-9) / 255))
        return _Params(scale, int(np.rint(-128 - low / scale)))

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
                type=self.type,
                buffer=0,
                name=f"{tensor.name}_integer",
                quantization=quantization,
                has_rank=tensor.has_rank,
            )
        )
        return len(self.main.tensors) - 1

    def _conversion(self, name: str, source: int, result: int) -> Table:
        """Make a QUANTIZE or DEQUANTIZE operator."""
        number = enum_values("BuiltinOperator")[name]
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
            builtin_options=Table(f"{name.capitalize()}Options"),
        )


def _replaced(indices: Sequence[int], by: dict[int, int]) -> Any:
    return np.array([by.get(int(index), int(index)) for index in indices], np.int32)

"""Write small models from the schema alone, layer by layer: no TensorFlow, no training.

Values and weights are random: how long an operator takes depends on its kind and sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack

Type = Literal["float32", "int8", "uint8"]

_RELU6 = 3
_SAME, _VALID = 0, 1
_STEP = 0.05  # real units of a quantized value
_WEIGHT_STEP = 0.01
_ZERO: dict[str, int] = {"int8": -3, "uint8": 125}
_WEIGHT_ZERO: dict[str, int] = {"int8": 0, "uint8": 128}
_LOWEST: dict[str, int] = {"int8": -128, "uint8": 0}
# Operators whose integer outputs have a scale of their own: scale, and zero point above the
# lowest value.
_RANGES: dict[str, tuple[float, int]] = {
    "LOGISTIC": (1 / 256, 0),
    "SOFTMAX": (1 / 256, 0),
    "TANH": (1 / 128, 128),
}
# Version of an operator on integers, where it is above that on floats, which is 1.
_INTEGER_VERSIONS = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "DEQUANTIZE": 2,
    "FULLY_CONNECTED": 4,
    "LEAKY_RELU": 2,
    "LOGISTIC": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "MUL": 2,
    "PAD": 2,
    "RELU": 2,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "SOFTMAX": 2,
    "SPLIT": 2,
    "STRIDED_SLICE": 2,
    "SUB": 2,
    "TANH": 2,
    "TRANSPOSE": 2,
    "TRANSPOSE_CONV": 2,
}
_FLOAT_VERSIONS = {"RESIZE_BILINEAR": 3, "RESIZE_NEAREST_NEIGHBOR": 3}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a model under construction.

    Attributes:
        index: Its number.
        shape: Its sizes, the batch of 1 included.
        dtype: Type of its values.
    """

    index: int
    shape: tuple[int, ...]
    dtype: str


class Net:
    """A model under construction.

    Each method appends one operator and returns its output.

    Args:
        dtype: Type of its values.
        seed: Of its random weights.
    """

    def __init__(self, dtype: Type, seed: int = 0) -> None:
        self.dtype = dtype
        self._random = np.random.default_rng(seed)
        self._buffers = [Table("Buffer")]
        self._tensors: list[Table] = []
        self._codes: dict[tuple[str, int], int] = {}
        self._operators: list[Table] = []
        self._inputs: list[int] = []

    def input(self, *shape: int, dtype: Type | None = None) -> Tensor:
        """Add an input; the batch of 1 is not part of `shape`."""
        made = self._values((1, *shape), dtype or self.dtype)
        self._inputs.append(made.index)
        return made

    def conv(
        self,
        x: Tensor,
        channels: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        *,
        relu: bool = True,
    ) -> Tensor:
        """Append CONV_2D with padding SAME."""
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        weights, bias = self._weights((channels, high, wide, x.shape[-1]), channels)
        options = _windowed("Conv2DOptions", stride, relu=relu)
        size = [-(-side // stride) for side in x.shape[1:3]]
        return self._append("CONV_2D", [x, weights, bias], (1, *size, channels), options)

    def depthwise(
        self,
        x: Tensor,
        kernel: int | tuple[int, int] = 3,
        stride: int = 1,
        *,
        relu: bool = True,
    ) -> Tensor:
        """Append DEPTHWISE_CONV_2D with padding SAME."""
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        channels = x.shape[-1]
        weights, bias = self._weights((1, high, wide, channels), channels, dimension=3)
        options = _windowed("DepthwiseConv2DOptions", stride, relu=relu)
        options.depth_multiplier = 1
        size = [-(-side // stride) for side in x.shape[1:3]]
        made = (1, *size, channels)
        return self._append("DEPTHWISE_CONV_2D", [x, weights, bias], made, options)

    def transposed(self, x: Tensor, channels: int, kernel: int, stride: int) -> Tensor:
        """Append TRANSPOSE_CONV with padding SAME."""
        weights, _ = self._weights((channels, kernel, kernel, x.shape[-1]), channels)
        made = (1, x.shape[1] * stride, x.shape[2] * stride, channels)
        options = Table("TransposeConvOptions", padding=_SAME)
        options.stride_h = options.stride_w = stride
        sizes = self._constant(np.array(made, np.int32))
        return self._append("TRANSPOSE_CONV", [sizes, weights, x], made, options)

    def dense(self, x: Tensor, units: int, *, relu: bool = False) -> Tensor:
        """Append FULLY_CONNECTED on values of shape (1, N)."""
        weights, bias = self._weights((units, x.shape[-1]), units, per_channel=False)
        options = Table("FullyConnectedOptions")
        options.fused_activation_function = _RELU6 if relu else 0
        return self._append("FULLY_CONNECTED", [x, weights, bias], (1, units), options)

    def binary(self, op: str, a: Tensor, b: Tensor) -> Tensor:
        """Append ADD, MUL or SUB; the shape of `b` may have sizes of 1."""
        return self._append(op, [a, b], a.shape, Table(f"{op.capitalize()}Options"))

    def pool(
        self, op: str, x: Tensor, kernel: int, stride: int, *, same: bool = False
    ) -> Tensor:
        """Append AVERAGE_POOL_2D or MAX_POOL_2D with padding VALID, or SAME."""
        options = Table("Pool2DOptions", padding=_SAME if same else _VALID)
        options.stride_h = options.stride_w = stride
        options.filter_height = options.filter_width = kernel
        reach = 1 if same else kernel
        high, wide = ((side - reach) // stride + 1 for side in x.shape[1:3])
        return self._append(op, [x], (1, high, wide, x.shape[-1]), options)

    def mean(self, x: Tensor, *, keep: bool = False) -> Tensor:
        """Append MEAN over height and width."""
        axes = self._constant(np.array([1, 2], np.int32))
        made = (1, 1, 1, x.shape[-1]) if keep else (1, x.shape[-1])
        return self._append("MEAN", [x, axes], made, Table("ReducerOptions", keep_dims=keep))

    def unary(self, op: str, x: Tensor) -> Tensor:
        """Append an operator that maps every value to one."""
        return self._append(op, [x], x.shape, _unary_options(op))

    def prelu(self, x: Tensor) -> Tensor:
        """Append PRELU with a slope a channel."""
        slopes = self._weights((1, 1, x.shape[-1]), 1, per_channel=False)[0]
        return self._append("PRELU", [x, slopes], x.shape, None)

    def pad(self, x: Tensor, *, after: int = 1, before: int = 0) -> Tensor:
        """Append PAD of height and width."""
        sides = self._constant(np.array([[0, 0], *[[before, after]] * 2, [0, 0]], np.int32))
        high, wide = (side + before + after for side in x.shape[1:3])
        made = (1, high, wide, x.shape[-1])
        return self._append("PAD", [x, sides], made, Table("PadOptions"))

    def resize(self, op: str, x: Tensor, factor: int = 2) -> Tensor:
        """Append RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR."""
        size = [side * factor for side in x.shape[1:3]]
        kind = "".join(word.capitalize() for word in op.split("_"))
        options = Table(f"{kind}Options", half_pixel_centers=True)
        wanted = self._constant(np.array(size, np.int32))
        return self._append(op, [x, wanted], (1, *size, x.shape[-1]), options)

    def concat(self, parts: Sequence[Tensor]) -> Tensor:
        """Append CONCATENATION of channels."""
        options = Table("ConcatenationOptions", axis=len(parts[0].shape) - 1)
        made = (*parts[0].shape[:-1], sum(each.shape[-1] for each in parts))
        return self._append("CONCATENATION", parts, made, options)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Append SPLIT of the channels in two."""
        axis = self._constant(np.array(len(x.shape) - 1, np.int32))
        half = (*x.shape[:-1], x.shape[-1] // 2)
        first = self._append("SPLIT", [axis, x], half, Table("SplitOptions", num_splits=2))
        second = self._values(half, x.dtype)
        self._operators[-1].outputs = np.array([first.index, second.index], np.int32)
        return first, second

    def slice(self, x: Tensor) -> Tensor:
        """Append STRIDED_SLICE that leaves the border away."""
        last = len(x.shape) - 1
        begin = np.array([0, 1, 1, 0][: last + 1], np.int32)
        end = np.array([1, x.shape[1] - 1, x.shape[2] - 1, x.shape[3]], np.int32)
        edges = [self._constant(each) for each in (begin, end, np.ones(4, np.int32))]
        made = (1, x.shape[1] - 2, x.shape[2] - 2, x.shape[3])
        return self._append("STRIDED_SLICE", [x, *edges], made, Table("StridedSliceOptions"))

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """Append TRANSPOSE."""
        wanted = self._constant(np.array(order, np.int32))
        made = tuple(x.shape[axis] for axis in order)
        return self._append("TRANSPOSE", [x, wanted], made, Table("TransposeOptions"))

    def flat(self, x: Tensor) -> Tensor:
        """Append RESHAPE to (1, N)."""
        made = (1, int(np.prod(x.shape)))
        options = Table("ReshapeOptions", new_shape=np.array(made, np.int32))
        sizes = self._constant(np.array(made, np.int32))
        return self._append("RESHAPE", [x, sizes], made, options)

    def quantize(self, x: Tensor, dtype: Type) -> Tensor:
        """Append QUANTIZE; from integers to the same type it changes the scale."""
        step = (2 * _STEP, _LOWEST[dtype] + 7) if x.dtype != "float32" else None
        made = self._values(x.shape, dtype, step)
        version = 1 if x.dtype == "float32" else 2
        return self._put("QUANTIZE", version, [x], made, Table("QuantizeOptions"))

    def dequantize(self, x: Tensor) -> Tensor:
        """Append DEQUANTIZE to float32."""
        made = self._values(x.shape, "float32")
        return self._put("DEQUANTIZE", 2, [x], made, Table("DequantizeOptions"))

    def pack(self, *outputs: Tensor) -> bytes:
        """Return the model as a file."""
        graph = Table(
            "SubGraph",
            tensors=self._tensors,
            inputs=np.array(self._inputs, np.int32),
            outputs=np.array([each.index for each in outputs], np.int32),
            operators=self._operators,
        )
        return pack(
            Table(
                "Model",
                version=3,
                operator_codes=[_code(*each) for each in self._codes],
                subgraphs=[graph],
                buffers=self._buffers,
            )
        )

    def _append(
        self, op: str, inputs: Sequence[Tensor], shape: tuple[int, ...], options: Table | None
    ) -> Tensor:
        """Append an operator whose output has the type of the net."""
        versions = _FLOAT_VERSIONS if self.dtype == "float32" else _INTEGER_VERSIONS
        step = None
        if self.dtype != "float32" and op in _RANGES:
            scale, above = _RANGES[op]
            step = (scale, _LOWEST[self.dtype] + above)
        made = self._values(shape, self.dtype, step)
        return self._put(op, versions.get(op, 1), inputs, made, options)

    def _put(
        self,
        op: str,
        version: int,
        inputs: Sequence[Tensor],
        made: Tensor,
        options: Table | None,
    ) -> Tensor:
        code = self._codes.setdefault((op, version), len(self._codes))
        self._operators.append(
            Table(
                "Operator",
                opcode_index=code,
                inputs=np.array([each.index for each in inputs], np.int32),
                outputs=np.array([made.index], np.int32),
                builtin_options=options,
            )
        )
        return made

    def _values(
        self, shape: tuple[int, ...], dtype: str, step: tuple[float, int] | None = None
    ) -> Tensor:
        """Add a tensor that is computed."""
        if dtype == "float32":
            return self._tensor(shape, dtype, 0, None)
        scale, zero = step or (_STEP, _ZERO[dtype])
        return self._tensor(shape, dtype, 0, _quantization([scale], zero))

    def _weights(
        self,
        shape: tuple[int, ...],
        channels: int,
        *,
        dimension: int = 0,
        per_channel: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Add random weights and a bias of zeros."""
        if self.dtype == "float32":
            weights = self._random.normal(0, 0.05, shape).astype(np.float32)
            return self._constant(weights), self._constant(np.zeros(channels, np.float32))
        count = channels if per_channel and self.dtype == "int8" else 1
        lowest = 1 if self.dtype == "uint8" else -127
        values = self._random.integers(lowest, lowest + 254, shape).astype(self.dtype)
        zero = _WEIGHT_ZERO[self.dtype]
        steps = _quantization([_WEIGHT_STEP] * count, zero, dimension if count > 1 else 0)
        biases = _quantization([_WEIGHT_STEP * _STEP] * count, 0)
        return (
            self._constant(values, steps),
            self._constant(np.zeros(channels, np.int32), biases),
        )

    def _constant(self, values: np.ndarray[Any, Any], steps: Table | None = None) -> Tensor:
        self._buffers.append(Table("Buffer", data=np.frombuffer(values.tobytes(), np.uint8)))
        return self._tensor(values.shape, values.dtype.name, len(self._buffers) - 1, steps)

    def _tensor(
        self, shape: tuple[int, ...], dtype: str, buffer: int, steps: Table | None
    ) -> Tensor:
        made = Tensor(len(self._tensors), shape, dtype)
        self._tensors.append(
            Table(
                "Tensor",
                name=f"t{made.index}",
                shape=np.array(shape, np.int32),
                type=enum_values("TensorType")[dtype.upper()],
                buffer=buffer,
                quantization=steps,
            )
        )
        return made


def _code(op: str, version: int) -> Table:
    number = enum_values("BuiltinOperator")[op]
    return Table(
        "OperatorCode",
        builtin_code=number,
        deprecated_builtin_code=min(number, 127),
        version=version,
    )


def _quantization(scales: Sequence[float], zero: int, dimension: int = 0) -> Table:
    return Table(
        "QuantizationParameters",
        scale=np.array(scales, np.float32),
        zero_point=np.full(len(scales), zero, np.int64),
        quantized_dimension=dimension,
    )


def _windowed(kind: str, stride: int, *, relu: bool) -> Table:
    options = Table(kind, padding=_SAME, dilation_h_factor=1, dilation_w_factor=1)
    options.stride_h = options.stride_w = stride
    options.fused_activation_function = _RELU6 if relu else 0
    return options


def _unary_options(op: str) -> Table | None:
    if op == "SOFTMAX":
        return Table("SoftmaxOptions", beta=1.0)
    if op == "HARD_SWISH":
        return Table("HardSwishOptions")
    return Table("LeakyReluOptions", alpha=0.1) if op == "LEAKY_RELU" else None

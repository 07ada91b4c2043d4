"""The version that each operator of a .tflite file needs, by types, ranks and options.

A runtime refuses an operator whose version it does not know, so the versions say which
runtimes can load a file. The values are those that the TFLite converter (2.21) writes for
the same operator; its exporter derives them in `op_version.cc`. They were collected by
converting one model per operator, type and option, and the tests repeat that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgekit.flatbuffer.schema import enum_names
from edgekit.flatbuffer.tables import Table

_FLOAT = ("FLOAT32",)
_INTEGERS = ("INT8", "INT16")
_NO_ACTIVATION = 0
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")  # made by the quantizer, not by the float model


@dataclass(frozen=True, slots=True)
class Kind:
    """What the version of an operator depends on in one of its tensors.

    Attributes:
        dtype: Name in the schema, e.g. `INT8`.
        shape: Its shape; empty for a scalar.
        scales: Its scales; more than one means per channel, none means not quantized.
    """

    dtype: str
    shape: tuple[int, ...] = ()
    scales: tuple[float, ...] = ()

    @property
    def quantized(self) -> bool:
        """Whether it holds real values as 8 or 16 bit integers."""
        return self.dtype in _INTEGERS and bool(self.scales)

    @property
    def per_channel(self) -> bool:
        """Whether each channel has its own scale."""
        return len(self.scales) > 1


@dataclass(frozen=True, slots=True)
class Signature:
    """One use of an operator.

    Attributes:
        op: Name in the schema, e.g. `CONV_2D`.
        inputs: Its inputs; None for an optional one that is absent.
        outputs: Its outputs.
        options: Its options by name.
    """

    op: str
    inputs: tuple[Kind | None, ...]
    outputs: tuple[Kind, ...]
    options: Mapping[str, Any]

    def dtype(self, index: int) -> str:
        """Type of an input; empty where it is absent."""
        kind = self.inputs[index] if index < len(self.inputs) else None
        return kind.dtype if kind else ""

    @property
    def rank(self) -> int:
        """The highest rank of a data input."""
        return max((len(kind.shape) for kind in self.inputs if kind), default=0)

    @property
    def quantized(self) -> bool:
        """Whether it computes with integers that stand for real values."""
        return any(kind.quantized for kind in (*self.inputs, *self.outputs) if kind)

    @property
    def hybrid(self) -> bool:
        """Whether it takes and gives float32 but its weights are integers."""
        return self.dtype(0) in _FLOAT and self.dtype(1) == "INT8"


def _conv(use: Signature) -> int:
    image, weights = use.inputs[0], use.inputs[1]
    if image and weights and image.shape[-1] != weights.shape[-1]:
        return 6  # grouped
    if use.hybrid:
        return 5 if weights and weights.per_channel else 2
    return 3 if use.quantized else 1


def _depthwise(use: Signature) -> int:
    weights = use.inputs[1]
    if use.hybrid:
        return 6 if weights and weights.per_channel else 4
    if use.quantized:
        return 3
    dilated = use.options["dilation_w_factor"] != 1 or use.options["dilation_h_factor"] != 1
    return 2 if dilated else 1


def _dense(use: Signature) -> int:
    weights = use.inputs[1]
    if use.hybrid and weights and weights.per_channel:
        return 12
    if use.hybrid:
        return 9 if use.options["asymmetric_quantize_inputs"] else 3
    if len(use.inputs) == 2:
        return 6  # no place for a bias
    if use.options["keep_num_dims"]:
        return 5
    return 4 if use.quantized else 1


def _transpose_conv(use: Signature) -> int:
    if use.options["fused_activation_function"] != _NO_ACTIVATION:
        return 4
    if len(use.inputs) == 4 or use.dtype(2) == "INT16":
        return 3
    return 2 if use.dtype(1) == "INT8" else 1


def _batch_matmul(use: Signature) -> int:
    if use.hybrid:
        return 4 if use.options["asymmetric_quantize_inputs"] else 1
    return 2 if use.quantized else 1


def _mul(use: Signature) -> int:
    if not use.quantized:
        return 1
    scales = [kind.scales[0] for kind in (*use.inputs, *use.outputs) if kind and kind.scales]
    first, second, result = scales if len(scales) == 3 else (0.0, 0.0, 1.0)
    return 3 if first * second >= result else 2


def _dequantize(use: Signature) -> int:
    source = use.inputs[0]
    if source and source.per_channel:
        return 5
    return 3 if use.dtype(0) == "FLOAT16" else 2


def _quantize(use: Signature) -> int:
    return 2 if use.outputs[0].dtype == "INT16" else 1


def _gather(use: Signature) -> int:
    if use.options["batch_dims"]:
        return 5
    return 2 if use.quantized else 1


def _gather_nd(use: Signature) -> int:
    return 3 if use.dtype(0) == "INT16" else 1


def _unpack(use: Signature) -> int:
    return {"INT8": 2, "INT16": 4}.get(use.dtype(0), 1)


def _leaky_relu(use: Signature) -> int:
    return 2 if use.dtype(0) == "INT16" else 1


def _resize(*switches: str) -> Callable[[Signature], int]:
    """Version 3 where one of the switches is on."""

    def rule(use: Signature) -> int:
        if any(use.options[switch] for switch in switches):
            return 3
        return 2 if use.quantized else 1

    return rule


def _by_rank(*steps: tuple[int, int]) -> Callable[[Signature], int]:
    """The version of the first step (rank, version) whose rank is reached, else 2 or 1."""

    def rule(use: Signature) -> int:
        for rank, version in steps:
            if use.rank >= rank:
                return version
        return 2 if use.quantized else 1

    return rule


def _steps(float_version: int, integer_version: int) -> Callable[[Signature], int]:
    """One version for float, one for integers."""
    return lambda use: integer_version if use.quantized else float_version


# Operators whose float form is version 1 and whose integer form is version 2.
_TWO = (
    "ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_TO_SPACE_ND CONCATENATION DEPTH_TO_SPACE "
    "EQUAL EXP GELU GREATER GREATER_EQUAL L2_NORMALIZATION LESS LESS_EQUAL LOG LOGISTIC "
    "MAX_POOL_2D MEAN MIRROR_PAD NOT_EQUAL PACK REDUCE_MAX REDUCE_MIN RELU RELU6 RSQRT "
    "SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARED_DIFFERENCE SUM "
    "TANH TOPK_V2 "
)
# Operators that have version 1 for float and integers alike.
_ONE = "DIV ELU HARD_SWISH NEG PRELU RELU_N1_TO_1 RESHAPE SELECT SELECT_V2 SQUEEZE"

RULES: dict[str, Callable[[Signature], int]] = {
    **dict.fromkeys(_TWO.split(), _steps(1, 2)),
    **dict.fromkeys(_ONE.split(), _steps(1, 1)),
    "BATCH_MATMUL": _batch_matmul,
    "BROADCAST_TO": _steps(2, 3),
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEQUANTIZE": _dequantize,
    "FULLY_CONNECTED": _dense,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "LEAKY_RELU": _leaky_relu,
    "MAXIMUM": _by_rank((5, 3)),
    "MINIMUM": _by_rank((5, 3)),
    "MUL": _mul,
    "PAD": _by_rank((5, 4)),
    "PADV2": _by_rank((5, 4)),
    "QUANTIZE": _quantize,
    "RESIZE_BILINEAR": _resize("half_pixel_centers"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("half_pixel_centers", "align_corners"),
    "REVERSE_V2": _steps(1, 3),
    "SLICE": _by_rank((5, 5)),
    "STRIDED_SLICE": _by_rank((5, 4)),
    "SUB": _by_rank((5, 3)),
    "TILE": _steps(1, 3),
    "TRANSPOSE": _by_rank((6, 6), (5, 4)),
    "TRANSPOSE_CONV": _transpose_conv,
    "UNPACK": _unpack,
}


def version_of(use: Signature) -> int | None:
    """Return the version that one use of an operator needs; None where no rule is known."""
    rule = RULES.get(use.op)
    return rule(use) if rule else None


def signature(model: Table, subgraph: Table, op: Table) -> Signature:
    """Describe one operator of a file that was read."""

    def kind(index: int) -> Kind | None:
        return _kind(subgraph.tensors[index]) if index >= 0 else None

    options = vars(op.builtin_options) if op.builtin_options is not None else {}
    return Signature(
        op=op_name(model, op),
        inputs=tuple(kind(index) for index in op.inputs),
        outputs=tuple(_kind(subgraph.tensors[index]) for index in op.outputs),
        options=options,
    )


def op_name(model: Table, op: Table) -> str:
    """Name of an operator of a file that was read, e.g. `CONV_2D`."""
    code = model.operator_codes[op.opcode_index]
    return enum_names("BuiltinOperator")[max(code.builtin_code, code.deprecated_builtin_code)]


def set_versions(model: Table) -> None:
    """Give every operator of a file the version that it needs.

    As the converter does, all uses of an operator share one code, with the highest version
    that any of them needs. What the float file asked for (dilations, ranks) stays true.
    Codes that nobody uses go.
    """
    uses = [
        (op, model.operator_codes[op.opcode_index], signature(model, subgraph, op))
        for subgraph in model.subgraphs
        for op in subgraph.operators or ()
    ]
    versions: dict[tuple[int, str | None], int] = {}
    for _, code, use in uses:
        key = _number(code), code.custom_code
        asked = 1 if use.op in _CONVERSIONS else code.version
        versions[key] = max(versions.get(key, 1), version_of(use) or 1, asked)
    place = {key: index for index, key in enumerate(versions)}
    for op, code, _ in uses:
        op.opcode_index = place[_number(code), code.custom_code]
    model.operator_codes = [_code(*key, version) for key, version in versions.items()]


def _kind(tensor: Table) -> Kind:
    quantization = tensor.quantization
    scales = quantization.scale if quantization is not None else None
    return Kind(
        dtype=enum_names("TensorType")[tensor.type],
        shape=() if tensor.shape is None else tuple(int(size) for size in tensor.shape),
        scales=() if scales is None else tuple(float(scale) for scale in scales),
    )


def _number(code: Table) -> int:
    number: int = max(code.builtin_code, code.deprecated_builtin_code)
    return number


def _code(number: int, custom_code: str | None, version: int) -> Table:
    """An operator code; old readers look at the deprecated byte."""
    return Table(
        "OperatorCode",
        builtin_code=number,
        deprecated_builtin_code=min(number, 127),
        version=version,
        custom_code=custom_code,
    )

"""What the TensorFlow Lite GPU delegate takes, operator by operator.

The rules are those by which the delegate itself decides, read from its source. An operator
that it does not know runs on the CPU; one in a version later than the published list names,
or with 8-bit integers, is `uncertain`. (The check in TensorFlow 2.21's own wheel,
`Analyzer.analyze(gpu_compatibility=True)`, calls every model compatible.)

Source: tensorflow/lite/tools/versioning/gpu_compatibility.cc and
https://www.tensorflow.org/lite/performance/gpu_advanced
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from edgekit.flatbuffer import Graph, OpView, TensorView

Verdict = tuple[str, str]

_FLOATS = {"float32", "float16"}
_BYTES = {"int8", "uint8"}


@dataclass(frozen=True, slots=True)
class Use:
    """One operator with its tensors, as the rules look at it.

    Attributes:
        op: Name of the builtin.
        inputs: Its input tensors, without optional ones that are left out.
        fixed: Which of these are constants, or unpacked from float16 constants.
        outputs: Its output tensors.
        options: Its options.
    """

    op: str
    inputs: tuple[TensorView, ...]
    fixed: tuple[bool, ...]
    outputs: tuple[TensorView, ...]
    options: Mapping[str, Any]

    @property
    def computed(self) -> int:
        """How many inputs are computed while the model runs."""
        return self.fixed.count(False)


Rule = Callable[[Use], str | None]


def predict(graph: Graph) -> list[Verdict]:
    """Predict where each operator of the main subgraph runs, in the order of the file."""
    unpacked = {
        index for op in graph.ops if _unpacks_a_constant(graph, op) for index in op.outputs
    }
    return [_judge(graph, op, unpacked) for op in graph.ops]


def _judge(graph: Graph, op: OpView, unpacked: set[int]) -> Verdict:
    tensors = graph.subgraphs[op.subgraph].tensors
    if op.op == "CUSTOM":
        return "cpu", f"the GPU delegate does not take the custom operator {op.custom_code}"
    if _unpacks_a_constant(graph, op):
        return "gpu", "float16 weights are read as they are"
    if op.op not in RULES:
        return "cpu", f"the GPU delegate does not take {op.op}"
    indices = [index for index in op.inputs if index >= 0]
    use = Use(
        op.op,
        tuple(tensors[index] for index in indices),
        tuple(tensors[index].is_constant or index in unpacked for index in indices),
        tuple(tensors[index] for index in op.outputs if index >= 0),
        op.options,
    )
    if reason := RULES[op.op](use) or _wrong_type(use):
        return "cpu", reason
    return _doubts(use, op.version)


def _doubts(use: Use, version: int) -> Verdict:
    """Say what the delegate may take, but perhaps not everywhere."""
    values = _values(use)
    if small := next((each for each in values if each.dtype in _BYTES), None):
        said = f"{small.dtype} tensor '{small.name}'; the GPU computes in floats"
        return "uncertain", said
    if version > VERSIONS.get(use.op, 1):
        return (
            "uncertain",
            f"{use.op} version {version} is later than the delegate's list names",
        )
    if any(each.shape[:1] not in {(), (1,)} and len(each.shape) > 3 for each in values):
        return "uncertain", "a batch above 1"
    return "gpu", "supported"


def _values(use: Use) -> list[TensorView]:
    """What is computed: the outputs, and the inputs that are no constants."""
    inputs = (each for each, fixed in zip(use.inputs, use.fixed, strict=True) if not fixed)
    return [*inputs, *use.outputs]


def _wrong_type(use: Use) -> str | None:
    """Refuse integers and truth values but where the operator is about them."""
    if use.op in _OTHER_TYPES:
        return None
    for each in _values(use):
        if each.dtype not in _FLOATS | _BYTES:
            return f"{each.dtype} tensor '{each.name}'; the GPU computes in floats"
    return None


def _unpacks_a_constant(graph: Graph, op: OpView) -> bool:
    """Whether it is the DEQUANTIZE behind float16 weights, which the delegate folds away."""
    tensors = graph.subgraphs[op.subgraph].tensors
    first = tensors[op.inputs[0]] if op.inputs and op.inputs[0] >= 0 else None
    return op.op in {"DEQUANTIZE", "DENSIFY"} and bool(first and first.is_constant)


def _any(use: Use) -> str | None:  # noqa: ARG001 (one signature for all)
    return None


def _computed(*counts: int) -> Rule:
    """Refuse another number of inputs that are computed while the model runs."""

    def rule(use: Use) -> str | None:
        if use.computed in counts and len(use.outputs) == 1:
            return None
        wanted = " or ".join(map(str, counts))
        return (
            f"it takes {wanted} computed inputs and gives 1 output; found {use.computed} and "
            f"{len(use.outputs)}"
        )

    return rule


def _both(*rules: Rule) -> Rule:
    """Refuse for the first reason of any of the rules."""
    return lambda use: next((said for rule in rules if (said := rule(use))), None)


def _activation(use: Use) -> str | None:
    fused = use.options.get("fused_activation_function", "NONE")
    return f"its activation is {fused}" if fused == "SIGN_BIT" else None


def _convolution(use: Use) -> str | None:
    return "more than 2 inputs are computed" if use.computed > 2 else _activation(use)


def _depthwise(use: Use) -> str | None:
    if said := _convolution(use):
        return said
    multiplier = use.options.get("depth_multiplier", 1)
    depth = use.inputs[0].shape[-1] if use.inputs[0].shape else 0
    if multiplier != 1 and depth != 1:
        return f"a depth multiplier of {multiplier} is for inputs of 1 channel; found {depth}"
    return None


def _two(use: Use) -> str | None:
    """One or two operands, of which at most one is a constant."""
    if len(use.inputs) == 2 and use.computed in {1, 2}:
        return _activation(use)
    return f"it takes 2 inputs, 1 of them computed at least; found {use.computed} computed"


def _broadcast(use: Use) -> str | None:
    """ADD and MUL: operands of which one is repeated along the other."""
    if len(use.inputs) != 2:
        return f"it takes 2 inputs; found {len(use.inputs)}"
    first, second = (each.shape for each in use.inputs)
    pairs = list(zip_longest(reversed(first), reversed(second), fillvalue=1))
    apart = any(a != b and 1 not in {a, b} for a, b in pairs)
    if len(first) != len(second) and min(len(first), len(second)) > 1 and apart:
        return f"it cannot repeat {list(second)} along {list(first)}"
    return _activation(use)


def _product(use: Use) -> str | None:
    """MUL: as ADD, and one operand is nowhere smaller than the other."""
    if said := _broadcast(use):
        return said
    first, second = (each.shape for each in use.inputs)
    if len(first) != len(second):
        return None
    pairs = list(zip(first, second, strict=True))
    if any(a < b for a, b in pairs) and any(a > b for a, b in pairs):
        return f"it cannot repeat {list(first)} and {list(second)} along each other"
    return None


def _reduction(use: Use) -> str | None:
    """Axes that are int32 constants."""
    if use.computed != 1 or len(use.inputs) != 2 or not use.fixed[1]:
        return "its axes are computed"
    kind = use.inputs[1].dtype
    return None if kind == "int32" else f"its axes are {kind}; the GPU takes int32"


def _padding(use: Use) -> str | None:
    if use.op == "MIRROR_PAD" and use.options.get("mode", "REFLECT") != "REFLECT":
        return f"its mode is {use.options['mode']}; the GPU takes REFLECT"
    if use.computed != 1 or len(use.inputs) < 2:
        return "its paddings are computed"
    shape = use.inputs[1].shape
    return None if shape in {(3, 2), (4, 2)} else "it pads tensors of 3 or 4 dimensions only"


def _slice(use: Use) -> str | None:
    for mask in ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask"):
        if use.options.get(mask):
            return f"it has an {mask}"
    wanted = 4 if use.op == "STRIDED_SLICE" else 3
    if len(use.inputs) < wanted:
        return f"it takes {wanted} inputs; found {len(use.inputs)}"
    rank = len(use.inputs[0].shape)
    return None if rank in {3, 4} else f"it cuts tensors of 3 or 4 dimensions; found {rank}"


def _dense(use: Use) -> str | None:
    if use.options.get("weights_format", "DEFAULT") != "DEFAULT":
        return f"its weights have the format {use.options['weights_format']}"
    if use.computed > 2 or use.fixed[0]:
        return "it takes one input that is computed, and weights"
    shapes = use.inputs[0].shape, use.outputs[0].shape
    if use.options.get("keep_num_dims") and len(shapes[0]) != len(shapes[1]):
        return "its output has another number of dimensions than its input"
    return None


def _softmax(use: Use) -> str | None:
    beta = use.options.get("beta", 1.0)
    return None if beta == 1.0 else f"its beta is {beta:g}; the GPU takes 1"


def _block(use: Use) -> str | None:
    size = use.options.get("block_size", 0)
    return None if size > 1 else f"its block size is {size}; the GPU takes 2 and above"


def _bilinear(use: Use) -> str | None:
    if use.options.get("align_corners") and use.options.get("half_pixel_centers"):
        return "align_corners and half_pixel_centers together"
    return None


def _gather(use: Use) -> str | None:
    if len(use.inputs) != 2 or use.computed not in {1, 2}:
        return "it takes a tensor and indices"
    if use.inputs[0].dtype == "int32" or use.inputs[1].dtype != "int32":
        return "it takes floats and int32 indices"
    rank = len(use.inputs[1].shape)
    return None if rank == 1 else f"its indices have {rank} dimensions; the GPU takes 1"


def _cast(use: Use) -> str | None:
    source, target = use.inputs[0].dtype, use.outputs[0].dtype
    pairs = {(a, b) for a in _FLOATS for b in ("bool",)}
    pairs |= {(b, a) for a, b in pairs}
    pairs |= {(a, b) for a in ("float32", "int32") for b in ("float32", "int32")}
    return None if (source, target) in pairs else f"it turns no {source} into {target}"


def _select(use: Use) -> str | None:
    if len(use.inputs) != 3:
        return f"it takes 3 inputs; found {len(use.inputs)}"
    condition, *choices = use.inputs
    if condition.dtype not in _FLOATS | {"bool"} or any(
        each.dtype not in _FLOATS for each in choices
    ):
        return "it takes a truth value and two floats"
    shapes = (each.shape for each in choices)
    alike = all(shape in {(), (1,), use.outputs[0].shape} for shape in shapes)
    return None if alike else "what it chooses from has another shape than its output"


def _cumsum(use: Use) -> str | None:
    if len(use.inputs) != 2 or not use.fixed[1] or use.inputs[1].dtype != "int32":
        return "its axis is no int32 constant"
    return None


def _lstm(use: Use) -> str | None:
    basic = use.options.get("kernel_type") == "BASIC"
    if not basic and len(use.inputs) not in {20, 24}:
        return f"it takes 20 or 24 inputs; found {len(use.inputs)}"
    return _activation(use)


_ONE = _computed(1)
_ELEMENTWISE = (
    *("ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "GELU", "LOG"),
    *("LOGISTIC", "NEG", "RSQRT", "SIGN", "SIN", "SQRT", "SQUARE", "TANH"),
)
_COMPARISONS = (
    *("EQUAL", "GREATER", "GREATER_EQUAL", "LESS"),
    *("LESS_EQUAL", "LOGICAL_AND", "NOT_EQUAL"),
)
_OPERANDS = (
    *("ATAN2", "DIV", "FLOOR_DIV", "FLOOR_MOD", "MAXIMUM"),
    *("MINIMUM", "POW", "SQUARED_DIFFERENCE", "SUB"),
)

# Operator -> why the delegate would refuse one; None if it takes it.
RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE, _ONE),
    **dict.fromkeys((*_COMPARISONS, *_OPERANDS), _two),
    "ADD": _broadcast,
    "ADD_N": lambda use: None if len(use.inputs) == 2 else "it adds 2 tensors, not more",
    "AVERAGE_POOL_2D": _both(_ONE, _activation),
    "BATCH_MATMUL": lambda use: None if len(use.inputs) == 2 else "it takes 2 inputs",
    "CAST": _cast,
    "CONCATENATION": _activation,
    "CONV_2D": _convolution,
    "CUMSUM": _cumsum,
    "DEPTHWISE_CONV_2D": _depthwise,
    "DEPTH_TO_SPACE": _both(_ONE, _block),
    "DEQUANTIZE": _ONE,
    "FULLY_CONNECTED": _dense,
    "GATHER": _gather,
    "HARD_SWISH": _ONE,
    "LEAKY_RELU": _any,
    "LSTM": _lstm,
    "MAX_POOL_2D": _both(_ONE, _activation),
    "MEAN": _reduction,
    "MIRROR_PAD": _padding,
    "MUL": _product,
    "PACK": _any,
    "PAD": _padding,
    "PADV2": _padding,
    "PRELU": _any,
    "QUANTIZE": _ONE,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "REDUCE_PROD": _reduction,
    "RELU": _any,
    "RELU6": _any,
    "RELU_N1_TO_1": _any,
    "RESHAPE": _ONE,
    "RESIZE_BILINEAR": _both(_ONE, _bilinear),
    "RESIZE_NEAREST_NEIGHBOR": _ONE,
    "SELECT": _select,
    "SELECT_V2": _select,
    "SLICE": _slice,
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": _both(_ONE, _block),
    "SPLIT": _any,
    "SPLIT_V": _any,
    "STRIDED_SLICE": _slice,
    "SUM": _reduction,
    "TILE": _ONE,
    "TRANSPOSE": _ONE,
    "TRANSPOSE_CONV": _convolution,
}
_OTHER_TYPES = {*_COMPARISONS, "CAST", "GATHER", "SELECT", "SELECT_V2"}

# Highest version that the published list, or a float model of the converter, names; else 1.
VERSIONS = {
    "DEPTHWISE_CONV_2D": 2,
    "LSTM": 2,
    "RESIZE_BILINEAR": 3,
    "RESIZE_NEAREST_NEIGHBOR": 3,
    "TRANSPOSE_CONV": 3,
}

"""What an operator costs, in numbers that do not depend on the device.

An operator's time on a device is a sum of these numbers, each times a coefficient of the
device that is 0 or more: see `fit`.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edgekit.flatbuffer import Graph, OpView, TensorView

# What is counted of every operator, in this order.
COUNTED = (
    "operators",
    "macs",
    "wide_macs",
    "broad_macs",
    "padded_macs",
    "tiles",
    "gathers",
    "in_bytes",
    "out_bytes",
    "weight_bytes",
)
_LANES = 16  # channels that kernels compute at once, or a divisor of how many
_BROAD = 32  # that others do, where there are more channels than `_LANES`
_DEPTH = 4  # inputs that integer kernels multiply at once
_FEW = 64  # values: shapes and axes are computed in no time
_INDICES = frozenset({"int32", "int64", "bool"})
_NO_WORK = frozenset({"EXPAND_DIMS", "SQUEEZE", "SHAPE"})
_FILTERED = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"}
)
_COPIES = (
    "CONCATENATION",
    "PAD",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "SPLIT",
    "STRIDED_SLICE",
    "TRANSPOSE",
)
_TAPS = (4, 9, 25)  # that depthwise kernels are made for; more are taken in several passes
_ELEMENTWISE = frozenset({"ADD", "MUL", "SUB", "DIV", "MAXIMUM", "MINIMUM"})


@dataclass(frozen=True, slots=True)
class Cost:
    """What one operator costs.

    Attributes:
        index: Its number in the model.
        op: Name of the builtin, or of the custom operator.
        kind: What its kernel depends on: the name, and what tells kernels of one name apart.
        dtype: Type of its values; `float32>int8` where input and output differ.
        counts: One number for each of `COUNTED`.
        free: It takes no time worth counting: it works on shapes, only renames, or is computed
            within another.
    """

    index: int
    op: str
    kind: str
    dtype: str
    counts: tuple[float, ...]
    free: bool = False

    @property
    def key(self) -> str:
        """Kind and type, e.g. `CONV_2D 1x1 int8`."""
        return f"{self.kind} {self.dtype}"

    @property
    def size(self) -> float:
        """What says how large it is: its MACs, or its bytes if it has none."""
        macs = self.counts[1]
        return macs or self.moved_bytes

    @property
    def weight_bytes(self) -> float:
        """Bytes of the constants that it reads."""
        return self.counts[-1]

    @property
    def moved_bytes(self) -> float:
        """Bytes of the values that it reads and writes."""
        return self.counts[-3] + self.counts[-2]


def costs(graph: Graph) -> tuple[Cost, ...]:
    """Count what each operator of a model costs, in the order of execution.

    A value times its own LOGISTIC is one operator to runtimes that know it as swish: the
    product stands for both.
    """
    found = {op.index: cost(graph, op) for op in graph.ops}
    for gate, product in _own_gates(graph):
        found[gate] = dataclasses.replace(found[gate], free=True)
        found[product] = dataclasses.replace(found[product], kind="MUL by own LOGISTIC")
    return tuple(found.values())


def _own_gates(graph: Graph) -> Iterator[tuple[int, int]]:
    """Yield the numbers of each LOGISTIC and of the product of its input and its output."""
    uses = Counter(tensor for op in graph.ops for tensor in op.inputs)
    gates = {out: op for op in graph.ops if op.op == "LOGISTIC" for out in op.outputs}
    for op in graph.ops:
        if op.op != "MUL" or len(op.inputs) != 2:
            continue
        for value, gated in (op.inputs, op.inputs[::-1]):
            gate = gates.get(gated)
            if gate is not None and gate.inputs == (value,) and uses[gated] == 1:
                yield gate.index, op.index


def cost(graph: Graph, op: OpView) -> Cost:
    """Count what one operator of the main subgraph costs."""
    tensors = graph.main.tensors
    inputs = [tensors[i] for i in op.inputs if i >= 0]
    outputs = [tensors[i] for i in op.outputs if i >= 0]
    flowing = [each for each in inputs if not each.is_constant]
    return Cost(
        index=op.index,
        op=op.custom_code or op.op,
        kind=_kind(op, inputs, outputs),
        dtype=_dtype(op, inputs, flowing, outputs),
        counts=_counts(graph, op, inputs, outputs),
        free=_is_free(op, flowing, outputs),
    )


def as_int8(found: Cost) -> Cost:
    """Return what an operator on floats costs once its values are int8."""
    *counted, read, written, weights = found.counts
    if found.dtype != "float32":
        return found
    quarters = (read / 4, written / 4, weights / 4)
    return dataclasses.replace(found, dtype="int8", counts=(*counted, *quarters))


def _is_free(op: OpView, flowing: list[TensorView], outputs: list[TensorView]) -> bool:
    """Whether an operator only renames, works on shapes, or unpacks constants once."""
    indices = all(each.dtype in _INDICES and _values(each) <= _FEW for each in outputs)
    unpacks = op.op == "DEQUANTIZE" and not flowing
    return op.op in _NO_WORK or unpacks or (bool(outputs) and indices)


def _values(tensor: TensorView) -> int:
    return math.prod(max(1, size) for size in tensor.shape)


def _kind(op: OpView, inputs: list[TensorView], outputs: list[TensorView]) -> str:
    """Tell kernels of one name apart.

    1. A convolution of 1 x 1 is a matrix product; others gather their pixels first.
    2. A depthwise convolution has kernels for windows of up to 4, 9 and 25 pixels.
    3. An operator on two values may repeat one of them.
    4. An average at the edge of a picture is over fewer pixels, where it is padded.
    5. A custom operator goes by its own name.
    """
    name = op.custom_code or op.op
    if op.op == "CONV_2D" and len(inputs) > 1 and len(inputs[1].shape) == 4:
        return f"{name} 1x1" if inputs[1].shape[1:3] == (1, 1) else name
    if op.op == "DEPTHWISE_CONV_2D" and len(inputs) > 1 and len(inputs[1].shape) == 4:
        return f"{name} {_tap_class(math.prod(inputs[1].shape[1:3]))}"
    if op.op in _ELEMENTWISE and len(inputs) == 2 and outputs:
        least = min(_values(each) for each in inputs)
        return f"{name} broadcast" if least < _values(outputs[0]) else name
    if op.op == "AVERAGE_POOL_2D" and _is_padded(op, inputs, outputs):
        return f"{name} padded"
    return name


def _is_padded(op: OpView, inputs: list[TensorView], outputs: list[TensorView]) -> bool:
    """Whether windows reach beyond the picture."""
    if [len(each.shape) for each in (*inputs, *outputs)] != [4, 4]:
        return False
    (_, *sides, _), (_, *results, _) = inputs[0].shape, outputs[0].shape
    strides = (op.options.get("stride_h", 1), op.options.get("stride_w", 1))
    windows = (op.options.get("filter_height", 1), op.options.get("filter_width", 1))
    return any(
        (result - 1) * stride + window > side
        for side, result, stride, window in zip(sides, results, strides, windows, strict=True)
    )


def _tap_class(taps: int) -> str:
    most = next((each for each in _TAPS if taps <= each), None)
    return f"up to {most}" if most else "larger"


def _dtype(
    op: OpView,
    inputs: list[TensorView],
    flowing: list[TensorView],
    outputs: list[TensorView],
) -> str:
    source = flowing[0].dtype if flowing else "constant"
    result = outputs[0].dtype if outputs else source
    name = source if source == result else f"{source}>{result}"
    weights = inputs[1].dtype if op.op in _FILTERED and len(inputs) > 1 else source
    return name if weights == source else f"{name} with {weights} weights"


def _counts(
    graph: Graph, op: OpView, inputs: list[TensorView], outputs: list[TensorView]
) -> tuple[float, ...]:
    size = (_SIZES.get(op.op, _plain) if outputs else _plain)(op, inputs, outputs)
    return (
        1.0,
        float(graph.macs(op)) or size.work,
        size.wide,
        size.broad,
        size.padded,
        size.tiles,
        size.gathers,
        float(sum(each.nbytes for each in inputs if not each.is_constant)),
        float(sum(each.nbytes for each in outputs)),
        float(sum(each.nbytes for each in inputs if each.is_constant)),
    )


@dataclass(frozen=True, slots=True)
class _Size:
    """How much work there is, as kernels divide it.

    Attributes:
        work: Values that are looked at, where there are no MACs.
        wide: MACs, with the channels of results rounded up to what is computed at once.
        broad: The same, rounded up to what wider kernels compute at once.
        padded: As `wide`, with the channels of inputs rounded up as well.
        tiles: Results, rounded up likewise.
        gathers: Pixels that are looked up in windows; pieces that are copied, or met with the
            same values, as one.
    """

    work: float = 0.0
    wide: float = 0.0
    broad: float = 0.0
    padded: float = 0.0
    tiles: float = 0.0
    gathers: float = 0.0


def _up(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _broad(channels: int) -> int:
    return _up(channels, _LANES if channels <= _LANES else _BROAD)


def _convolution(op: OpView, inputs: list[TensorView], outputs: list[TensorView]) -> _Size:
    if len(inputs) < 2 or len(inputs[1].shape) != 4 or len(outputs[0].shape) != 4:
        return _Size()
    out, high, wide, depth = inputs[1].shape
    pixels = _values(outputs[0]) / max(1, outputs[0].shape[3])
    window = high * wide
    gathers = pixels * window if window > 1 else 0.0
    if op.op == "DEPTHWISE_CONV_2D":
        tiles = pixels * _up(depth, _LANES)
        taps = next((each for each in _TAPS if window <= each), window)
        return _Size(wide=tiles * taps, tiles=tiles, gathers=gathers)
    tiles = pixels * _up(out, _LANES)
    return _Size(
        wide=tiles * window * depth,
        broad=pixels * _broad(out) * window * depth,
        padded=tiles * window * _up(depth, _DEPTH),
        tiles=tiles,
        gathers=gathers,
    )


def _product(op: OpView, inputs: list[TensorView], outputs: list[TensorView]) -> _Size:  # noqa: ARG001 (one signature)
    if len(inputs) < 2 or len(inputs[1].shape) < 2:
        return _Size()
    out, depth = inputs[1].shape[-2:]
    rows = _values(outputs[0]) / max(1, out)
    tiles = rows * _up(out, _LANES)
    return _Size(
        wide=tiles * depth,
        broad=rows * _broad(out) * depth,
        padded=tiles * _up(depth, _DEPTH),
        tiles=tiles,
    )


def _pool(op: OpView, inputs: list[TensorView], outputs: list[TensorView]) -> _Size:  # noqa: ARG001
    window = op.options.get("filter_height", 1) * op.options.get("filter_width", 1)
    return _Size(work=float(_values(outputs[0]) * window))


def _copied(op: OpView, inputs: list[TensorView], outputs: list[TensorView]) -> _Size:
    """Count what is copied piece by piece: pixels, and rows of a picture that is padded."""
    shape = outputs[0].shape
    pieces = _values(outputs[0]) / max(1, shape[-1] if shape else 1)
    if op.op == "CONCATENATION":
        pieces *= len(inputs)
    rows = shape[1] if len(shape) == 4 else 0
    return _Size(tiles=float(rows), gathers=pieces)


def _met(op: OpView, inputs: list[TensorView], outputs: list[TensorView]) -> _Size:  # noqa: ARG001
    """Count the pieces that meet the same values, e.g. pixels that meet a value a channel."""
    least = min((_values(each) for each in inputs), default=1)
    values = _values(outputs[0])
    return _Size(gathers=values / least if 1 < least < values else 0.0)


def _plain(op: OpView, inputs: list[TensorView], outputs: list[TensorView]) -> _Size:  # noqa: ARG001
    return _Size()


_SIZES: dict[str, Callable[[OpView, list[TensorView], list[TensorView]], _Size]] = {
    **dict.fromkeys(_COPIES, _copied),
    **dict.fromkeys(_ELEMENTWISE, _met),
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "FULLY_CONNECTED": _product,
    "L2_POOL_2D": _pool,
    "MAX_POOL_2D": _pool,
    "TRANSPOSE_CONV": _convolution,
}

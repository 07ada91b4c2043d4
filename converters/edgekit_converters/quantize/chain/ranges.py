"""Ranges of activations, changed in the integer file: what int8 spans in each tensor.

1. Operators that only move values (pools, reshapes, concatenations, ...) write with the
   step that they read with: such tensors form a group and change together.
2. The kernels fix the step of what SOFTMAX, LOGISTIC and TANH write.
3. A bias counts in steps of its layer's input times those of the weights, so it is written
   anew when the input's range changes.
4. Where an operator is not known to read its steps from the file alone, its tensors stay.
"""

from collections.abc import Mapping

import numpy as np

from edgekit.flatbuffer.graph import Graph, OpView, TensorView
from edgekit.flatbuffer.tables import Table
from edgekit_converters.quantize.chain.moving import MOVING
from edgekit_converters.quantize.chain.pair import Floats, Layer, Pair
from edgekit_converters.ties import Ties

Range = tuple[float, float]

_LOWEST, _HIGHEST = -128, 127
# Rule 1. MEAN and RELU are not among them: they have steps of their own.
_MOVERS = MOVING | {
    "AVERAGE_POOL_2D",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MINIMUM",
    "REDUCE_MAX",
    "REDUCE_MIN",
    "RESIZE_BILINEAR",
}
_FIXED_OUTPUT = frozenset({"LOGISTIC", "SOFTMAX", "TANH"})  # rule 2
# Operators that read the steps of all their tensors from the file when they are loaded.
_FREE = frozenset(
    [
        "ADD",
        "DEQUANTIZE",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOGISTIC",
        "MEAN",
        "MUL",
        "PRELU",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "SOFTMAX",
        "SUB",
        "TANH",
    ]
)


def set_ranges(pair: Pair, ranges: Mapping[int, Range]) -> None:
    """Change the ranges of activations, and write the biases that depend on them.

    Biases keep their real values: correct them afterwards.

    Args:
        pair: The models; the integer one is changed.
        ranges: Real (low, high) by tensor number of the integer file; widened to hold 0. A
            group takes the widest of its members' ranges, and members without one follow.
            What cannot be changed (see `changeable`) is left as it is.
    """
    biases = {layer.op.index: _real_bias(pair, layer) for layer in pair.layers}
    tensors = pair.graph.file.model.subgraphs[0].tensors
    for group in groups(pair):
        asked = [ranges[index] for index in group if index in ranges]
        if asked:
            scale, zero = step_of(min(low for low, _ in asked), max(high for _, high in asked))
            for index in group:
                _set_step(tensors[index], [scale], zero)
    pair.graph = Graph(pair.graph.file)
    for layer in pair.layers:
        scales = len(pair.graph.main.tensors[layer.op.inputs[1]].scale)  # 1: one a tensor
        _set_step(tensors[layer.op.inputs[2]], pair.bias_step(layer)[:scales].tolist(), 0)
    pair.graph = Graph(pair.graph.file)
    for layer in pair.layers:
        pair.set_bias(layer, biases[layer.op.index])


def changeable(pair: Pair) -> frozenset[int]:
    """Return the numbers of the tensors whose ranges `set_ranges` can change."""
    return frozenset(index for group in groups(pair) for index in group)


def groups(pair: Pair) -> list[tuple[int, ...]]:
    """Return the tensors that share their step, group by group; only those that may change."""
    graph = pair.graph
    tensors = graph.main.tensors
    numbers = {tensor.index for tensor in tensors if tensor.dtype == "int8"}
    ties = Ties()
    ties.fresh(len(tensors))
    for op in graph.ops:
        if op.op in _MOVERS:
            own = np.array([i for i in (*op.inputs, *op.outputs) if i in numbers], np.int64)
            ties.tie(own[:1], own[1:])
    ties.freeze(np.array(sorted(_fixed(pair) & numbers), np.int64), "its step is fixed")
    free = np.array([i for i in sorted(numbers) if not tensors[i].is_constant], np.int64)
    members: dict[int, list[int]] = {}
    roots, reasons = ties.roots(free), ties.reasons(free)
    for index, root, reason in zip(free.tolist(), roots.tolist(), reasons, strict=True):
        if reason is None:
            members.setdefault(root, []).append(index)
    return [tuple(each) for each in members.values()]


def _fixed(pair: Pair) -> set[int]:
    """Tensors that have to keep their step."""
    graph, treated = pair.graph, {layer.op.index for layer in pair.layers}
    found = {*graph.main.inputs, *graph.main.outputs}
    for op in graph.ops:
        own = {*op.inputs, *op.outputs} - {-1}
        if op.op in _MOVERS:
            found |= {i for i in own if graph.main.tensors[i].is_constant}
        elif op.op in _FIXED_OUTPUT:
            found |= set(op.outputs)
        elif op.op not in _FREE and op.index not in treated:
            found |= own
    return found


def step_of(low: float, high: float) -> tuple[float, int]:
    """Return scale and zero point of int8 that spans [low, high] and holds 0 exactly.

    >>> step_of(-1.0, 1.55)
    (0.009999999776482582, -28)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32((high - low) / (_HIGHEST - _LOWEST))) or 1.0
    return scale, int(np.clip(np.rint(_LOWEST - low / scale), _LOWEST, _HIGHEST))


def representable(tensor: TensorView) -> Range:
    """Return the smallest and the largest value of an integer tensor."""
    info = np.iinfo(tensor.dtype)
    scale, zero = tensor.scale[0], tensor.zero_point[0]
    return scale * (info.min - zero), scale * (info.max - zero)


def counterparts(pair: Pair) -> dict[int, int]:
    """Return the tensor of the float file that each activation of the integer one stands for.

    Operators are matched in order, those that only change the type left out; where the
    files differ in that, only the layers of the pair are matched.

    Returns:
        Tensor number in the integer file -> number in the float file.
    """
    mine, theirs = _computing(pair.graph), _computing(pair.float_graph)
    matched = [(layer.op, layer.float_op) for layer in pair.layers]
    if [op.op for op in mine] == [op.op for op in theirs]:
        matched = list(zip(mine, theirs, strict=True))
    found = {
        index: float_index
        for op, float_op in matched
        for index, float_index in zip(op.outputs, float_op.outputs, strict=True)
    }
    entering = dict(zip(pair.graph.main.inputs, pair.float_graph.main.inputs, strict=True))
    for op in pair.graph.ops:
        if op.op == "QUANTIZE" and op.inputs[0] in entering:
            found[op.outputs[0]] = entering[op.inputs[0]]
    return found


def _computing(graph: Graph) -> list[OpView]:
    return [op for op in graph.ops if op.op not in {"QUANTIZE", "DEQUANTIZE"}]


def _real_bias(pair: Pair, layer: Layer) -> Floats:
    bias = pair.graph.constant(pair.graph.main.tensors[layer.op.inputs[2]])
    return np.asarray(bias * pair.bias_step(layer))


def _set_step(tensor: Table, scale: list[float], zero_point: int) -> None:
    """Write a step into a tensor, keeping its own table of parameters."""
    params = tensor.quantization
    tensor.quantization = Table(
        "QuantizationParameters",
        scale=np.array(scale, np.float32),
        zero_point=np.full(len(scale), zero_point, np.int64),
        quantized_dimension=params.quantized_dimension,
    )

"""Operators that XNNPACK computes as part of a neighbour, at no cost of their own."""

from collections import Counter

import numpy as np

from edgekit.errors import InputError
from edgekit.flatbuffer.graph import Graph, OpView

_CONVOLVES = {"CONV_2D", "DEPTHWISE_CONV_2D"}
_CLAMPS = {"RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1"}
# What clamps its own result.
_CAN_CLAMP = _CONVOLVES | {
    "AVERAGE_POOL_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "TRANSPOSE_CONV",
}  # fmt: skip


def merged(graph: Graph) -> frozenset[int]:
    """Return the numbers of the operators that go into a neighbour.

    1. RELU and its kin after a convolution, a dense layer or a pooling that nobody else
       reads; 2. PAD with zeros along height and width, read by one convolution only.
    """
    reads = Counter(i for op in graph.ops for i in op.inputs if i >= 0)
    reads.update(graph.main.outputs)
    maker = {i: op for op in graph.ops for i in op.outputs}
    reader = {i: op for op in graph.ops for i in op.inputs[:1]}
    found = set()
    for op in graph.ops:
        if op.op in _CLAMPS:
            before = maker.get(op.inputs[0])
            alone = reads[op.inputs[0]] == 1
            if before is not None and alone and before.op in _CAN_CLAMP:
                found.add(op.index)
        elif op.op in {"PAD", "PADV2"}:
            after = reader.get(op.outputs[0])
            alone = reads[op.outputs[0]] == 1
            if after is not None and alone and after.op in _CONVOLVES and _of_zeros(op, graph):
                found.add(op.index)
    return frozenset(found)


def _of_zeros(op: OpView, graph: Graph) -> bool:
    """Whether a PAD adds zeros around height and width only, to a quantity of floats."""
    tensors = graph.main.tensors
    if len(op.inputs) != 2 or not tensors[op.inputs[0]].is_float:
        return False
    try:
        sizes = graph.constant(tensors[op.inputs[1]])
    except InputError:
        return False
    return sizes.shape == (4, 2) and not np.any(sizes[[0, 3]])

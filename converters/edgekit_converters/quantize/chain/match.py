"""Which layer of the integer file is which layer of the float file.

It goes by order and by name alone, whatever became of the weights, so that layers whose
weights were rounded otherwise, or that stayed in float, are found, too.
"""

from dataclasses import dataclass

import numpy as np

from edgekit.flatbuffer.graph import Graph, OpView, TensorView
from edgekit_converters.quantize.chain.pair import WEIGHTED, Floats

WITH_WEIGHTS = (*WEIGHTED, "TRANSPOSE_CONV")  # each reads its weights at place 1


@dataclass(frozen=True, slots=True)
class Match:
    """A layer with weights, in both files.

    Attributes:
        name: Name of its output in the float file; `--keep-float` knows it.
        float_op: The operator there.
        op: The operator in the integer file.
    """

    name: str
    float_op: OpView
    op: OpView


def matched(float_graph: Graph, graph: Graph) -> tuple[Match, ...]:
    """Return the layers with constant weights that occur in both, in their order."""
    mine, theirs = _layers(float_graph), _layers(graph)
    if [op.op for op in mine] == [op.op for op in theirs]:
        pairs = list(zip(mine, theirs, strict=True))
    else:
        named = {output(graph, op).name: op for op in theirs}
        pairs = [
            (op, named[output(float_graph, op).name])
            for op in mine
            if output(float_graph, op).name in named
        ]
    return tuple(
        Match(output(float_graph, one).name.partition(";")[0], one, other)
        for one, other in pairs
        if one.op == other.op and weights(float_graph, one).shape == weights(graph, other).shape
    )


def output(graph: Graph, op: OpView) -> TensorView:
    """Return what an operator computes."""
    return graph.main.tensors[op.outputs[0]]


def weights(graph: Graph, op: OpView) -> TensorView:
    """Return the weights of a layer."""
    return graph.main.tensors[op.inputs[1]]


def real_constant(graph: Graph, tensor: TensorView) -> Floats:
    """Return what the values of a constant stand for; scales may differ by channel."""
    values = np.asarray(graph.constant(tensor), np.float64)
    if not tensor.scale:
        return values
    scale, zero = np.asarray(tensor.scale), np.asarray(tensor.zero_point or (0,))
    if len(scale) > 1:
        spread = [1] * values.ndim
        spread[tensor.quantized_dimension] = -1
        scale, zero = scale.reshape(spread), np.reshape(zero, spread if zero.size > 1 else -1)
    found: Floats = (values - zero) * scale
    return found


def _layers(graph: Graph) -> list[OpView]:
    return [op for op in graph.ops if op.op in WITH_WEIGHTS and weights(graph, op).is_constant]

"""Grouped convolutions, whose operator version the Edge TPU compiler refuses.

A group of one channel each is a depthwise convolution. Else the channels are split, every
part is convolved with its filters, and the results are put side by side. Scales, integer
weights and biases stay what they are, so every value does.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from edgekit.flatbuffer.graph import Graph, OpView, TensorView
from edgekit.flatbuffer.tables import Table
from edgekit_converters.export.fitting.edit import Array, Edit, Match, ends


def matches(graph: Graph) -> Iterator[Match]:
    """Yield the grouped convolutions."""
    for op in graph.main.ops:
        if op.op != "CONV_2D" or not _constant_weights(graph, op):
            continue
        channels, taps = _channels(graph, op)
        if taps == channels:
            continue
        yield Match((op,), partial(_depthwise if taps == 1 else _parts, op))


def _constant_weights(graph: Graph, op: OpView) -> bool:
    return all(graph.main.tensors[i].is_constant for i in op.inputs[1:] if i >= 0)


def _channels(graph: Graph, op: OpView) -> tuple[int, int]:
    """Return the channels of the input, and those that one filter sees."""
    source, _ = ends(graph, op)
    return source.shape[-1], graph.main.tensors[op.inputs[1]].shape[-1]


def _depthwise(op: OpView, edit: Edit) -> list[Table]:
    graph = edit.graph
    channels, _ = _channels(graph, op)
    weights = graph.main.tensors[op.inputs[1]]
    turned = np.moveaxis(graph.constant(weights), 0, -1).reshape(1, *weights.shape[1:3], -1)
    filters = edit.constant(f"{weights.name}/depthwise", turned, weights.scale, axis=3)
    keep = ("padding", "stride_h", "stride_w", "dilation_h_factor", "dilation_w_factor")
    known = vars(edit.options(op))
    options = Table(
        "DepthwiseConv2DOptions",
        depth_multiplier=turned.shape[-1] // channels,
        fused_activation_function=known["fused_activation_function"],
        **{name: known[name] for name in keep},
    )
    inputs = [op.inputs[0], filters, *op.inputs[2:]]
    return [edit.op("DEPTHWISE_CONV_2D", inputs, op.outputs, options)]


def _parts(op: OpView, edit: Edit) -> list[Table]:
    graph = edit.graph
    source, result = ends(graph, op)
    channels, taps = _channels(graph, op)
    count = channels // taps
    shape, size = source.shape[:-1], result.shape[-1] // count
    pieces = [
        edit.tensor(f"{result.name}/group_{i}", (*shape, taps), source.index)
        for i in range(count)
    ]
    found = [
        edit.tensor(f"{result.name}/convolved_{i}", (*result.shape[:-1], size), result.index)
        for i in range(count)
    ]
    axis = edit.constant(f"{result.name}/axis", np.array(len(shape), np.int32))
    split = edit.op(
        "SPLIT", [axis, source.index], pieces, Table("SplitOptions", num_splits=count)
    )
    convolutions = [
        edit.op(
            "CONV_2D",
            [pieces[i], *_filters(op, edit, slice(i * size, (i + 1) * size), i)],
            [found[i]],
            edit.options(op),
        )
        for i in range(count)
    ]
    joined = Table("ConcatenationOptions", axis=len(shape))
    return [split, *convolutions, edit.op("CONCATENATION", found, op.outputs, joined)]


def _filters(op: OpView, edit: Edit, rows: slice, number: int) -> list[int]:
    """Add the weights and biases of one group."""
    given = [edit.graph.main.tensors[i] for i in op.inputs[1:] if i >= 0]
    return [_rows(edit, each, rows, number) for each in given]


def _rows(edit: Edit, tensor: TensorView, rows: slice, number: int) -> int:
    values: Array = edit.graph.constant(tensor)[rows]
    scale = tensor.scale if len(tensor.scale) < 2 else tensor.scale[rows]
    return edit.constant(f"{tensor.name}/group_{number}", values, scale)

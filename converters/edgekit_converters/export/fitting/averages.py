"""Averages over large pictures, taken in two steps.

Squeeze and excitation averages whole pictures. Of how many places an Edge TPU does so is
known up to a size only, and the compiler has refused more. So squares of a few pixels are
averaged first, by a depthwise convolution, which it takes at any size.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from edgekit.errors import InputError
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table
from edgekit.placement.edgetpu import judge
from edgekit.placement.edgetpu.checks import MOST_POSITIONS
from edgekit.placement.edgetpu.rules import rules
from edgekit_converters.export.fitting.edit import Edit, Match, ends

_SIDES = (2, 4, 7, 8)  # of the squares, the least one that is enough


def matches(graph: Graph) -> Iterator[Match]:
    """Yield the averages of int8 pictures of which it is not known whether they are taken."""
    for op in graph.main.ops:
        if op.op != "MEAN" or judge(graph, op)[0] != "uncertain":
            continue
        source, result = ends(graph, op)
        if source.dtype == result.dtype == "int8" and _averages_all(graph, op):
            _, height, width, channels = source.shape
            if side := _side(height, width, channels):
                yield Match((op,), partial(_in_two, op, side))


def _averages_all(graph: Graph, op: OpView) -> bool:
    """Whether it averages a picture over its height and width."""
    source = graph.main.tensors[op.inputs[0]]
    axes = graph.main.tensors[op.inputs[1]]
    if len(source.shape) != 4 or source.shape[0] != 1 or not axes.is_constant:
        return False
    try:
        return {int(axis) % 4 for axis in graph.constant(axes).ravel()} == {1, 2}
    except InputError:
        return False


def _side(height: int, width: int, channels: int) -> int:
    """The least square that leaves few enough places and values; 0 if there is none."""
    most = rules()["MEAN"].limit(rows=False)
    for side in _SIDES:
        if height % side == width % side == 0:
            places = height // side * (width // side)
            if places <= MOST_POSITIONS and places * channels <= most:
                return side
    return 0


def _in_two(op: OpView, side: int, edit: Edit) -> list[Table]:
    source, result = ends(edit.graph, op)
    _, height, width, channels = source.shape
    share = 1 / side**2 / 127
    kernel = edit.constant(
        f"{result.name}/squares",
        np.full((1, side, side, channels), 127, np.int8),
        [share] * channels,
        axis=3,
    )
    bias = edit.constant(
        f"{result.name}/none",
        np.zeros(channels, np.int32),
        [source.scale[0] * share] * channels,
    )
    shape = (1, height // side, width // side, channels)
    small = edit.tensor(f"{result.name}/small", shape, source.index)
    options = Table(
        "DepthwiseConv2DOptions",
        padding=enum_values("Padding")["VALID"],
        stride_h=side,
        stride_w=side,
        depth_multiplier=1,
        dilation_h_factor=1,
        dilation_w_factor=1,
    )
    inputs = [source.index, kernel, bias]
    first = edit.op("DEPTHWISE_CONV_2D", inputs, [small], options)
    mean = edit.op("MEAN", [small, op.inputs[1]], op.outputs, edit.options(op))
    return [first, mean]

"""What the weights of a layer are multiplied with: its input, tap by tap.

A tap is one element of a kernel. Over all samples and places, each tap meets many input
values; their mean is all that a bias correction needs, because the mean of a layer's output
is its weights times the means of its taps.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer.graph import Graph, OpView

Array = NDArray[Any]
Floats = NDArray[np.float64]

_MOST_ROWS = 60_000  # places that a covariance is measured on
_ROWS_VALUES = 2**25  # that they may hold
_CHUNK_BYTES = 2**24  # of them as float32 at a time


def mean_taps(graph: Graph, op: OpView, values: Array) -> Floats:
    """Return the mean input value of each tap.

    Args:
        graph: The model.
        op: CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED.
        values: Its input, shape (samples, 1, height, width, channels) or (samples, ..., in),
            in the type that the tensor holds.

    Returns:
        Real values, shape (height, width, channels) of the kernel, or (in,).
    """
    average = values.mean(axis=0, keepdims=True, dtype=np.float64)
    if op.op == "FULLY_CONNECTED":
        return real(graph, op.inputs[0], _rows(graph, op, average).mean(axis=0))
    kernel = graph.main.tensors[op.inputs[1]].shape[1:3]
    means = [window.mean(axis=(0, 1, 2)) for window in windows(graph, op, average)]
    return real(graph, op.inputs[0], np.stack(means).reshape(*kernel, -1))


def seen(graph: Graph, op: OpView, values: Array) -> Array:
    """Return what the taps of a layer see at some of its places, the same ones each time.

    Args:
        graph: The model.
        op: CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED.
        values: Its input, as for `mean_taps`.

    Returns:
        Shape (places, taps of the kernel, channels), in the type of `values`.
    """
    if op.op == "FULLY_CONNECTED":
        rows = _rows(graph, op, values)
        return rows[_some(len(rows), rows.shape[1])][:, np.newaxis]
    kernel = graph.main.tensors[op.inputs[1]].shape[1:3]
    out = graph.main.tensors[op.outputs[0]].shape[1:3]
    width = kernel[0] * kernel[1] * values.shape[-1]
    chosen = _some(len(values) * out[0] * out[1], width)
    places = np.unravel_index(chosen, (len(values), *out))
    return np.stack([window[places] for window in windows(graph, op, values)], axis=1)


def groups_of(graph: Graph, op: OpView) -> int:
    """Return how many groups the input channels fall into.

    A group is what some of the outputs share: all of them, those of one group of a grouped
    convolution, or those of one input channel of a depthwise convolution.
    """
    if op.op == "FULLY_CONNECTED":
        return 1
    channels = graph.main.tensors[op.inputs[0]].shape[-1]
    shape = graph.main.tensors[op.inputs[1]].shape
    return int(channels // (1 if op.op == "DEPTHWISE_CONV_2D" else shape[3]))


def covariance(mine: Array, theirs: Array, groups: int) -> Floats:
    """Return how the taps of a layer vary with those that something else feeds it.

    Args:
        mine: As `seen` gives it.
        theirs: The same places with other values, or `mine` once more.
        groups: How many groups the channels fall into.

    Returns:
        Shape (groups, taps of mine, taps of theirs). The taps of a group are in the order of
        the weights of one output.
    """
    _, kernel, channels = mine.shape
    taps = kernel * channels // groups
    means = [each.mean(axis=0, dtype=np.float32) for each in (mine, theirs)]
    found = np.zeros((groups, taps, taps))
    size = max(_CHUNK_BYTES // (4 * kernel * channels), 1)
    for start in range(0, len(mine), size):
        one, other = (
            _grouped(each[start : start + size] - mean, groups)
            for each, mean in zip((mine, theirs), means, strict=True)
        )
        found += one.swapaxes(1, 2) @ other
    return found / len(mine)


def _grouped(part: Array, groups: int) -> Array:
    """Return rows of taps, group by group of the channels."""
    rows, kernel, channels = part.shape
    apart = part.reshape(rows, kernel, groups, channels // groups).transpose(2, 0, 1, 3)
    return np.ascontiguousarray(apart).reshape(groups, rows, -1)


def _some(count: int, width: int) -> Array:
    """Choose some of `count` rows, fewer the wider they are; the same ones each time."""
    most = min(_MOST_ROWS, max(_ROWS_VALUES // width, 1))
    if count <= most:
        return np.arange(count)
    return np.random.default_rng(0).integers(0, count, most)


def windows(graph: Graph, op: OpView, values: Array) -> Iterator[Array]:
    """Yield what each tap of a convolution sees, row by row of the kernel.

    Args:
        graph: The model.
        op: CONV_2D or DEPTHWISE_CONV_2D.
        values: Its input, shape (samples, 1, height, width, channels).

    Yields:
        Views of shape (samples, out height, out width, channels), in the type of `values`.
    """
    tensors = graph.main.tensors
    size, out = tensors[op.inputs[1]].shape[1:3], tensors[op.outputs[0]].shape[1:3]
    stride = (op.options["stride_h"], op.options["stride_w"])
    dilation = (op.options["dilation_h_factor"], op.options["dilation_w_factor"])
    same = op.options["padding"] == "SAME"
    pictures = values[:, 0]
    edges = [
        _edges(pictures.shape[1 + i], out[i], size[i], stride[i], dilation[i], same=same)
        for i in range(2)
    ]
    zero = tensors[op.inputs[0]].zero_point or (0,)
    padded = np.pad(pictures, ((0, 0), *edges, (0, 0)), constant_values=zero[0])
    for row in range(size[0]):
        for column in range(size[1]):
            top, left = row * dilation[0], column * dilation[1]
            yield padded[
                :,
                top : top + (out[0] - 1) * stride[0] + 1 : stride[0],
                left : left + (out[1] - 1) * stride[1] + 1 : stride[1],
            ]


def real(graph: Graph, tensor: int, values: Array) -> Floats:
    """Return what values of a tensor stand for."""
    view = graph.main.tensors[tensor]
    found = np.asarray(values, np.float64)
    return (found - view.zero_point[0]) * view.scale[0] if view.scale else found


def _rows(graph: Graph, op: OpView, values: Array) -> Array:
    """Shape the input of a FULLY_CONNECTED as rows of what one output sees."""
    return values.reshape(-1, graph.main.tensors[op.inputs[1]].shape[1])


def _edges(
    size: int, out: int, kernel: int, stride: int, dilation: int, *, same: bool
) -> tuple[int, int]:
    """Return how much is padded before and behind; TFLite puts the odd one behind."""
    reach = (out - 1) * stride + (kernel - 1) * dilation + 1
    total = max(reach - size, 0)
    before = total // 2 if same else 0
    return before, total - before

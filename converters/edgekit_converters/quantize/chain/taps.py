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
_ROWS_BYTES = 2**26  # what they may take
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


def covariance(graph: Graph, op: OpView, values: Array) -> Floats:
    """Return how the taps of a layer vary together, measured on a part of the places.

    Args:
        graph: The model.
        op: CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED.
        values: Its input, as for `mean_taps`.

    Returns:
        Shape (groups, taps, taps), in steps of the input, squared. A group is what some of
        the outputs share: all of them, those of one group of a grouped convolution, or
        those of one input channel of a depthwise convolution. Its taps are in the order of
        the weights of one output.
    """
    if op.op == "FULLY_CONNECTED":
        rows = _rows(graph, op, values)
        return _moments(rows[_some(len(rows), rows.shape[1])][:, np.newaxis], 1)
    shape = graph.main.tensors[op.inputs[1]].shape
    kernel, channels = shape[1] * shape[2], values.shape[-1]
    groups = channels // (1 if op.op == "DEPTHWISE_CONV_2D" else shape[3])
    out = graph.main.tensors[op.outputs[0]].shape[1:3]
    places = np.unravel_index(
        _some(len(values) * out[0] * out[1], kernel * channels), (len(values), *out)
    )
    seen = np.stack([window[places] for window in windows(graph, op, values)], axis=1)
    return _moments(seen, groups)


def _some(count: int, width: int) -> Array:
    """Choose some of `count` rows, fewer the wider they are; the same ones each time."""
    most = min(_MOST_ROWS, max(_ROWS_BYTES // width, 1))
    if count <= most:
        return np.arange(count)
    return np.random.default_rng(0).integers(0, count, most)


def _moments(seen: Array, groups: int) -> Floats:
    """Return the covariance of the columns, group by group of the channels.

    Args:
        seen: Shape (rows, places of the kernel, channels).
        groups: How many groups the channels fall into.
    """
    _, kernel, channels = seen.shape
    taps = kernel * channels // groups
    mean = seen.mean(axis=0, dtype=np.float32)
    found = np.zeros((groups, taps, taps))
    size = max(_CHUNK_BYTES // (4 * kernel * channels), 1)
    for start in range(0, len(seen), size):
        part = (seen[start : start + size] - mean).reshape(
            -1, kernel, groups, channels // groups
        )
        each = np.ascontiguousarray(part.transpose(2, 0, 1, 3)).reshape(groups, -1, taps)
        found += each.swapaxes(1, 2) @ each
    return found / len(seen)


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

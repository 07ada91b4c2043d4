"""Channels that never say anything, and what they do to the weights.

A channel that ReLU holds at zero on every sample can carry weights of any size, and those
set the range of the whole tensor where it has one scale. Their weights are zeroed, which
changes nothing on these samples; others are asked before it counts as lossless.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer.graph import Graph
from edgekit_converters.quantize.chain.channels import Channels

_RELU = {"RELU", "RELU6", "RELU_0_TO_1"}


def find_dead(
    graph: Graph, channels: Channels, peaks: Mapping[int, NDArray[np.float64]]
) -> NDArray[np.bool_]:
    """Return whether each group is zero in all tensors that carry it, on all samples.

    What only a ReLU of its own reads may be anything.
    """
    readers: dict[int, set[str]] = {}
    for op in graph.ops:
        for index in op.inputs:
            readers.setdefault(index, set()).add(op.op)
    seen = np.zeros(channels.count, bool)
    alive = np.zeros(channels.count, bool)
    alive[list(channels.frozen)] = True
    for tensor, groups in channels.groups.items():
        if readers.get(tensor, set()) - _RELU:
            peak = peaks.get(tensor)
            seen[groups] = True
            alive[groups[... if peak is None else peak > 0]] = True
    return seen & ~alive

"""The largest magnitude that each channel takes over samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer.graph import Graph
from edgekit.progress import track
from edgekit_converters.quantize.chain.walk import Walk, samples_within

Floats = NDArray[np.float64]


def channel_peaks(graph: Graph, inputs: Mapping[int, NDArray[Any]]) -> dict[int, Floats]:
    """Measure the channels of each tensor that depends on the input.

    Args:
        graph: The float model.
        inputs: Samples of each input by tensor number, samples in front.

    Returns:
        By tensor number: the largest magnitude for each index of the last axis.

    Raises:
        SourceError: An operator does not run.
    """
    size = samples_within(graph)
    total = len(next(iter(inputs.values())))
    found: dict[int, Floats] = {}
    for start in track(range(0, total, size), "Measuring channels", -(-total // size)):
        walk = Walk(graph, {i: values[start : start + size] for i, values in inputs.items()})
        fresh = set(inputs)
        for op in walk.steps():
            _note(found, walk, fresh & {*op.inputs})
            fresh = (fresh - {*op.inputs}) | {*op.outputs}
        _note(found, walk, {*graph.main.outputs})
    return found


def _note(found: dict[int, Floats], walk: Walk, tensors: set[int]) -> None:
    """Widen the peaks of tensors that have just been computed."""
    for index in tensors & walk.values.keys():
        values = walk.values[index]
        if values.dtype.kind == "f" and values.ndim > 1 and values.size:
            rows = values.reshape(-1, values.shape[-1])
            peak = np.maximum(rows.max(axis=0), -rows.min(axis=0)).astype(np.float64)
            found[index] = np.maximum(found[index], peak) if index in found else peak

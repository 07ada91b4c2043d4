"""The smallest and largest value that each tensor of a float model takes over all samples.

ai-edge-quantizer would average over the samples with a moving weight, which clips and
depends on their order; these are the true extremes, in one pass, in constant memory.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError, SourceError
from edgekit.flatbuffer.graph import Graph, TensorView
from edgekit_converters.quantize.float_graph import interpreter, run

_LARGEST = 3e38  # beyond is a stand-in for infinity, such as the padding of a maximum
_MAX_THREADS = 4

Range = tuple[float, float]
Samples = Iterable[Mapping[str, NDArray[Any]]]


def measure(data: bytes, path: Path, samples: Samples) -> dict[str, Range]:
    """Run samples through a float model and return (low, high) of each tensor by name.

    Args:
        data: The model; its tensors have names of their own.
        path: What messages call it.
        samples: One array an input each, by the name of the tensor or of the signature's
            input, with or without the batch dimension; a sole input may have any name.

    Raises:
        DataError: There is no sample, or one does not fit the inputs.
        SourceError: The model does not run, or gives values that are no numbers.
    """
    graph = Graph(data)
    made = interpreter(data, str(path), threads=min(os.cpu_count() or 1, _MAX_THREADS))
    watched = {
        tensor.name: made.tensor(tensor.index)
        for tensor in graph.main.tensors
        if tensor.dtype == "float32" and tensor.index in _activations(graph)
    }
    found: dict[str, Range] = {}
    for sample in samples:
        for tensor in graph.inputs:
            made.set_tensor(tensor.index, _value(sample, tensor, graph))
        run(made, str(path))
        for name, view in watched.items():
            found[name] = _widened(found.get(name), view(), name, path)
    if not found:
        msg = (
            "There is no calibration sample; the ranges of int8 and int16x8 come from samples."
        )
        raise DataError(msg)
    return found


def _activations(graph: Graph) -> set[int]:
    """Tensors whose values depend on the input."""
    return {*graph.main.inputs, *(index for op in graph.ops for index in op.outputs)}


def _value(
    sample: Mapping[str, NDArray[Any]], tensor: TensorView, graph: Graph
) -> NDArray[Any]:
    """The array of one input, with its batch dimension."""
    names = (tensor.name, graph.main.input_names.get(tensor.index, tensor.name))
    given = next((sample[name] for name in names if name in sample), None)
    if given is None and len(sample) == len(graph.inputs) == 1:
        given = next(iter(sample.values()))
    if given is None:
        msg = f"A sample has no input '{names[1]}'. It has: {', '.join(sample)}."
        raise DataError(msg)
    array = np.asarray(given, dtype=tensor.dtype)
    if array.shape == tensor.shape[1:] and tensor.shape[:1] == (1,):
        array = array[np.newaxis]
    if array.shape != tensor.shape:
        msg = (
            f"Input '{names[1]}' takes shape {tensor.shape}; a sample has {array.shape}.\n"
            "Give samples of that shape, or without its first dimension."
        )
        raise DataError(msg)
    return array


def _widened(known: Range | None, values: NDArray[Any], name: str, path: Path) -> Range:
    """The range with one run's values added."""
    if not values.size:
        return known or (0.0, 0.0)
    low, high = float(values.min()), float(values.max())
    if np.isnan(low) or np.isnan(high):
        msg = (
            f"{path} gives values that are no numbers in tensor '{name}'.\n"
            "Check that the calibration data suit the model, and its weights."
        )
        raise SourceError(msg)
    if max(-low, high) > _LARGEST:
        usable = values[np.abs(values) <= _LARGEST]
        low, high = (float(usable.min()), float(usable.max())) if usable.size else (0.0, 0.0)
    return (low, high) if known is None else (min(known[0], low), max(known[1], high))

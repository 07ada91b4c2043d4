"""Operators of a model as a model of their own."""

from collections.abc import Sequence
from copy import copy

import numpy as np

from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.tables import Table, pack


def part(graph: Graph, numbers: slice, given: Sequence[int], made: Sequence[int]) -> bytes:
    """Pack some operators that follow each other.

    Args:
        graph: The model; it is left as it is.
        numbers: Which operators of its main graph.
        given: Tensors that become the inputs.
        made: Tensors that become the outputs.
    """
    model, main = copy(graph.file.model), copy(graph.file.model.subgraphs[0])
    main.operators = main.operators[numbers]
    main.inputs, main.outputs = np.array(given, np.int32), np.array(made, np.int32)
    model.subgraphs = [main, *model.subgraphs[1:]]
    model.signature_defs = model.metadata = model.metadata_buffer = None
    model.buffers = _read_buffers(model)
    return pack(model)


def _read_buffers(model: Table) -> list[Table]:
    """Return the buffers of a model, emptied where no operator reads them."""
    kept = {0}
    for subgraph in model.subgraphs:
        read = {int(i) for op in subgraph.operators for i in op.inputs if i >= 0}
        kept |= {subgraph.tensors[i].buffer for i in read}
    return [
        buffer if number in kept else Table("Buffer")
        for number, buffer in enumerate(model.buffers)
    ]

"""Constants of a model, changed in its tree."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.tables import Table
from edgekit_converters.quantize.chain.channels import Channels

Floats = NDArray[np.float64]


def rescale(graph: Graph, channels: Channels, factors: Floats) -> None:
    """Multiply the channels of a model; the function that it computes stays the same.

    Args:
        graph: The float model; its tree is changed.
        channels: Its groups.
        factors: One positive number for each group.
    """
    for each in channels.constants:
        spread = factors[each.up]
        if each.down is not None:
            spread = spread / factors[each.down]
        if (spread != 1).any():
            values = graph.constant(graph.main.tensors[each.tensor])
            write(graph, each.tensor, values * spread)


def silence(graph: Graph, channels: Channels, dead: NDArray[np.bool_]) -> None:
    """Set everything that computes or reads dead channels to zero.

    Args:
        graph: The float model; its tree is changed.
        channels: Its groups.
        dead: Whether each group is.
    """
    for each in channels.constants:
        gone = dead[each.up]
        if each.down is not None:
            gone = gone | dead[each.down]
        if gone.any():
            values = graph.constant(graph.main.tensors[each.tensor])
            write(graph, each.tensor, np.where(gone, 0.0, values))


def write(graph: Graph, tensor: int, values: NDArray[Any]) -> None:
    """Change a float32 constant; a buffer that other tensors read, too, is left to them."""
    model = graph.file.model
    table: Table = model.subgraphs[0].tensors[tensor]
    readers = [each for subgraph in model.subgraphs for each in subgraph.tensors]
    if sum(each.buffer == table.buffer for each in readers) > 1:
        table.buffer = len(model.buffers)
        model.buffers.append(Table("Buffer"))
    content = np.ascontiguousarray(values, np.float32).tobytes()
    model.buffers[table.buffer].data = np.frombuffer(content, np.uint8)

"""Activations that the Edge TPU does not have, written with those that it has.

* LEAKY_RELU is a PRELU whose slopes are all the same: their integers are all 127.
* HARD_SWISH is x * clip(x + 3, 0, 6) / 6. Stored in steps of 6/255 above 0, the sum is
  clipped by its own range; the division is a constant factor.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.tables import Table
from edgekit_converters.export.fitting.edit import Edit, Match, ends


def leaky_matches(graph: Graph) -> Iterator[Match]:
    """Yield the LEAKY_RELUs of int8 models."""
    for op in _of_int8(graph, "LEAKY_RELU"):
        if op.options.get("alpha", 0) > 0:
            yield Match((op,), partial(_sloped, op))


def hard_swish_matches(graph: Graph) -> Iterator[Match]:
    """Yield the HARD_SWISHes of int8 models."""
    for op in _of_int8(graph, "HARD_SWISH"):
        yield Match((op,), partial(_multiplied, op))


def _of_int8(graph: Graph, kind: str) -> Iterator[OpView]:
    for op in graph.main.ops:
        if op.op == kind and all(each.dtype == "int8" for each in ends(graph, op)):
            yield op


def _sloped(op: OpView, edit: Edit) -> list[Table]:
    source, result = ends(edit.graph, op)
    slope = float(edit.options(op).alpha)
    shape = (1,) * max(len(source.shape) - 2, 0) + source.shape[-1:]
    values = np.full(shape, 127, np.int8)
    slopes = edit.constant(f"{result.name}/slope", values, [slope / 127])
    return [edit.op("PRELU", [source.index, slopes], op.outputs)]


def _multiplied(op: OpView, edit: Edit) -> list[Table]:
    source, result = ends(edit.graph, op)
    name, shape = result.name, source.shape
    most = np.full((1,) * len(shape), 127, np.int8)
    three = edit.constant(f"{name}/three", most, [3 / 127])
    sixth = edit.constant(f"{name}/sixth", most, [1 / 6 / 127])
    clipped = edit.tensor(f"{name}/clipped", shape, source.index, [6 / 255], -128)
    share = edit.tensor(f"{name}/share", shape, source.index, [1 / 255], -128)
    return [
        edit.op("ADD", [source.index, three], [clipped], Table("AddOptions")),
        edit.op("MUL", [clipped, sixth], [share], Table("MulOptions")),
        edit.op("MUL", [source.index, share], op.outputs, Table("MulOptions")),
    ]

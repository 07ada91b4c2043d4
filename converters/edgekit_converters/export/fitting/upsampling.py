"""Nearest upsampling, which Keras 3 exports as reshapes and tiles of five dimensions.

A run of RESHAPE and TILE only moves values. What it moves where is found by moving the
numbers of the places instead: if each pixel comes out as a block of itself, the run is
one RESIZE_NEAREST_NEIGHBOR.
"""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from edgekit.errors import InputError
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.tables import Table
from edgekit_converters.export.fitting.edit import Array, Edit, Match, ends, sole_reader

_LARGEST = 2**24  # values of a result whose places are followed


def matches(graph: Graph) -> Iterator[Match]:
    """Yield the runs of operators that are nearest upsampling."""
    taken: set[int] = set()
    for op in graph.main.ops:
        if op.index not in taken and (found := _longest(graph, op)):
            ops, height, width = found
            taken |= {each.index for each in ops}
            yield Match(ops, partial(_resize, ops, height, width))


def _longest(graph: Graph, first: OpView) -> tuple[tuple[OpView, ...], int, int] | None:
    """Return the longest run from an operator that is upsampling, and its factors."""
    source, _ = ends(graph, first)
    if first.op != "RESHAPE" or len(source.shape) not in {3, 4} or source.shape[0] != 1:
        return None
    places, ops = np.arange(math.prod(source.shape)).reshape(source.shape), [first]
    found = None
    op: OpView | None = first
    while op is not None and op.op in {"RESHAPE", "TILE"}:
        moved = _moved(graph, op, places)
        if moved is None:
            break
        places, ops = moved, ops if op is first else [*ops, op]
        if factors := _factors(source.shape, places):
            found = (tuple(ops), *factors)
        op = sole_reader(graph, op.outputs[0])
    return found


def _moved(graph: Graph, op: OpView, places: Array) -> Array | None:
    """Do with the numbers of places what an operator does with values."""
    _, result = ends(graph, op)
    if math.prod(result.shape) > _LARGEST:
        return None
    if op.op == "RESHAPE":
        return places.reshape(result.shape)
    times = graph.main.tensors[op.inputs[1]]
    try:
        return np.tile(places, graph.constant(times).ravel()) if times.is_constant else None
    except InputError:
        return None


def _factors(shape: tuple[int, ...], places: Array) -> tuple[int, int] | None:
    """Return how many times each pixel is repeated down and across, if that is all."""
    wide = (*shape[:2], 1, shape[2]) if len(shape) == 3 else shape
    found = places if len(shape) == 4 else places.reshape(*places.shape[:2], 1, -1)
    if places.ndim != len(shape) or found.shape[3] != wide[3] or found.shape[0] != 1:
        return None
    factors = [found.shape[axis] / wide[axis] for axis in (1, 2)]
    if factors == [1, 1] or any(factor % 1 for factor in factors):
        return None
    height, width = (int(factor) for factor in factors)
    origin = np.arange(math.prod(wide)).reshape(wide)
    wanted = origin.repeat(height, axis=1).repeat(width, axis=2)
    return (height, width) if np.array_equal(found, wanted) else None


def _resize(ops: tuple[OpView, ...], height: int, width: int, edit: Edit) -> list[Table]:
    graph = edit.graph
    source, _ = ends(graph, ops[0])
    _, result = ends(graph, ops[-1])
    flat = len(source.shape) == 3
    down, across = (source.shape[1], 1) if flat else source.shape[1:3]
    size = np.array([down * height, across * width], np.int32)
    inner, outer, made, last = source.index, result.index, [], []
    if flat:
        name, channels = result.name, source.shape[2]
        inner = edit.tensor(f"{name}/wide", (1, down, 1, channels), source.index)
        outer = edit.tensor(f"{name}/resized", (1, int(size[0]), 1, channels), source.index)
        made = [_reshape(edit, source.index, inner, (1, down, 1, channels))]
        last = [_reshape(edit, outer, result.index, result.shape)]
    centres = not (_is_exact(down, height) and _is_exact(across, width))
    options = Table("ResizeNearestNeighborOptions", half_pixel_centers=centres)
    inputs = [inner, edit.constant(f"{result.name}/size", size)]
    return [*made, edit.op("RESIZE_NEAREST_NEIGHBOR", inputs, [outer], options), *last]


def _is_exact(size: int, factor: int) -> bool:
    """Whether the kernel finds every pixel without the half-pixel shift.

    The kernel computes in float32: place of the source = floor(place * (size / result)).
    Without the shift the operator has a lower version, which every compiler takes.
    """
    step = np.float32(size) / np.float32(size * factor)
    places = np.floor(np.arange(size * factor, dtype=np.float32) * step)
    return bool((places == np.arange(size).repeat(factor)).all())


def _reshape(edit: Edit, source: int, result: int, shape: tuple[int, ...]) -> Table:
    wanted = np.array(shape, np.int32)
    inputs = [source, edit.constant(f"shape/{result}", wanted)]
    return edit.op("RESHAPE", inputs, [result], Table("ReshapeOptions", new_shape=wanted))

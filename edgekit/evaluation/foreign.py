"""What a .tflite from elsewhere says about itself, without an edgekit manifest.

Read are the normalization in `TFLITE_METADATA`, the label file appended as a zip archive,
the range of a quantized input, and whether the graph scales its input itself.
"""

import logging
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import encode, number_types, table

from edgekit.errors import InputError, RecordError
from edgekit.flatbuffer.graph import Graph, OpView, TensorView
from edgekit.manifest import Preprocessing

_log = logging.getLogger(__name__)

METADATA = "TFLITE_METADATA"
# What reading a table from damaged bytes can raise.
_DAMAGED = (struct.error, IndexError, ValueError, TypeError, OverflowError)
# Slots of the public schema metadata_schema.fbs.
_MODEL_SUBGRAPHS, _SUBGRAPH_INPUTS, _TENSOR_UNITS = 3, 2, 4
_UNIT_TYPE, _UNIT_OPTIONS, _NORMALIZATION = 0, 1, 1
_MEAN, _STD = 0, 1
_LABEL_LIMIT = 2**22  # bytes of a label file that are read


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What a file says in the ways of others.

    Attributes:
        preprocessing: How pixels are scaled, or None if it does not say.
        origin: Where that stands, for messages.
        labels: Names of the classes; empty if it has none.
        normalizes_itself: Whether the graph scales its input before anything else.
    """

    preprocessing: Preprocessing | None = None
    origin: str = ""
    labels: tuple[str, ...] = ()
    normalizes_itself: bool = False


def read_foreign(path: Path) -> Foreign:
    """Read what a .tflite file says about itself; what is damaged counts as not said."""
    try:
        graph = Graph(path)
    except InputError:
        return Foreign()  # the runtime has the better message
    preprocessing, origin = _normalization(graph), f"its {METADATA}"
    if preprocessing is None:
        preprocessing, origin = quantized_range(graph), "the range of its quantized input"
    return Foreign(
        preprocessing=preprocessing,
        origin=origin if preprocessing else "",
        labels=appended_labels(path),
        normalizes_itself=scales_its_input(graph),
    )


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether (batch, height, width, channels) or (height, width, channels) is a picture.

    >>> is_picture((1, 96, 96, 3)), is_picture((1, 49, 10, 8))
    (True, False)
    """
    return len(shape) in {3, 4} and shape[-1] in {1, 3} and min(shape[-3:-1]) > 1


def quantized_range(graph: Graph) -> Preprocessing | None:
    """Map pixels 0..255 to the whole range of a quantized picture input, if there is one.

    That is what feeding the pixels themselves, as uint8, comes to.
    """
    limits = {"uint8": (0, 255), "int8": (-128, 127)}
    for tensor in graph.inputs:
        if tensor.dtype in limits and len(tensor.scale) == 1 and is_picture(tensor.shape):
            scale, zero_point = tensor.scale[0], tensor.zero_point[0]
            low, high = (scale * (each - zero_point) for each in limits[tensor.dtype])
            return Preprocessing.from_range(low, high) if low < high else None
    return None


def appended_labels(path: Path) -> tuple[str, ...]:
    """Return the names in the only text file of a zip archive appended to a model."""
    try:
        with zipfile.ZipFile(path) as archive:
            texts = [each for each in archive.infolist() if each.filename.endswith(".txt")]
            if len(texts) != 1 or texts[0].file_size > _LABEL_LIMIT:
                return ()
            lines = archive.read(texts[0]).decode("utf-8-sig").splitlines()
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError):
        return ()
    return tuple(line.strip() for line in lines)


def scales_its_input(graph: Graph) -> bool:
    """Whether the first thing done to a picture input is to scale or shift it like pixels.

    Such constants are far from what follows a scaling: factors of at most 0.1 or shifts of
    at least 10. QUANTIZE, DEQUANTIZE, CAST and RESHAPE in front are passed over.
    """
    for tensor in graph.inputs:
        op = _first_op(graph, tensor)
        if op is not None and is_picture(tensor.shape) and _is_pixel_scaling(graph, op):
            return True
    return False


_PASSED_OVER = {"QUANTIZE", "DEQUANTIZE", "CAST", "RESHAPE"}
_MOST_PASSED_OVER = 4


def _first_op(graph: Graph, tensor: TensorView) -> OpView | None:
    """Return the only op that reads a tensor, behind those that are passed over."""
    index = tensor.index
    for _ in range(_MOST_PASSED_OVER):
        readers = [op for op in graph.ops if index in op.inputs]
        if len(readers) != 1:
            return None
        if readers[0].op not in _PASSED_OVER:
            return readers[0]
        index = readers[0].outputs[0]
    return None


def _is_pixel_scaling(graph: Graph, op: OpView) -> bool:
    if op.op not in {"MUL", "DIV", "ADD", "SUB"}:
        return False
    tensors = [graph.main.tensors[index] for index in op.inputs if index >= 0]
    constants = [each for each in tensors if each.is_constant and np.prod(each.shape) <= 3]
    if len(constants) != 1:
        return False
    values = np.abs(_real(graph, constants[0]))
    return bool(values.max() <= 0.1 if op.op == "MUL" else values.max() >= 10)


def _real(graph: Graph, tensor: TensorView) -> Any:
    values = graph.constant(tensor).astype(np.float64)
    if not tensor.scale:
        return values
    return tensor.scale[0] * (values - tensor.zero_point[0])


def _normalization(graph: Graph) -> Preprocessing | None:
    """Return mean and std of the first input that has any."""
    try:
        found = _mean_std(graph.metadata.get(METADATA, b""))
        return Preprocessing(mean=found[0], std=found[1]) if found else None
    except (*_DAMAGED, RecordError):
        _log.warning("The %s of this model is damaged and was not used.", METADATA)
        return None


def _mean_std(data: bytes) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    if not data:
        return None
    start = encode.Get(number_types.UOffsetTFlags.packer_type, data, 0)
    model = table.Table(data, start)
    for subgraph in _tables(model, _MODEL_SUBGRAPHS):
        for tensor in _tables(subgraph, _SUBGRAPH_INPUTS):
            for unit in _tables(tensor, _TENSOR_UNITS):
                place = _place(unit, _UNIT_TYPE)
                if place and unit.Get(number_types.Uint8Flags, place) == _NORMALIZATION:
                    options = table.Table(data, 0)
                    unit.Union(options, _place(unit, _UNIT_OPTIONS) - unit.Pos)
                    return _floats(options, _MEAN), _floats(options, _STD)
    return None


def _place(parent: Any, slot: int) -> int:
    """Where a field's value stands in the bytes; 0 if it is not there."""
    offset = parent.Offset(4 + 2 * slot)
    return offset + parent.Pos if offset else 0


def _tables(parent: Any, slot: int) -> list[Any]:
    offset = parent.Offset(4 + 2 * slot)
    if not offset:
        return []
    start, count = parent.Vector(offset), parent.VectorLen(offset)
    if count > len(parent.Bytes):
        raise ValueError(count)
    places = (parent.Indirect(start + 4 * index) for index in range(count))
    return [table.Table(parent.Bytes, place) for place in places]


def _floats(parent: Any, slot: int) -> tuple[float, ...]:
    offset = parent.Offset(4 + 2 * slot)
    if not offset:
        return ()
    values = parent.GetVectorAsNumpy(number_types.Float32Flags, offset)
    return tuple(float(value) for value in values)

"""What can be told from the graph of a .tflite that does not say how to prepare pictures.

Its standard metadata, where it has any, are read with the manifest (`edgekit.artifact`);
here are the range of a quantized input and whether the graph scales its input itself.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import InputError
from edgekit.flatbuffer.graph import Graph, OpView, TensorView
from edgekit.manifest import Preprocessing


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """What a graph tells.

    Attributes:
        preprocessing: How pixels are scaled, or None if it does not tell.
        origin: What tells it, for messages.
        normalizes_itself: Whether the graph scales its input before anything else.
    """

    preprocessing: Preprocessing | None = None
    origin: str = ""
    normalizes_itself: bool = False


def read_foreign(path: Path) -> Foreign:
    """Read what the graph of a .tflite tells; of a damaged one nothing."""
    try:
        graph = Graph(path)
    except InputError:
        return Foreign()  # the runtime has the better message
    return read_graph(graph)


def read_graph(graph: Graph) -> Foreign:
    """Read what a graph tells."""
    preprocessing = quantized_range(graph)
    return Foreign(
        preprocessing=preprocessing,
        origin="the range of its quantized input" if preprocessing else "",
        normalizes_itself=scales_its_input(graph),
    )


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether (batch, height, width, channels) or (height, width, channels) is a picture.

    One channel may as well be a spectrogram; those are more than twice as long as wide.

    >>> is_picture((1, 96, 96, 3)), is_picture((28, 28, 1)), is_picture((1, 49, 10, 1))
    (True, True, False)
    """
    if len(shape) not in {3, 4} or shape[-1] not in {1, 3}:
        return False
    short, long = sorted(shape[-3:-1])
    return short > 1 and (shape[-1] == 3 or long <= 2 * short)


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

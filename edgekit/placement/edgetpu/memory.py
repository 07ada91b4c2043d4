"""How many bytes of parameters the compiler packs, and which layers stay on the chip.

The chip keeps parameters of whole layers in what memory the activations leave free, in the
order of execution; those of the rest are sent anew with each run, which is slow. Packed, a
layer takes, with pad(n) the next multiple of 16 below 64 and of 64 from there on, and up4(n)
the next multiple of 4:

* CONV_2D, TRANSPOSE_CONV: pad(out) x (height x width x up4(in) + 8), 4 for 8 if the whole
  tensor has one scale
* FULLY_CONNECTED: pad(out) x (up4(in) + 8), likewise
* DEPTHWISE_CONV_2D: up4(channels) x (4 x height x width + 16), 4 for 16 likewise
* SOFTMAX of up to about 1000 classes: 48 x up4(classes), its table
* UNIDIRECTIONAL_SEQUENCE_LSTM: about ten times its weights; only one file is known

On the chip pad(n) is the next multiple of 64 throughout. All this was read off compiled files
and logs: in those with more than 20 kB and no LSTM the sum is within 1.5 %.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.flatbuffer import Graph, OpView, TensorView

MIB = 2**20
# Pixels a side of the input, and what was free for parameters beside the activations of
# inputs up to that size in every log and compiled file.
_LEAST = ((320, 6 * MIB), (640, 3 * MIB // 2))
_LEAST_OF_ALL = 1 * MIB  # in the tightest log, of 1920 x 1058 pixels
_MOST = round(7.88 * MIB)  # no log shows more
_MOST_CLASSES = 1008
_LSTM_FACTOR = 10
_LONG_INPUT = 10_000  # a FULLY_CONNECTED with so many and one or two outputs was streamed

Stay = Literal["cached", "streamed", "uncertain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Parameters of one layer on the Edge TPU.

    Attributes:
        index: Number of the operator.
        op: Its kind.
        bytes: Packed, in the file.
        memory: Whether they stay on the chip or are streamed.
    """

    index: int
    op: str
    bytes: int
    memory: Stay


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What becomes of a model's parameters.

    Attributes:
        verdict: `fits`, `streams` or `uncertain`.
        parameter_bytes: Packed, in the file.
        on_chip_bytes: What they would take on the chip.
        least_free_bytes: Memory that is free for them at the least.
        most_free_bytes: At the most.
        cached_bytes: Of `parameter_bytes`, those that stay for sure.
        streamed_bytes: Those that are streamed for sure.
        layers: Those with parameters, in the order of execution.
    """

    verdict: Literal["fits", "streams", "uncertain"]
    parameter_bytes: int
    on_chip_bytes: int
    least_free_bytes: int
    most_free_bytes: int
    cached_bytes: int
    streamed_bytes: int
    layers: tuple[Parameters, ...]


def estimate(graph: Graph, verdicts: Sequence[tuple[str, str]]) -> Memory:
    """Estimate what becomes of a model's parameters.

    Args:
        graph: The original, not a compiled file.
        verdicts: Place and reason of each operator; those that are uncertain count, too.
    """
    ops = [op for op, (place, _) in zip(graph.ops, verdicts, strict=True) if place != "cpu"]
    sized = [(op, packed_bytes(graph, op), packed_bytes(graph, op, on_chip=True)) for op in ops]
    sized = [each for each in sized if each[1]]
    least, most = _free(graph)
    on_chip = [size for _, _, size in sized]
    tight, roomy = _kept(on_chip, least), _kept(on_chip, most)
    layers = tuple(
        Parameters(
            index=op.index,
            op=op.op,
            bytes=size,
            memory=_stay(i in tight and not _is_long(graph, op), i in roomy),
        )
        for i, (op, size, _) in enumerate(sized)
    )
    stays = {layer.memory for layer in layers}
    return Memory(
        verdict="streams"
        if "streamed" in stays
        else "fits"
        if stays <= {"cached"}
        else "uncertain",
        parameter_bytes=sum(layer.bytes for layer in layers),
        on_chip_bytes=sum(on_chip),
        least_free_bytes=least,
        most_free_bytes=most,
        cached_bytes=sum(layer.bytes for layer in layers if layer.memory == "cached"),
        streamed_bytes=sum(layer.bytes for layer in layers if layer.memory == "streamed"),
        layers=layers,
    )


def packed_bytes(graph: Graph, op: OpView, *, on_chip: bool = False) -> int:
    """Bytes that an operator's parameters take in the compiled file, or on the chip.

    >>> up(13, 4), pad(17), pad(65), pad(17, on_chip=True)
    (16, 32, 128, 64)
    """
    count = _COUNTS.get(op.op)
    tensors = graph.subgraphs[op.subgraph].tensors
    inputs = [tensors[i] for i in op.inputs if i >= 0]
    return count(inputs, on_chip) if count and len(inputs) >= _INPUTS.get(op.op, 1) else 0


def up(count: int, step: int) -> int:
    """The next multiple of a step."""
    return -(-count // step) * step


def pad(outputs: int, *, on_chip: bool = False) -> int:
    """What a number of outputs is padded to."""
    return up(outputs, 64 if on_chip or outputs >= 64 else 16)


def _convolution(inputs: list[TensorView], on_chip: bool) -> int:
    outputs, high, wide, depth = _four(inputs[1])
    scales = 8 if len(inputs[1].scale) > 1 else 4
    return pad(outputs, on_chip=on_chip) * (high * wide * up(depth, 4) + scales)


def _fully_connected(inputs: list[TensorView], on_chip: bool) -> int:
    outputs, into = (*inputs[1].shape, 1, 1)[:2]
    scales = 8 if len(inputs[1].scale) > 1 else 4
    return pad(outputs, on_chip=on_chip) * (up(into, 4) + scales)


def _depthwise(inputs: list[TensorView], on_chip: bool) -> int:  # noqa: ARG001 (one signature for all)
    _, high, wide, channels = _four(inputs[1])
    scales = 16 if len(inputs[1].scale) > 1 else 4
    return up(channels, 4) * (4 * high * wide + scales)


def _softmax(inputs: list[TensorView], on_chip: bool) -> int:  # noqa: ARG001 (one signature for all)
    classes = inputs[0].shape[-1] if inputs[0].shape else 0
    return 48 * up(min(max(classes, 0), _MOST_CLASSES), 4)


def _lstm(inputs: list[TensorView], on_chip: bool) -> int:  # noqa: ARG001 (one signature for all)
    return _LSTM_FACTOR * sum(tensor.nbytes for tensor in inputs if tensor.is_constant)


def _four(tensor: TensorView) -> tuple[int, int, int, int]:
    sizes = (1, 1, 1, 1, *tensor.shape)[-4:]
    return sizes[0], sizes[1], sizes[2], sizes[3]


_COUNTS: dict[str, Callable[[list[TensorView], bool], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "SOFTMAX": _softmax,
    "TRANSPOSE_CONV": _convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
_INPUTS = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 2}


def _free(graph: Graph) -> tuple[int, int]:
    """Memory for parameters, at the least and at the most."""
    side = max((size for tensor in graph.inputs for size in tensor.shape[1:3]), default=0)
    least = next((free for pixels, free in _LEAST if side <= pixels), _LEAST_OF_ALL)
    return least, _MOST


def _kept(sizes: Sequence[int], free: int) -> set[int]:
    """Positions of the layers that find room, in the order of execution."""
    kept = set()
    for i, size in enumerate(sizes):
        if size <= free:
            kept.add(i)
            free -= size
    return kept


def _stay(sure: bool, possible: bool) -> Stay:
    return "cached" if sure else "uncertain" if possible else "streamed"


def _is_long(graph: Graph, op: OpView) -> bool:
    """Whether it is a layer of the kind that was streamed though there was room."""
    shape = graph.main.tensors[op.inputs[1]].shape if len(op.inputs) > 1 else ()
    long = len(shape) == 2 and shape[0] <= 2 and shape[1] >= _LONG_INPUT
    return op.op == "FULLY_CONNECTED" and long

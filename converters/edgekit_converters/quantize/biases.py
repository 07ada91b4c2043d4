"""Biases that are larger than their integers can say.

A bias is stored in steps of (scale of the input) x (scale of the weights). Where the weights
of a channel are nearly zero, as batch normalization leaves them, that step is tiny and the
bias overflows; ai-edge-quantizer then clips it to 32 bits, which changes the output. Here

1. such a bias is stored whole: in 64 bits (`int16x8`) there is room;
2. where it does not fit, or where the kernel's multiplier would become too small to count,
   the scale of that channel's weights is enlarged until it does.
"""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table
from edgekit_converters.quantize.op_versions import op_name

_INT64 = enum_values("TensorType")["INT64"]
_INT32 = enum_values("TensorType")["INT32"]
# Type -> steps that a bias may have: 32 bits leave the accumulator as much again for the
# products; beyond 2^38 the multiplier of the 16-bit kernels comes close to its least, 2^-31.
_FITS = {_INT32: 2.0**30, _INT64: 2.0**38}
_CLIPPED = 2.0**30  # beyond, what ai-edge-quantizer stored is not relied on

# Operator -> places of its input, weights and bias, and the dimension of the channels.
_PLACES = {
    "CONV_2D": (0, 1, 2, 0),
    "DEPTHWISE_CONV_2D": (0, 1, 2, 3),
    "FULLY_CONNECTED": (0, 1, 2, 0),
    "TRANSPOSE_CONV": (2, 1, 3, 0),
}


def mend_biases(model: Table, float_graph: Graph) -> int:
    """Store every bias without clipping.

    Args:
        model: The quantized file, changed in place.
        float_graph: The float model; weights and biases have the same names there.

    Returns:
        How many channels were changed.
    """
    main = model.subgraphs[0]
    floats = {
        t.name: float_graph.constant(t) for t in float_graph.main.tensors if t.is_constant
    }
    uses = Counter(int(index) for op in main.operators for index in op.inputs)
    changed = 0
    for op in main.operators:
        places = _PLACES.get(op_name(model, op))
        if places is None or len(op.inputs) <= places[2] or op.inputs[places[2]] < 0:
            continue
        source, weights, bias = (main.tensors[int(op.inputs[place])] for place in places[:3])
        shared = uses[int(op.inputs[places[1]])] > 1 or uses[int(op.inputs[places[2]])] > 1
        known = weights.name in floats and bias.name in floats
        if bias.type in {_INT32, _INT64} and known and not shared:
            channel = _Channels(model, source, weights, bias, places[3])
            changed += channel.mend(floats[weights.name], floats[bias.name])
    return changed


class _Channels:
    """The weights and the bias of one operator."""

    def __init__(
        self, model: Table, source: Table, weights: Table, bias: Table, dimension: int
    ) -> None:
        self._model = model
        self._input_scale = float(source.quantization.scale[0])
        self._weights = weights
        self._bias = bias
        self._dimension = dimension

    def mend(self, weights: NDArray[Any], bias: NDArray[Any]) -> int:
        """Store a bias whole; return how many channels needed it."""
        scale = np.array(self._weights.quantization.scale, np.float64)
        steps = np.abs(bias.astype(np.float64)) / (self._input_scale * scale)
        over = steps > _CLIPPED
        if not over.any():
            return 0
        fits = _FITS[self._bias.type]
        if steps.max() > fits:
            scale = scale * np.maximum(steps.max() if scale.size == 1 else steps, fits) / fits
            self._store_weights(weights, scale.astype(np.float32))
        exact = np.rint(bias / (self._input_scale * scale))
        self._store(
            self._bias, exact.astype(np.int64 if self._bias.type == _INT64 else np.int32)
        )
        self._bias.quantization.scale = (self._input_scale * scale).astype(np.float32)
        return int(over.sum())

    def _store_weights(self, weights: NDArray[Any], scale: NDArray[np.float32]) -> None:
        shape = [1] * weights.ndim
        shape[self._dimension if scale.size > 1 else 0] = scale.size
        steps = np.clip(np.rint(weights / scale.reshape(shape)), -127, 127).astype(np.int8)
        self._store(self._weights, steps)
        self._weights.quantization.scale = scale

    def _store(self, tensor: Table, values: NDArray[Any]) -> None:
        raw = np.frombuffer(values.tobytes(), np.uint8)
        tensor.buffer = len(self._model.buffers)
        self._model.buffers.append(Table("Buffer", data=raw))

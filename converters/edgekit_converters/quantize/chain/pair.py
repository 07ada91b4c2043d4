"""The float file and the integer file of one model, layer by layer."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack

Array = NDArray[Any]
Floats = NDArray[np.float64]

# Operator -> axis of its weights that numbers the output channels.
WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
# What has no weights, though it may take a constant.
ARITHMETIC = frozenset(
    ["ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "PRELU", "SQUARED_DIFFERENCE", "SUB"]
)
_INT32 = enum_values("TensorType")["INT32"]
_HALF_STEP = 0.51  # how far nearest rounding moves a weight, with room for float32


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A layer with weights, in both files.

    Attributes:
        name: Name of its output in the float file.
        float_op: The operator there.
        op: The operator in the integer file.
        weights: Float weights as the file holds them: (out, height, width, in) for CONV_2D,
            (1, height, width, out) for DEPTHWISE_CONV_2D, (out, in) for FULLY_CONNECTED.
        bias: Float biases, shape (out,); zeros where the layer has none.
    """

    name: str
    float_op: OpView
    op: OpView
    weights: Floats
    bias: Floats

    @property
    def axis(self) -> int:
        """The axis of the weights that numbers the output channels."""
        return WEIGHTED[self.op.op]


class Pair:
    """A float model and its integer counterpart; the integer one can be changed.

    A layer without bias gets one of zeros in the integer file, for corrections. Steps of an
    unrolled layer share their weights and would get a bias each; they stay without.

    Args:
        float_model: The float .tflite.
        integer_model: The integer one, from the same source.
        rounded: Whether its weights may be rounded anyhow; else a layer whose weights are
            not the nearest ones is taken for another.

    Attributes:
        layers: Those that occur in both, in the order of the integer file.
        left_alone: Name of every other layer with weights, with the reason.
    """

    def __init__(
        self, float_model: bytes, integer_model: bytes, *, rounded: bool = False
    ) -> None:
        self.float_graph = Graph(float_model)
        self.graph = with_biases(Graph(integer_model))
        self._rounded = rounded
        self.layers: list[Layer] = []
        self.left_alone: dict[str, str] = {}
        self._match()

    def pack(self) -> bytes:
        """Return the integer file as it is by now."""
        return pack(self.graph.file.model)

    def weights(self, layer: Layer) -> Array:
        """Return the integer weights of a layer."""
        return self.graph.constant(self._tensor(layer, 1))

    def scales(self, layer: Layer) -> Floats:
        """Return the step of the weights of each output channel, shape (out,)."""
        scale = np.asarray(self._tensor(layer, 1).scale, np.float64)
        found: Floats = np.broadcast_to(scale, layer.bias.shape)
        return found

    def real_weights(self, layer: Layer) -> Floats:
        """Return what the integer weights stand for."""
        found: Floats = self.weights(layer) * along(self.scales(layer), layer)
        return found

    def bias_step(self, layer: Layer) -> Floats:
        """Return the step of the biases: that of the input times that of the weights."""
        found: Floats = self._tensor(layer, 0).scale[0] * self.scales(layer)
        return found

    def set_weights(self, layer: Layer, weights: Array) -> None:
        """Change the integer weights of a layer."""
        self._write(layer, 1, weights.astype(np.int8))

    def set_bias(self, layer: Layer, bias: Floats) -> None:
        """Change the biases of a layer.

        Args:
            layer: Which one; it has a bias in the integer file.
            bias: Real values, shape (out,).
        """
        limit = 2**31 - 1
        steps = np.clip(np.rint(bias / self.bias_step(layer)), -limit, limit)
        self._write(layer, 2, steps.astype(np.int32))

    def _match(self) -> None:
        """Pair the layers of both files that are the same."""
        mine = [op for op in self.float_graph.ops if op.op in WEIGHTED]
        theirs = [op for op in self.graph.ops if op.op in WEIGHTED]
        others = [
            op for op in self.graph.ops if op.op not in WEIGHTED and self._has_weights(op)
        ]
        for op in others:
            self.left_alone[self._name(op)] = f"{op.op} is not treated"
        if [op.op for op in mine] != [op.op for op in theirs]:
            reason = "the converter ordered the layers of the float and the integer file apart"
            self.left_alone |= {self._name(op): reason for op in theirs}
            return
        for float_op, op in zip(mine, theirs, strict=True):
            layer = self._layer(float_op, op)
            obstacle = self._obstacle(layer)
            if obstacle is None:
                self.layers.append(layer)
            else:
                self.left_alone[layer.name] = obstacle

    def _layer(self, float_op: OpView, op: OpView) -> Layer:
        graph = self.float_graph
        weights = graph.main.tensors[float_op.inputs[1]]
        values = graph.constant(weights) if weights.is_constant else np.zeros(weights.shape)
        bias = np.zeros(values.shape[WEIGHTED[op.op]])
        if len(float_op.inputs) > 2 and float_op.inputs[2] >= 0:
            given = graph.main.tensors[float_op.inputs[2]]
            bias = graph.constant(given) if given.is_constant else bias
        name = graph.main.tensors[float_op.outputs[0]].name
        return Layer(
            name=name.partition(";")[0],
            float_op=float_op,
            op=op,
            weights=np.asarray(values, np.float64),
            bias=np.asarray(bias, np.float64),
        )

    def _obstacle(self, layer: Layer) -> str | None:
        """Say why a layer cannot be treated, or None."""
        integer = self.graph.main.tensors
        if not integer[layer.op.inputs[1]].is_constant:
            return "its weights are computed"
        if any(integer[i].dtype != "int8" for i in layer.op.inputs[:2]):
            return "it stayed in float"
        return self._bias_obstacle(layer) or self._weights_obstacle(layer)

    def _bias_obstacle(self, layer: Layer) -> str | None:
        if not _has_bias(layer.op):
            return "it has no bias, and others share its weights"
        is_constant = self.graph.main.tensors[layer.op.inputs[2]].is_constant
        return None if is_constant else "its bias is computed"

    def _weights_obstacle(self, layer: Layer) -> str | None:
        if self.weights(layer).shape != layer.weights.shape:
            return "its weights have another shape in the integer file"
        steps = (self.real_weights(layer) - layer.weights) / along(self.scales(layer), layer)
        if not self._rounded and np.abs(steps).max(initial=0.0) > _HALF_STEP:
            return "its weights are others in the integer file"
        return None

    def _has_weights(self, op: OpView) -> bool:
        """Whether an operator reads a constant of several dimensions in 8 bits."""
        if op.op in ARITHMETIC:
            return False
        tensors = [self.graph.main.tensors[i] for i in op.inputs if i >= 0]
        return any(t.is_constant and t.dtype == "int8" and len(t.shape) > 1 for t in tensors)

    def _name(self, op: OpView) -> str:
        return self.graph.main.tensors[op.outputs[0]].name.partition(";")[0]

    def _tensor(self, layer: Layer, place: int) -> Any:
        return self.graph.main.tensors[layer.op.inputs[place]]

    def _write(self, layer: Layer, place: int, values: Array) -> None:
        """Change a constant; a buffer that other tensors read, too, is left to them."""
        model = self.graph.file.model
        tensor: Table = model.subgraphs[0].tensors[layer.op.inputs[place]]
        content = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        readers = [each for graph in model.subgraphs for each in graph.tensors]
        if sum(each.buffer == tensor.buffer for each in readers) > 1:
            tensor.buffer = len(model.buffers)
            model.buffers.append(Table("Buffer"))
        model.buffers[tensor.buffer].data = content


def with_biases(graph: Graph) -> Graph:
    """Return an integer model whose layers all have a bias; its tree is changed."""
    tensors, missing = graph.main.tensors, []
    uses = readers(graph)
    for op in graph.ops:
        if op.op in WEIGHTED and not _has_bias(op) and uses[op.inputs[1]] == 1:
            given, weights = (tensors[i] for i in op.inputs[:2])
            if weights.is_constant and given.dtype == weights.dtype == "int8":
                missing.append(op)
    for op in missing:
        _add_bias(graph, op)
    return Graph(graph.file) if missing else graph


def readers(graph: Graph) -> Counter[int]:
    """Count how many operators read each tensor of the main graph."""
    return Counter(index for op in graph.ops for index in set(op.inputs))


def _add_bias(graph: Graph, op: OpView) -> None:
    """Give a layer a bias of zeros."""
    model = graph.file.model
    main = model.subgraphs[0]
    given, weights = (graph.main.tensors[i] for i in op.inputs[:2])
    count = weights.shape[WEIGHTED[op.op]]
    table: Table = main.operators[op.index]
    table.inputs = np.array([*op.inputs[:2], len(main.tensors)], np.int32)
    main.tensors.append(
        Table(
            "Tensor",
            shape=np.array([count], np.int32),
            type=_INT32,
            buffer=len(model.buffers),
            name=f"{graph.main.tensors[op.outputs[0]].name.partition(';')[0]}_bias",
            quantization=Table(
                "QuantizationParameters",
                scale=np.array(weights.scale, np.float32) * np.float32(given.scale[0]),
                zero_point=np.zeros(len(weights.scale), np.int64),
            ),
            has_rank=True,
        )
    )
    model.buffers.append(Table("Buffer", data=np.zeros(4 * count, np.uint8)))


def _has_bias(op: OpView) -> bool:
    return len(op.inputs) > 2 and op.inputs[2] >= 0


def along(values: Floats, layer: Layer) -> Floats:
    """Shape one value for each output channel so that it spreads over the weights."""
    shape = [1] * layer.weights.ndim
    shape[layer.axis] = -1
    return values.reshape(shape)

"""Rebuild a graph with fake quantization where the integer model will round.

Every tensor is rounded once, when something first needs it. What needs it, by layer:

1. Layers with a kernel: rounded inputs, a rounded kernel. Separable convolutions become two.
2. ReLU and ReLU6 are computed together with the layer before them, if nothing else uses
   that: only their result is rounded. Other activations are layers of their own.
3. Sigmoid, softmax and tanh have the range that the int8 kernels give them.
4. Layers that move values or pick some keep the range of their input; those that average
   some are rounded in it once more.
5. Concatenations take all inputs in one range: what nothing else uses is rounded there only.
6. Rescaling, Normalization and BatchNorm are a multiplication and an addition.
7. Everything else is called as it is, its inputs and outputs rounded; what is not known
   to be one integer op is named.
8. Layers with a state or with products of activations are refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edgekit.errors import SourceError
from edgekit_converters.prune.graph import Call, Graph
from edgekit_converters.quantize.qat.fake import (
    CHANNELS,
    TANH_RANGE,
    UNIT_RANGE,
    Constant,
    FakeQuant,
    FakeWeights,
)
from edgekit_converters.quantize.qat.fold import factors
from edgekit_converters.quantize.qat.replay import Replay, Twins, name_of, users

# By name, because layers and the operations of keras.ops share names and meaning.
REFUSED = frozenset({
    "RNN", "SimpleRNN", "LSTM", "GRU", "Bidirectional", "TimeDistributed", "ConvLSTM1D",
    "ConvLSTM2D", "ConvLSTM3D", "MultiHeadAttention", "GroupedQueryAttention", "Attention",
    "AdditiveAttention",
})  # fmt: skip
AVERAGES = frozenset({"AveragePooling1D", "AveragePooling2D"})
KEEPS_RANGE = AVERAGES | frozenset({
    "ActivityRegularization", "AlphaDropout", "Cropping1D", "Cropping2D", "Dropout",
    "Flatten", "GaussianDropout", "GaussianNoise", "GetItem", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "Identity", "MaxPooling1D", "MaxPooling2D", "Permute",
    "RepeatVector", "Reshape", "SpatialDropout1D", "SpatialDropout2D", "Squeeze",
    "ExpandDims", "Transpose", "UpSampling1D", "UpSampling2D", "ZeroPadding1D",
    "ZeroPadding2D",
})  # fmt: skip
ONE_OP = frozenset({
    "Add", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "LeakyReLU", "Maximum",
    "Mean", "Minimum", "Multiply", "PReLU", "ReLU", "Relu", "Relu6", "Subtract",
})  # fmt: skip
ONE_OP_ACTIVATIONS = frozenset({"gelu", "hard_silu", "leaky_relu", "relu", "relu6"})
TAKES_RELU = frozenset({"Add", "Multiply", "Subtract"})  # beside layers with a kernel
FIXED = {"sigmoid": UNIT_RANGE, "softmax": UNIT_RANGE, "tanh": TANH_RANGE}
_RULES = ("_regularizer", "_constraint")  # they were for the kernel before it was folded
_SEPARABLE: dict[type[Any], tuple[Any, Any]] = {
    keras.layers.SeparableConv1D: (keras.layers.DepthwiseConv1D, keras.layers.Conv1D),
    keras.layers.SeparableConv2D: (keras.layers.DepthwiseConv2D, keras.layers.Conv2D),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fake:
    """A model with fake quantization.

    Attributes:
        trained: Gives the outputs before they are rounded: what a loss is taken of.
        model: Gives what the integer model will give; shares all layers with `trained`.
        ranges: Its rounded activations.
        kernels: Its rounded kernels, each with the range of its input.
        variables: Variables of the original, and what stands for them.
        untreated: Layers that are not known to become one integer op.
    """

    trained: Any
    model: Any
    ranges: tuple[FakeQuant, ...]
    kernels: tuple[tuple[FakeWeights, FakeQuant | None], ...]
    variables: tuple[tuple[Any, Any], ...]
    untreated: tuple[str, ...]


def build(model: Any, *, per_tensor: bool = False) -> Fake:
    """Rebuild a model with fake quantization.

    Args:
        model: A Keras 3 model, its BatchNorm folded; it is left as it is.
        per_tensor: One scale a kernel instead of one a channel.

    Raises:
        SourceError: The model is no graph of layers, or has layers that cannot be treated.
    """
    graph = Graph(model)
    _refuse(graph)
    return _Builder(graph, per_tensor=per_tensor).all()


def _refuse(graph: Graph) -> None:
    found = [
        f"{call.name} ({type(call.layer).__name__})"
        for call in graph.calls
        if type(call.layer).__name__ in REFUSED
    ]
    if found:
        msg = (
            "Quantization-aware training knows no recurrent and no attention layers; found "
            f"{', '.join(found)}.\nLeave --qat out: such models are quantized after training."
        )
        raise SourceError(msg)


class _Builder:
    """Puts fake quantization into one graph."""

    def __init__(self, graph: Graph, *, per_tensor: bool) -> None:
        self._graph = graph
        self._per_tensor = per_tensor
        self._twins, self._replay = Twins(), Replay(graph)
        self._users = users(graph)
        self._exact: dict[int, FakeQuant] = {}  # tensors that wait to be rounded, by identity
        self._takes_relu: set[int] = set()
        self._rounded: dict[int, Any] = {}
        self._range_of: dict[int, FakeQuant] = {}  # rounded tensors, by identity
        self._alive: list[Any] = []  # identities hold as long as tensors live
        self._ranges: list[FakeQuant] = []
        self._sources: list[tuple[FakeWeights, FakeQuant | None]] = []
        self._kernels: dict[int, FakeWeights] = {}
        self._halves: dict[int, tuple[FakeWeights, FakeWeights]] = {}
        self._variables: list[tuple[Any, Any]] = []
        self._untreated: list[str] = []

    def all(self) -> Fake:
        """Do it."""
        for tensor in self._replay.inputs:
            self._wait(tensor, tensor.name)
        self._replay.run(self._emit)
        exact = self._replay.outputs
        rounded = [self._round(tensor) for tensor in exact]
        self._twins.copy_weights()
        variables = (*self._twins.pairs(), *self._variables)
        for original, twin in self._variables:
            twin.assign(original)
        return Fake(
            trained=self._replay.model(exact),
            model=self._replay.model(rounded),
            ranges=tuple(self._ranges),
            kernels=tuple(self._sources),
            variables=variables,
            untreated=tuple(dict.fromkeys(self._untreated)),
        )

    def _emit(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind = type(call.layer).__name__
        treat = self._treatment(call, kind)
        if treat is not None:
            return treat(call, args[0] if args else next(iter(kwargs.values())))
        keep = kind == "Concatenate" and all(self._users[key] == 1 for key in call.inputs)
        if not keep:
            args, kwargs = keras.tree.map_structure(self._round, (args, kwargs))
        given = self._twins.of(call)(*args, **kwargs)
        if kind in KEEPS_RANGE:
            return self._kept(call, args[0] if args else next(iter(kwargs.values())), given)
        if kind not in ONE_OP and kind != "Concatenate":
            self._untreated.append(call.name)
        for tensor in keras.tree.flatten(given):
            self._wait(tensor, name_of(call), relu=kind in TAKES_RELU)
        return given

    def _treatment(self, call: Call, kind: str) -> Callable[[Call, Any], Any] | None:
        layer = call.layer
        if type(layer) in CHANNELS and getattr(layer, "data_format", "") != "channels_first":
            return self._weighted
        if type(layer) in _SEPARABLE and layer.data_format == "channels_last":
            return self._separable
        if kind in {
            "Activation",
            "ReLU",
            "Relu",
            "Relu6",
            "Softmax",
            "Sigmoid",
            "Tanh",
            "Silu",
        }:
            return self._activation
        if kind in {"Rescaling", "Normalization", "BatchNormalization"} and _affine(layer):
            return self._scaled
        return self._average if kind == "Average" else None

    # Rounding

    def _wait(
        self,
        tensor: Any,
        name: str,
        *,
        fixed: tuple[float, float] | None = None,
        relu: bool = False,
    ) -> Any:
        """Let a tensor be rounded when it is first needed."""
        if "float" in str(tensor.dtype):
            name = f"{name}_range_{len(self._alive)}"
            self._exact[id(tensor)] = FakeQuant(fixed, name=name)
            self._alive.append(tensor)
            if relu:
                self._takes_relu.add(id(tensor))
        return tensor

    def _round(self, tensor: Any) -> Any:
        """Return the rounded form of a tensor; what needs none is returned as it is."""
        key = id(tensor)
        if key not in self._exact:
            return tensor
        if key not in self._rounded:
            self._ranges.append(self._exact[key])
            self._rounded[key] = self._exact[key](tensor)
            self._ranged(self._rounded[key], self._exact[key])
        return self._rounded[key]

    def _ranged(self, tensor: Any, source: FakeQuant) -> Any:
        """Note the range that a tensor is rounded in."""
        self._range_of[id(tensor)] = source
        self._alive.append(tensor)
        return tensor

    def _kept(self, call: Call, x: Any, given: Any) -> Any:
        """Hand the range of a layer's input on."""
        source = self._range_of.get(id(x))
        if source is None:
            return given
        if _averages(call.layer):
            pooled = type(call.layer).__name__ in AVERAGES
            return self._ranged(source(given, follows=True, pooled=pooled), source)
        for tensor in keras.tree.flatten(given):
            self._ranged(tensor, source)
        return given

    # Layers

    def _weighted(self, call: Call, x: Any) -> Any:
        layer = call.layer
        if id(layer) not in self._kernels:
            rules = {k: None for k in layer.get_config() if k.endswith(_RULES)}
            inner = self._twins.of(call, activation=None, **rules)
            self._kernels[id(layer)] = FakeWeights(inner, per_tensor=self._per_tensor)
        made = self._multiplied(self._kernels[id(layer)], x)
        self._wait(made, name_of(call), relu=True)
        return self._activated(made, layer.activation, name_of(call), sole=True)

    def _multiplied(self, layer: FakeWeights, x: Any) -> Any:
        x = self._round(x)
        source = self._range_of.get(id(x))
        self._sources.append((layer, source))
        return layer(x, source=source)

    def _separable(self, call: Call, x: Any) -> Any:
        layer = call.layer
        if id(layer) not in self._halves:
            self._halves[id(layer)] = self._split(call)
        first, second = self._halves[id(layer)]
        middle = self._wait(self._multiplied(first, x), name_of(call))
        made = self._multiplied(second, middle)
        for half, name in ((first, "depthwise_kernel"), (second, "pointwise_kernel")):
            self._variables.append((getattr(layer, name), half.inner.kernel))
        if layer.use_bias:
            self._variables.append((layer.bias, second.inner.bias))
        self._wait(made, name_of(call), relu=True)
        return self._activated(made, layer.activation, name_of(call), sole=True)

    def _split(self, call: Call) -> tuple[FakeWeights, FakeWeights]:
        layer, name = call.layer, name_of(call)
        depthwise, pointwise = _SEPARABLE[type(layer)]
        first = depthwise(
            layer.kernel_size,
            strides=layer.strides,
            padding=layer.padding,
            depth_multiplier=layer.depth_multiplier,
            dilation_rate=layer.dilation_rate,
            use_bias=False,
            name=f"{name}_depthwise",
        )
        second = pointwise(layer.filters, 1, use_bias=layer.use_bias, name=f"{name}_pointwise")
        per_tensor = self._per_tensor
        return (
            FakeWeights(first, per_tensor=per_tensor),
            FakeWeights(second, per_tensor=per_tensor),
        )

    def _activation(self, call: Call, x: Any) -> Any:
        layer = call.layer
        sole = self._users[call.inputs[0]] == 1
        if isinstance(layer, keras.layers.ReLU | keras.layers.Softmax):
            kind = "softmax" if isinstance(layer, keras.layers.Softmax) else "relu"
            return self._called(self._twins.of(call), kind, x, name_of(call), sole=sole)
        if isinstance(layer, keras.layers.Activation):
            return self._activated(x, layer.activation, name_of(call), sole=sole)
        function = getattr(keras.activations, type(layer).__name__.lower())
        return self._activated(x, function, name_of(call), sole=sole)

    def _activated(self, x: Any, function: Any, name: str, *, sole: bool) -> Any:
        """Apply an activation function."""
        kind = "linear" if function is None else getattr(function, "__name__", "custom")
        name = f"{name}_{kind}"
        if kind == "linear":
            return x
        if kind == "silu":
            x = self._round(x)
            gate = keras.layers.Activation("sigmoid", name=f"{name}_gate")(x)
            gate = self._round(self._wait(gate, name, fixed=UNIT_RANGE))
            return self._wait(keras.layers.Multiply(name=name)([x, gate]), name)
        if kind == "hard_sigmoid":
            x = self._constant(self._round(x), 3.0, multiply=False, name=f"{name}_shift")
            x = keras.layers.ReLU(6.0, name=f"{name}_clip")(x)
            x = self._round(self._wait(x, name))
            return self._wait(
                Constant(1 / 6, multiply=True, name=f"{name}_scale")(x), name, fixed=UNIT_RANGE
            )
        return self._called(
            keras.layers.Activation(function, name=name), kind, x, name, sole=sole
        )

    def _called(self, layer: Any, kind: str, x: Any, name: str, *, sole: bool) -> Any:
        """Call the layer of an activation, together with what is before it if that is done."""
        together = sole and kind in {"relu", "relu6"} and id(x) in self._takes_relu
        made = layer(x if together and _plain(layer) else self._round(x))
        if kind not in FIXED and kind not in ONE_OP_ACTIVATIONS:
            self._untreated.append(name)
        return self._wait(made, name, fixed=FIXED.get(kind))

    def _constant(self, x: Any, values: Any, *, multiply: bool, name: str) -> Any:
        return Constant(values, multiply=multiply, name=name)(x)

    def _scaled(self, call: Call, x: Any) -> Any:
        factor, offset = _factors(call.layer)
        name = f"{name_of(call)}_{len(self._alive)}"
        for values, multiply in ((factor, True), (offset, False)):
            if not np.all(values == (1.0 if multiply else 0.0)):
                what = f"{name}_{'scale' if multiply else 'shift'}"
                x = self._constant(self._round(x), values, multiply=multiply, name=what)
                self._wait(x, what, relu=True)
        return x

    def _average(self, call: Call, tensors: list[Any]) -> Any:
        name = f"{name_of(call)}_{len(self._alive)}"
        total = keras.layers.Add(name=f"{name}_sum")([self._round(each) for each in tensors])
        total = self._round(self._wait(total, name))
        share = 1 / len(tensors)
        return self._wait(self._constant(total, share, multiply=True, name=name), name)


def _averages(layer: Any) -> bool:
    """Whether a layer that keeps its range computes values that were not there."""
    blends = getattr(layer, "interpolation", "nearest") != "nearest"
    return type(layer).__name__ in AVERAGES or blends


def _plain(layer: Any) -> bool:
    """Whether a ReLU is one that is computed together with the layer before it."""
    if not isinstance(layer, keras.layers.ReLU):
        return True
    return layer.max_value in {None, 6.0} and not layer.negative_slope and not layer.threshold


def _affine(layer: Any) -> bool:
    """Whether a layer multiplies and adds along the last axis, or everywhere alike."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return bool(layer.axis in {-1, len(layer.input_spec.ndim * "x") - 1})
    if isinstance(layer, keras.layers.Normalization):
        return not layer.invert
    return True


def _factors(layer: Any) -> tuple[Any, Any]:
    if isinstance(layer, keras.layers.BatchNormalization):
        return factors(layer)
    if isinstance(layer, keras.layers.Normalization):
        deviation = np.maximum(np.sqrt(np.asarray(layer.variance)), keras.config.epsilon())
        return 1 / deviation, -np.asarray(layer.mean) / deviation
    return np.asarray(layer.scale), np.asarray(layer.offset)

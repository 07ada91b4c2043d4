"""How channels go through each kind of layer.

A rule takes a call and the labels of its inputs, notes in the book how the layer's
weights shrink, and gives the labels of its outputs. The rules, by what a layer does:

1. It makes channels (convolution, Dense): atoms of its own; it consumes the input's.
2. It treats each channel for itself (BatchNorm, depthwise, pooling, activation, dropout,
   padding): the labels pass through, its weights shrink along.
3. It joins tensors channel by channel (Add, Multiply ...): ties; a tensor with a single
   channel is stretched over the others and not tied.
4. It lays channels side by side (Concatenate): the labels too.
5. It moves values (Flatten, Reshape): the labels move with them; where the channels do
   not stay whole, the input is frozen.
6. Anything else freezes what goes in and what comes out.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from keras.src import ops as keras_ops

from edgekit_converters.prune.book import Book, Producer
from edgekit_converters.prune.graph import Call, Graph
from edgekit_converters.ties import Labels

Known = Labels | None
Rule = Callable[[Book, Call, Sequence[Labels]], list[Known]]


def read(graph: Graph) -> Book:
    """Walk through a model and note how its channels hang together."""
    book = Book(graph)
    for key in graph.inputs:
        book.labels[key] = _unknown_output(book, key, "it is an input of the model")
    for call in graph.calls:
        if call.inputs:
            _apply(book, call)
    for path, key in graph.inner_inputs:
        _follow_inner_input(book, path, key)
    for key in graph.outputs:
        labels = book.labels[key]
        if labels is not None:
            book.atoms.freeze(labels, "it is an output of the model", above_all=True)
    return book


def _follow_inner_input(book: Book, path: tuple[str, ...], key: int) -> None:
    """The declared shape of a nested model's input shrinks with what is fed."""
    labels = book.labels.get(key)
    if labels is not None:
        book.count(path, "batch_shape", labels)


def _apply(book: Book, call: Call) -> None:
    ins = [book.labels[key] for key in call.inputs]
    rule = None if call.shared else RULES.get(type(call.layer))
    known = [labels for labels in ins if labels is not None]
    if rule is None or len(known) < len(ins) or not _channels_last(call.layer):
        outs = _freeze_call(book, call, _why_frozen(call))
    else:
        outs = rule(book, call, known)
    book.labels.update(zip(call.outputs, outs, strict=True))


def _why_frozen(call: Call) -> str:
    """Say in words why a call cannot be pruned through."""
    kind = type(call.layer).__name__
    if call.shared:
        return f"{call.name} is called more than once"
    if type(call.layer) in RULES and not _channels_last(call.layer):
        return f"{call.name} has its channels first"
    for family, words in _FROZEN.items():
        if isinstance(call.layer, family):
            return f"{call.name} is {words}"
    return f"{call.name} is a {kind}, which the pruner does not look into"


_FROZEN: dict[Any, str] = {
    layers.RNN: "a recurrent cell",
    layers.Bidirectional: "a recurrent cell",
    layers.MultiHeadAttention: "attention",
    layers.GroupQueryAttention: "attention",
    layers.Attention: "attention",
    layers.Lambda: "a Lambda, whose code says nothing about channels",
    layers.GroupNormalization: "normalization over groups of channels",
    layers.UnitNormalization: "normalization over all channels",
    layers.Softmax: "a softmax over all channels",
    keras.Model: "a model with code of its own, or called with a structure",
}


def _channels_last(layer: Any) -> bool:
    return getattr(layer, "data_format", "channels_last") in {"channels_last", None}


def _freeze(book: Book, ins: Sequence[Known], reason: str) -> None:
    for labels in ins:
        if labels is not None:
            book.atoms.freeze(labels, reason)


def _unknown_output(book: Book, key: int, reason: str) -> Known:
    shape = book.graph.shape(key)
    if not shape or shape[-1] is None:
        return None
    labels = book.atoms.fresh(shape[-1])
    book.atoms.freeze(labels, reason)
    return labels


def _freeze_call(book: Book, call: Call, reason: str) -> list[Known]:
    """Rule 6. Its weights count as multiplied once for each position of the input."""
    _freeze(book, [book.labels[key] for key in call.inputs], reason)
    positions = _positions(book.graph.shape(call.inputs[0])[:-1])
    kernels = [each for each in getattr(call.layer, "weights", []) if len(each.shape) > 1]
    for kernel in kernels:
        book.multiply(kernel, positions)
    if kernels:
        book.refused[call.name] = (book.graph.shape(call.outputs[0])[-1] or 0, reason)
    return [_unknown_output(book, key, reason) for key in call.outputs]


def _positions(shape: Sequence[int | None]) -> int:
    """How many places a shape has; a side that nobody knows counts once."""
    return math.prod(side or 1 for side in shape)


# Rule 1: layers that make channels.


def _make(book: Book, call: Call, kernel: Any, axis: int, field_name: str) -> Labels:
    """Make the output channels of a layer, which are the slices of `kernel` along an axis."""
    layer = call.layer
    outs = book.atoms.fresh(kernel.shape[axis])
    book.cut(kernel, axis, outs)
    book.count(call.path, field_name, outs)
    if layer.use_bias:
        book.cut(layer.bias, 0, outs)
    book.producers.append(Producer(call.path, outs, kernel, axis))
    if not _elementwise(layer.activation):
        _freeze(book, [outs], f"{call.name} has an activation over all channels")
    return outs


def _convolution(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    layer = call.layer
    if layer.groups != 1:
        return _freeze_call(book, call, f"{call.name} is a grouped convolution")
    book.cut(layer.kernel, -2, ins[0])
    book.multiply(layer.kernel, _positions(book.graph.shape(call.outputs[0])[:-1]))
    return [_make(book, call, layer.kernel, -1, "filters")]


def _transposed(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    kernel = call.layer.kernel
    book.cut(kernel, -1, ins[0])
    book.multiply(kernel, _positions(book.graph.shape(call.inputs[0])[:-1]))
    return [_make(book, call, kernel, -2, "filters")]


def _separable(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    layer = call.layer
    positions = _positions(book.graph.shape(call.outputs[0])[:-1])
    book.cut(layer.depthwise_kernel, -2, ins[0])
    book.cut(layer.pointwise_kernel, -2, np.repeat(ins[0], layer.depth_multiplier))
    book.multiply(layer.depthwise_kernel, positions)
    book.multiply(layer.pointwise_kernel, positions)
    return [_make(book, call, layer.pointwise_kernel, -1, "filters")]


def _dense(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    kernel = call.layer.kernel
    book.cut(kernel, 0, ins[0])
    book.multiply(kernel, _positions(book.graph.shape(call.inputs[0])[:-1]))
    return [_make(book, call, kernel, 1, "units")]


# Rule 2: layers that treat each channel for itself.


def _through(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:  # noqa: ARG001 (a Rule)
    return [ins[0]]


def _depthwise(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    layer = call.layer
    outs = np.repeat(ins[0], layer.depth_multiplier)
    book.cut(layer.kernel, -2, ins[0])
    if layer.use_bias:
        book.cut(layer.bias, 0, outs)
    book.multiply(layer.kernel, _positions(book.graph.shape(call.outputs[0])[:-1]))
    if not _elementwise(layer.activation):
        _freeze(book, [outs], f"{call.name} has an activation over all channels")
    return [outs]


def _batch_norm(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    layer = call.layer
    if not _last_axis(layer.axis, book, call):
        return _freeze_call(
            book, call, f"{call.name} normalizes another axis than the channels"
        )
    names = ["moving_mean", "moving_variance"]
    names += ["gamma"] * bool(layer.scale) + ["beta"] * bool(layer.center)
    for name in names:
        book.cut(getattr(layer, name), 0, ins[0])
    if layer.scale:
        book.gammas.append((layer.gamma, ins[0]))
    return [ins[0]]


def _layer_norm(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    layer = call.layer
    if not _last_axis(layer.axis, book, call):
        return _freeze_call(book, call, f"{call.name} normalizes more than the channels")
    for variable in layer.weights:
        book.cut(variable, 0, ins[0])
    book.normalized_together.add(id(call))
    return [ins[0]]


def _last_axis(axis: Any, book: Book, call: Call) -> bool:
    rank = len(book.graph.shape(call.inputs[0])) + 1
    found = [axis] if isinstance(axis, int) else list(axis)
    return len(found) == 1 and found[0] % rank == rank - 1


def _prelu(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    if call.layer.alpha.shape[-1] == len(ins[0]):
        book.cut(call.layer.alpha, -1, ins[0])
    return [ins[0]]


def _activation(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    if not _elementwise(call.layer.activation):
        return _freeze_call(book, call, f"{call.name} is an activation over all channels")
    return [ins[0]]


def _elementwise(activation: Any) -> bool:
    return activation is None or activation in _ELEMENTWISE


_ELEMENTWISE = {
    getattr(keras.activations, name)
    for name in (
        "linear", "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "gelu", "silu", "mish",
        "sigmoid", "hard_sigmoid", "hard_silu", "log_sigmoid", "tanh", "hard_tanh",
        "tanh_shrink", "soft_shrink", "hard_shrink", "softplus", "softsign", "exponential",
    )
}  # fmt: skip


def _permute(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    if call.layer.dims[-1] != len(call.layer.dims):
        return _freeze_call(book, call, f"{call.name} moves the channels to another axis")
    return [ins[0]]


def _rescaling(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    if np.ndim(call.layer.scale) or np.ndim(call.layer.offset):
        return _freeze_call(book, call, f"{call.name} has one scale a channel in its config")
    return [ins[0]]


# Rules 3 and 4: layers that join tensors.


def _join(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:  # noqa: ARG001 (a Rule)
    channels = max(len(labels) for labels in ins)
    whole = [labels for labels in ins if len(labels) == channels]
    for labels in whole[1:]:
        book.atoms.tie(whole[0], labels)
    return [whole[0]]


def _join_operation(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    """An operation such as `x + y`: the other operand may be a number, not an array."""
    ranks = {len(book.graph.shape(key)) for key in call.inputs}
    others = [
        each for each in call.node.arguments.args if not keras.utils.is_keras_tensor(each)
    ]
    if len(ranks) > 1 or any(np.ndim(each) for each in others):
        return _freeze_call(book, call, f"{call.name} joins tensors of different rank")
    return _join(book, call, ins)


def _concatenate(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    if _last_axis(call.layer.axis, book, call):
        return [np.concatenate(ins)]
    return _join(book, call, ins)


# Rule 5: layers that move values.


def _move(book: Book, call: Call, ins: Sequence[Labels]) -> list[Known]:
    before, after = (book.graph.shape(keys[0]) for keys in (call.inputs, call.outputs))
    sides, width = [side for side in before if side is not None], after[-1]
    if len(sides) < len(before) or width is None:
        return _freeze_call(book, call, f"{call.name} moves values of unknown number")
    rows = np.broadcast_to(ins[0], sides).reshape(-1, width)
    if (rows != rows[0]).any():
        return _freeze_call(book, call, f"{call.name} mixes the channels")
    if isinstance(call.layer, layers.Reshape) and call.layer.target_shape[-1] != -1:
        book.count(call.path, "target_shape", rows[0])
    return [rows[0]]


def _table() -> dict[type, Rule]:
    sides = ("1D", "2D", "3D")
    table: dict[type, Rule] = {
        layers.SeparableConv1D: _separable,
        layers.SeparableConv2D: _separable,
        layers.DepthwiseConv1D: _depthwise,
        layers.DepthwiseConv2D: _depthwise,
        layers.Dense: _dense,
        layers.BatchNormalization: _batch_norm,
        layers.LayerNormalization: _layer_norm,
        layers.PReLU: _prelu,
        layers.Activation: _activation,
        layers.Permute: _permute,
        layers.Rescaling: _rescaling,
        layers.Concatenate: _concatenate,
        layers.Flatten: _move,
        layers.Reshape: _move,
        keras_ops.numpy.Add: _join_operation,
        keras_ops.numpy.Subtract: _join_operation,
        keras_ops.numpy.Multiply: _join_operation,
        keras_ops.numpy.Maximum: _join_operation,
        keras_ops.numpy.Minimum: _join_operation,
    }
    for side in sides:
        table[getattr(layers, f"Conv{side}")] = _convolution
        table[getattr(layers, f"Conv{side}Transpose")] = _transposed
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        table[getattr(layers, name)] = _join
    for name in (
        "MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling",
        "UpSampling", "ZeroPadding", "Cropping", "SpatialDropout",
    ):  # fmt: skip
        table |= {getattr(layers, f"{name}{side}"): _through for side in sides}
    for name in (
        "Dropout", "GaussianNoise", "GaussianDropout", "AlphaDropout", "Identity", "ReLU",
        "LeakyReLU", "ELU", "ActivityRegularization", "RepeatVector", "Resizing",
    ):  # fmt: skip
        table[getattr(layers, name)] = _through
    for name in ("Relu", "Relu6", "LeakyRelu", "Sigmoid", "HardSigmoid", "HardSilu", "Silu",
                 "Gelu", "Elu", "Selu", "Softplus", "Softsign"):  # fmt: skip
        table[getattr(keras_ops.nn, name)] = _through
    table[keras_ops.numpy.Tanh] = _through
    return table


RULES = _table()

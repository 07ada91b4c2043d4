"""Fold BatchNorm into the convolution or Dense layer before it.

BatchNorm gives `(y - mean) * factor + beta` with `factor = gamma / sqrt(variance + epsilon)`.
Where y comes from a linear layer, that is the same layer with other weights:

    kernel' = kernel * factor        bias' = (bias - mean) * factor + beta

A BatchNorm is folded if

1. the layer before it is one of `KERNELS`, without activation;
2. it normalizes the axis of that layer's output channels;
3. nothing else uses that layer's output, and neither of the two is called twice.

Any other is left alone and named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError
from edgekit_converters.prune.graph import Call, Graph, pack
from edgekit_converters.quantize.qat.replay import Replay, Twins, users

Array = NDArray[Any]

TOLERANCE = 1e-4  # of the proof, as a share of the largest output where that is above 1


def _last(kernel: Array, factor: Array) -> Array:
    return np.asarray(kernel * factor)


def _last_but_one(kernel: Array, factor: Array) -> Array:
    return np.asarray(kernel * factor[:, np.newaxis])


def _last_two(kernel: Array, factor: Array) -> Array:
    return np.asarray(kernel * factor.reshape(kernel.shape[-2:]))


# Layer -> its variable whose output channels BatchNorm scales, and how.
KERNELS: dict[type[Any], tuple[str, Callable[[Array, Array], Array]]] = {
    keras.layers.Conv1D: ("kernel", _last),
    keras.layers.Conv2D: ("kernel", _last),
    keras.layers.Conv3D: ("kernel", _last),
    keras.layers.Dense: ("kernel", _last),
    keras.layers.Conv1DTranspose: ("kernel", _last_but_one),
    keras.layers.Conv2DTranspose: ("kernel", _last_but_one),
    keras.layers.DepthwiseConv1D: ("kernel", _last_two),
    keras.layers.DepthwiseConv2D: ("kernel", _last_two),
    keras.layers.SeparableConv1D: ("pointwise_kernel", _last),
    keras.layers.SeparableConv2D: ("pointwise_kernel", _last),
}


@dataclass(frozen=True, slots=True)
class Left:
    """A BatchNorm that was not folded.

    Attributes:
        layer: Its name.
        reason: Why not.
    """

    layer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A model without the BatchNorm layers that could be folded.

    Attributes:
        model: The same function; one flat graph with the same names.
        norms: Names of the BatchNorm layers that went.
        left: Those that stayed.
        difference: Largest difference from the original on random input, as a share of
            the largest output where that is above 1.
    """

    model: Any
    norms: tuple[str, ...]
    left: tuple[Left, ...]
    difference: float


def fold(model: Any, *, seed: int = 0) -> Folded:
    """Fold BatchNorm layers, and prove that the model computes the same.

    Args:
        model: A Keras 3 model, Functional or Sequential; it is left as it is.
        seed: Of the random input.

    Raises:
        SourceError: The model is no graph of layers.
        EdgekitError: The proof failed.
    """
    graph = Graph(model)
    linear, left = _pairs(graph)
    folding = {id(call): norm for norm, call in linear.values()}
    twins, replay = Twins(), Replay(graph)

    def emit(call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if id(call) in linear:
            return args[0] if args else kwargs["inputs"]
        changes = {"use_bias": True} if id(call) in folding else {}
        return twins.of(call, **changes)(*args, **kwargs)

    replay.run(emit)
    twins.copy_weights()
    for norm, call in linear.values():
        _assign(call.layer, norm.layer, twins.of(call))
    folded = replay.model()
    return Folded(
        model=folded,
        norms=tuple(norm.name for norm, _ in linear.values()),
        left=tuple(left),
        difference=_prove(model, folded, seed),
    )


def factors(norm: Any) -> tuple[Array, Array]:
    """Return what a BatchNorm multiplies with and what it then adds, per channel.

    Args:
        norm: A BatchNormalization layer of Keras 3 with weights.
    """
    mean, variance = np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)
    factor = 1 / np.sqrt(variance.astype(np.float64) + norm.epsilon)
    if norm.scale:
        factor = factor * np.asarray(norm.gamma)
    offset = -mean * factor
    if norm.center:
        offset = offset + np.asarray(norm.beta)
    return factor, offset


def _pairs(graph: Graph) -> tuple[dict[int, tuple[Call, Call]], list[Left]]:
    """Find the BatchNorms to fold, with their layers, by identity of the call."""
    makers = {key: call for call in graph.calls for key in call.outputs}
    used = users(graph)
    found: dict[int, tuple[Call, Call]] = {}
    left: list[Left] = []
    for call in graph.calls:
        if not isinstance(call.layer, keras.layers.BatchNormalization):
            continue
        before = makers[call.inputs[0]]
        reason = _obstacle(call, before, used[call.inputs[0]])
        if reason is None:
            found[id(call)] = (call, before)
        else:
            left.append(Left(call.name, reason))
    return found, left


def _obstacle(norm: Call, before: Call, uses: int) -> str | None:
    """Why a BatchNorm cannot be folded; the numbers are those of the module's rules."""
    layer = before.layer
    if type(layer) not in KERNELS:
        return f"no convolution or Dense layer stands before it, but {before.name}"
    if getattr(layer.activation, "__name__", "linear") != "linear":
        return f"{before.name} has an activation of its own"
    if norm.shared or before.shared:
        return f"it or {before.name} is used more than once"
    if uses > 1:
        return f"the output of {before.name} is used elsewhere too"
    rank = len(before.node.outputs[0].shape)
    axis = 1 if getattr(layer, "data_format", "") == "channels_first" else rank - 1
    if norm.layer.axis % rank != axis:
        return f"it normalizes axis {norm.layer.axis}, not the channels"
    return None


def _assign(layer: Any, norm: Any, twin: Any) -> None:
    factor, offset = factors(norm)
    name, scaled = KERNELS[type(layer)]
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros_like(factor)
    kernel = np.asarray(getattr(layer, name))
    for variable, original in _others(layer, twin, name):
        variable.assign(original)
    variable_of(twin, name).assign(scaled(kernel, factor).astype(np.float32))
    twin.bias.assign((bias * factor + offset).astype(np.float32))


def _others(layer: Any, twin: Any, name: str) -> list[tuple[Any, Any]]:
    """Weights beside kernel and bias: the depthwise half of a separable convolution."""
    if name == "kernel":
        return []
    return [(twin.depthwise_kernel, layer.depthwise_kernel)]


def variable_of(layer: Any, name: str) -> Any:
    """The variable of a kernel; some layers give its value under the plain name."""
    found = getattr(layer, f"_{name}", None)
    return getattr(layer, name) if found is None else found


def _prove(model: Any, folded: Any, seed: int) -> float:
    rng = np.random.default_rng(seed)
    inputs = [_noise(tensor, rng) for tensor in model.inputs]
    given = [
        [
            np.asarray(each)
            for each in keras.tree.flatten(one(pack(one, inputs), training=False))
        ]
        for one in (model, folded)
    ]
    difference = max(
        float(np.abs(a - b).max() / max(1.0, np.abs(a).max()))
        for a, b in zip(*given, strict=True)
    )
    if not difference <= TOLERANCE:
        msg = (
            f"Folding BatchNorm changed {model.name} by {difference:.2g}; rounding is at most "
            f"{TOLERANCE:g}.\nThis is a defect of edgekit; please report it with the model."
        )
        raise EdgekitError(msg)
    return difference


def _noise(tensor: Any, rng: np.random.Generator) -> Array:
    shape = [2, *(size or 8 for size in tensor.shape[1:])]
    if tensor.shape[0]:
        shape[0] = tensor.shape[0]
    if "float" not in str(tensor.dtype):
        return rng.integers(0, 2, shape).astype(str(tensor.dtype))
    return rng.normal(size=shape).astype(np.float32)

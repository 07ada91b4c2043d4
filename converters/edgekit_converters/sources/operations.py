"""Functions of TensorFlow that stand in a tf_keras graph, as operations of Keras 3.

`preprocess_input` and arithmetic on tensors leave such functions in a model; tf_keras
wraps each in a TFOpLambda, slices in a SlicingOpLambda.
"""

from collections.abc import Callable
from typing import Any

from edgekit_converters.sources.libraries import keras

# TensorFlow's name -> (Keras' name in `keras.ops`, TensorFlow's parameters in Keras' order).
OPERATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "__operators__.add": ("add", ("x", "y")),
    "__operators__.mul": ("multiply", ("x", "y")),
    "__operators__.sub": ("subtract", ("x", "y")),
    "__operators__.truediv": ("true_divide", ("x", "y")),
    "__operators__.neg": ("negative", ("x",)),
    "abs": ("absolute", ("x",)),
    "clip_by_value": ("clip", ("t", "clip_value_min", "clip_value_max")),
    "cast": ("cast", ("x", "dtype")),
    "concat": ("concatenate", ("values", "axis")),
    "expand_dims": ("expand_dims", ("input", "axis")),
    "linalg.matmul": ("matmul", ("a", "b")),
    "math.abs": ("absolute", ("x",)),
    "math.add": ("add", ("x", "y")),
    "math.divide": ("true_divide", ("x", "y")),
    "math.exp": ("exp", ("x",)),
    "math.log": ("log", ("x",)),
    "math.maximum": ("maximum", ("x", "y")),
    "math.minimum": ("minimum", ("x", "y")),
    "math.multiply": ("multiply", ("x", "y")),
    "math.negative": ("negative", ("x",)),
    "math.pow": ("power", ("x", "y")),
    "math.reduce_max": ("max", ("input_tensor", "axis", "keepdims")),
    "math.reduce_mean": ("mean", ("input_tensor", "axis", "keepdims")),
    "math.reduce_min": ("min", ("input_tensor", "axis", "keepdims")),
    "math.reduce_sum": ("sum", ("input_tensor", "axis", "keepdims")),
    "math.rsqrt": ("rsqrt", ("x",)),
    "math.sigmoid": ("sigmoid", ("x",)),
    "math.sqrt": ("sqrt", ("x",)),
    "math.square": ("square", ("x",)),
    "math.subtract": ("subtract", ("x", "y")),
    "math.tanh": ("tanh", ("x",)),
    "math.truediv": ("true_divide", ("x", "y")),
    "nn.bias_add": ("add", ("value", "bias")),
    "nn.elu": ("elu", ("features",)),
    "nn.relu": ("relu", ("features",)),
    "nn.relu6": ("relu6", ("features",)),
    "nn.sigmoid": ("sigmoid", ("x",)),
    "nn.silu": ("silu", ("features",)),
    "nn.softmax": ("softmax", ("logits", "axis")),
    "nn.softplus": ("softplus", ("features",)),
    "nn.tanh": ("tanh", ("x",)),
    "reshape": ("reshape", ("tensor", "shape")),
    "squeeze": ("squeeze", ("input", "axis")),
    "stack": ("stack", ("values", "axis")),
    "transpose": ("transpose", ("a", "perm")),
}
# Parameters that may be given where they say nothing.
_IDLE = {"name": None, "data_format": None, "transpose_a": False, "transpose_b": False}


class UnknownOperationError(ValueError):
    """A function of TensorFlow that no operation of Keras is known for."""


def find(layer: Any) -> Callable[..., Any] | None:
    """Return the operation that stands for a layer of tf_keras, or None for true layers.

    Raises:
        UnknownOperationError: The layer wraps a function without counterpart.
    """
    kind = type(layer).__name__
    if kind == "SlicingOpLambda":
        return _slice
    if kind in {"ClassMethod", "InstanceMethod", "InstanceProperty", "TensorFlowOpLayer"}:
        msg = f"{kind} '{layer.name}' has no counterpart in Keras 3"
        raise UnknownOperationError(msg)
    if kind != "TFOpLambda":
        return None
    name = str(layer.get_config()["function"])
    if name not in OPERATIONS:
        msg = f"the function tf.{name} ('{layer.name}') has no known counterpart in Keras 3"
        raise UnknownOperationError(msg)
    target, parameters = OPERATIONS[name]

    def operation(*args: Any, **kwargs: Any) -> Any:
        given = _bound(name, args, kwargs, parameters)
        return getattr(keras().ops, target)(*given)

    return operation


def _bound(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], parameters: tuple[str, ...]
) -> list[Any]:
    """Return the arguments in the order of `parameters`, trailing ones left out as given."""
    named = dict(zip(parameters, args, strict=False)) | kwargs
    extra = {key: value for key, value in named.items() if key not in parameters}
    if len(args) > len(parameters) or any(_IDLE.get(k, ...) != v for k, v in extra.items()):
        msg = f"tf.{name} is used with {', '.join(extra) or 'more arguments'}"
        raise UnknownOperationError(msg)
    given: list[Any] = []
    for parameter in parameters:
        if parameter not in named:
            break
        given.append(named[parameter])
    return given


def _slice(tensor: Any, slice_spec: Any) -> Any:
    """Slice as `tensor[...]` does; tf_keras keeps slices as tables."""
    spec = slice_spec if isinstance(slice_spec, list | tuple) else (slice_spec,)
    return tensor[tuple(_one_slice(each) for each in spec)]


def _one_slice(spec: Any) -> Any:
    if isinstance(spec, dict):
        return slice(spec["start"], spec["stop"], spec["step"])
    return ... if getattr(spec, "name", None) == "Ellipsis" else spec

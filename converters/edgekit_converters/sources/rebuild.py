"""Rebuild a tf_keras model in Keras 3, layer by layer, with its weights.

Rules of a layer's configuration:

1. Names may hold no '/', and no two layers of a model share one.
2. What tf_keras calls otherwise is renamed (`RENAMED`).
3. Initializers are left out: the weights are set anyway.
4. What Keras 3 does not know is left out where it changes nothing (`WITHOUT_EFFECT`), or
   where it has the one value that changes nothing (`WITHOUT_EFFECT_AT`); anything else
   stops the rebuilding.
5. Layers inside layers (Bidirectional, TimeDistributed, RNN) are rebuilt first.
6. Functions of TensorFlow in the graph become operations of Keras (`operations`).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from edgekit_converters.sources import graph, operations
from edgekit_converters.sources.libraries import keras, tf_keras

RENAMED: dict[str, dict[str, str]] = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "ThresholdedReLU": {"theta": "threshold"},
}
CLASSES = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "GRUV2": "GRU",
    "LSTMV2": "LSTM",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
}
WITHOUT_EFFECT = {
    "batch_input_shape", "batch_size", "experimental_autocast", "fused", "implementation",
    "input_dim", "input_length", "key_shape", "query_shape", "rng_type",
    "softmax_robust_masking", "value_shape", "zero_output_for_mask",
}  # fmt: skip
WITHOUT_EFFECT_AT: dict[str, tuple[Any, ...]] = {
    "adjustment": (None,),
    "groups": (1,),
    "ragged": (False, None),
    "renorm": (False, None),
    "sparse": (False, None),
    "time_major": (False, None),
    "virtual_batch_size": (None,),
}
_COMMON = {"dtype", "name", "trainable"}  # every layer of Keras 3 takes these


class CannotRebuildError(ValueError):
    """A layer has no counterpart in Keras 3."""


def rebuild(model: Any, custom: Mapping[str, Any]) -> Any:
    """Return a Keras 3 model with the layers and weights of a tf_keras model.

    Args:
        model: The tf_keras model, a graph of layers.
        custom: The user's own Keras 3 layers by name.

    Raises:
        CannotRebuildError: It is no graph, or a layer has no counterpart.
        ValueError: A layer of Keras 3 refuses its configuration or its weights; so do
            TypeError and other errors of building.
    """
    return _Rebuilder(custom).model(model)


class _Rebuilder:
    """Keeps which layer became which, so that shared ones stay shared."""

    def __init__(self, custom: Mapping[str, Any]) -> None:
        self._custom = custom
        self._made: dict[int, Any] = {}
        self._names: set[str] = set()

    def model(self, model: Any) -> Any:
        """Rebuild a model."""
        if not graph.is_graph(model):
            msg = f"{type(model).__name__} '{model.name}' is no graph of layers"
            raise CannotRebuildError(msg)
        library = keras()
        inputs = [
            library.Input(
                batch_shape=tuple(tensor.shape), dtype=tensor.dtype.name, name=_clean(name)
            )
            for name, tensor in zip(model.input_names, model.inputs, strict=True)
        ]
        calls: list[tuple[Any, Any]] = []

        def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if operation := operations.find(layer):
                return operation(*args, **kwargs)
            fresh = self.layer(layer)
            kept = {key: value for key, value in kwargs.items() if value is not None}
            result = fresh(*args, **kept)
            calls.append((layer, fresh))
            return result

        outer, self._names = self._names, set()
        outputs = graph.run(model, inputs, call)
        self._names = outer
        for old, fresh in calls:
            _set_weights(old, fresh)
        return library.Model(
            graph.single(inputs), graph.single(outputs), name=_clean(model.name)
        )

    def layer(self, layer: Any) -> Any:
        """Rebuild a layer, or return what it became before."""
        if id(layer) not in self._made:
            self._made[id(layer)] = self._make(layer)
        return self._made[id(layer)]

    def _make(self, layer: Any) -> Any:
        if isinstance(layer, tf_keras().Model):
            return self.model(layer)
        kind = CLASSES.get(type(layer).__name__, type(layer).__name__)
        cls = self._custom.get(kind) or getattr(keras().layers, kind, None)
        if cls is None:
            msg = f"{kind} '{layer.name}' has no counterpart in Keras 3"
            raise CannotRebuildError(msg)
        config = _config(layer, cls, self._custom)
        config |= self._inner(kind, layer)
        config["name"] = self._name(config.get("name") or layer.name)
        return cls(**config)

    def _inner(self, kind: str, layer: Any) -> dict[str, Any]:
        """Rebuild the layers inside a layer."""
        if kind == "Bidirectional":
            return {
                "layer": self.layer(layer.forward_layer),
                "backward_layer": self.layer(layer.backward_layer),
            }
        if kind == "TimeDistributed":
            return {"layer": self.layer(layer.layer)}
        if kind == "RNN":
            return {"cell": self.layer(layer.cell)}
        if kind == "StackedRNNCells":
            return {"cells": [self.layer(cell) for cell in layer.cells]}
        if kind == "Lambda":
            return {"function": layer.function}
        return {}

    def _name(self, wanted: str) -> str:
        name, count = _clean(wanted), 0
        while name in self._names:
            count += 1
            name = f"{_clean(wanted)}_{count}"
        self._names.add(name)
        return name


def _config(layer: Any, cls: Any, custom: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the constructor of a Keras 3 layer takes, from the tf_keras layer."""
    kind = type(layer).__name__
    found = layer.get_config()
    renamed = RENAMED.get(kind, {})
    accepted = _COMMON | set(inspect.signature(cls.__init__).parameters)
    own = kind in custom
    config = {}
    for key, value in found.items():
        name = renamed.get(key, key)
        if own or (name in accepted and not _left_out(key)):
            config[name] = _value(name, value, layer, custom)
        elif not _harmless(key, value):
            msg = f"{kind} '{layer.name}' has {key}={value!r}, which Keras 3 does not know"
            raise CannotRebuildError(msg)
    return config


def _left_out(key: str) -> bool:
    return key.endswith(("_initializer", "_constraint"))


def _harmless(key: str, value: Any) -> bool:
    """Whether a setting can be left out (rules 3 and 4)."""
    if key in WITHOUT_EFFECT or _left_out(key):
        return True
    if key.endswith("_regularizer") or value is None:
        return True
    return key in WITHOUT_EFFECT_AT and value in WITHOUT_EFFECT_AT[key]


def _value(key: str, value: Any, layer: Any, custom: Mapping[str, Any]) -> Any:
    """Translate one setting."""
    if key == "dtype":
        return layer.dtype_policy.name if hasattr(layer, "dtype_policy") else layer.dtype
    if key == "axis" and type(layer).__name__.endswith("BatchNormalization"):
        return _axis(value, layer)
    if key.endswith("activation") and value is not None:
        return _activation(value, custom)
    if key.endswith("_regularizer"):
        return _regularizer(value)
    if isinstance(value, tuple | list) or type(value).__name__ == "ListWrapper":
        return [each for each in value]  # noqa: C416 (a ListWrapper becomes a plain list)
    return value


def _axis(value: Any, layer: Any) -> int:
    """Return the one axis of a batch normalization, which Keras 2 keeps in a list."""
    axes = list(value) if isinstance(value, list | tuple) else [value]
    if len(axes) != 1:
        msg = f"BatchNormalization '{layer.name}' normalizes over {len(axes)} axes"
        raise CannotRebuildError(msg)
    return int(axes[0])


def _activation(value: Any, custom: Mapping[str, Any]) -> Any:
    """Translate the name of an activation; the user's own become functions."""
    if isinstance(value, dict):
        value = value.get("config") if value.get("class_name") == "function" else value
    if not isinstance(value, str):
        msg = f"the activation {value!r} is no name"
        raise CannotRebuildError(msg)
    return custom.get(value, _FUNCTIONS.get(value, value))


# Activations of TensorFlow that files name, in the words of Keras 3.
_FUNCTIONS = {"relu_v2": "relu", "softmax_v2": "softmax", "swish_v2": "swish"}


def _regularizer(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    table: dict[str, Callable[..., Any]] = {
        "L1": keras().regularizers.L1,
        "L1L2": keras().regularizers.L1L2,
        "L2": keras().regularizers.L2,
    }
    make = table.get(str(value.get("class_name")))
    return make(**value["config"]) if make else None


def _set_weights(old: Any, fresh: Any) -> None:
    if isinstance(old, tf_keras().Model):
        return  # done while it was rebuilt itself
    fresh.set_weights(old.get_weights())
    if hasattr(fresh, "finalize_state"):
        fresh.finalize_state()


def _clean(name: str) -> str:
    return name.replace("/", "_")

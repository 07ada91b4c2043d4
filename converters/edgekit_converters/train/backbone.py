"""Backbones: MobileNets of a chosen width, from scratch or with the weights of a classifier."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from edgekit.errors import SourceError, UsageError
from edgekit_converters.sources import load_source

DEFAULT = "mobilenet_v1_0.25"
INPUT_RANGE = (-1.0, 1.0)  # what the published MobileNets were trained on
_NAME = re.compile(r"mobilenet_(v[12])_(\d(?:\.\d+)?)")
_WIDTHS = (0.1, 2.0)


@dataclass(frozen=True, slots=True)
class _Family:
    """A family of backbones.

    Attributes:
        make: Builds one from `input_shape` and `alpha`.
        taps: Name of the layer that ends each stride.
    """

    make: Any
    taps: dict[int, str]


_FAMILIES = {
    "v1": _Family(
        keras.applications.MobileNet,
        {8: "conv_pw_5_relu", 16: "conv_pw_11_relu", 32: "conv_pw_13_relu"},
    ),
    "v2": _Family(
        keras.applications.MobileNetV2,
        {8: "block_6_expand_relu", 16: "block_13_expand_relu", 32: "block_16_project_BN"},
    ),
}


def backbone(name: str, size: tuple[int, int], strides: Sequence[int]) -> Any:
    """Build a backbone with random weights.

    Args:
        name: `mobilenet_v1_WIDTH` or `mobilenet_v2_WIDTH`, e.g. `mobilenet_v1_0.25`.
        size: Height and width of the input.
        strides: Of the feature maps that are wanted, of 8, 16 and 32.

    Returns:
        A Keras model of RGB pictures in [-1, 1] with a list of feature maps.

    Raises:
        UsageError: There is no such backbone.
    """
    family, width = _parsed(name)
    whole = family.make(
        input_shape=(*size, 3), alpha=width, include_top=False, weights=None, pooling=None
    )
    maps = [whole.get_layer(family.taps[stride]).output for stride in strides]
    return keras.Model(whole.inputs, maps, name=name)


def _parsed(name: str) -> tuple[_Family, float]:
    found = _NAME.fullmatch(name)
    if found is None or not _WIDTHS[0] <= float(found[2]) <= _WIDTHS[1]:
        msg = (
            f"There is no backbone '{name}'.\nGive mobilenet_v1_WIDTH or mobilenet_v2_WIDTH "
            f"with a width of {_WIDTHS[0]:g} to {_WIDTHS[1]:g}, e.g. {DEFAULT}."
        )
        raise UsageError(msg)
    return _FAMILIES[found[1]], float(found[2])


def take_weights(model: Any, path: Path) -> int:
    """Give a backbone the weights of a classifier's first layers, in their order.

    Args:
        model: What `backbone` gave.
        path: A Keras file with the same layers, e.g. trained on ImageNet; what comes after
            them is left away.

    Returns:
        How many layers were taken.

    Raises:
        SourceError: The file is no Keras model, or its layers are others.
    """
    source = load_source(path)
    if source.kind not in {"keras", "tf_keras"}:
        msg = f"{path} holds no Keras layers to take weights from; give a .keras or .h5 file."
        raise SourceError(msg)
    ours, theirs = _weighted(model), _weighted(source.model)
    for place, layer in enumerate(ours):
        wanted = [tuple(each.shape) for each in layer.weights]
        other = theirs[place] if place < len(theirs) else None
        found = [tuple(each.shape) for each in other.weights] if other is not None else []
        if wanted != found:
            name = "nothing" if other is None else f"{other.name} with {found}"
            msg = (
                f"{path.name} does not fit {model.name}: its layer {place + 1} is {name}, and "
                f"{layer.name} needs {wanted}.\nGive the weights of the same net and width, "
                "or leave --weights away."
            )
            raise SourceError(msg)
    for layer, other in zip(ours, theirs, strict=False):
        layer.set_weights(other.get_weights())
    return len(ours)


def _weighted(model: Any) -> list[Any]:
    """Layers with weights, in the order of the model, also those of models inside."""
    return [
        layer
        for layer in model._flatten_layers(include_self=False, recursive=True)  # noqa: SLF001
        if layer.weights and not hasattr(layer, "layers")
    ]

"""Masks of attention that leave the logits their range.

Keras hides a position from attention by a logit of -1e9 or less. Quantized to 8 bits, one
step is then millions, and every other logit becomes 0: attention turns into an average.

Here a hidden position gets a logit that is `MARGIN` below the lowest one that calibration
shows: its share stays below exp(-MARGIN) of the smallest other share, and the logits keep
most of the 256 steps.
"""

import dataclasses
import itertools
import logging
import math
import types
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.quantize.recurrent import difference_of
from edgekit_converters.sources import Source, graph, shapes
from edgekit_converters.sources.invoke import predict
from edgekit_converters.sources.libraries import keras, tensorflow

MARGIN = 10.0  # exp(-10) is 1/22000
SAMPLES = 50  # that show the lowest logit
TOLERANCE = 5e-3  # relative difference of the model with such masks; one step of int8

_log = logging.getLogger(__name__)


def with_bounded_masks(
    source: Source, samples: Iterable[dict[str, NDArray[Any]]] | None
) -> Source:
    """Return a source whose masked attention can be quantized.

    Args:
        source: A source of fixed batch.
        samples: Calibration samples, one array an input by name, with the batch.

    Returns:
        The same source where no MultiHeadAttention of Keras 3 is masked.
    """
    if source.kind != "keras" or not graph.is_graph(source.model):
        return source
    made: dict[int, Any] = {}

    def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if type(layer).__name__ == "MultiHeadAttention" and _masked(layer, args, kwargs):
            layer = made.setdefault(id(layer), _bounded(layer))
        return layer(*args, **kwargs)

    model = shapes.again(source.model, keras(), list(source.model.inputs), call)
    if not made:
        return source
    model = shapes.formed_like(source.model, keras(), model)
    _watch(source, model, made.values(), samples or ())
    difference = difference_of(source, model)
    if difference > TOLERANCE:
        _log.warning("Masks of attention were left as they are: %.1e apart.", difference)
        return source
    return dataclasses.replace(source, model=model)


def _watch(
    source: Source,
    model: Any,
    layers: Iterable[Any],
    samples: Iterable[dict[str, NDArray[Any]]],
) -> None:
    """Choose the logit of hidden positions from what samples show."""
    for sample in itertools.islice(samples, SAMPLES):
        predict(model, [sample[spec.name] for spec in source.inputs])
    for layer in layers:
        layer.hidden_logit = layer.lowest - MARGIN if math.isfinite(layer.lowest) else -MARGIN
        layer.watching = False


def _masked(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call hides positions."""
    marks = [getattr(each, "_keras_mask", None) for each in graph.flat([args, kwargs])]
    asked = [value for key, value in kwargs.items() if "mask" in key]
    given = any(each is not None and each is not False for each in (*marks, *asked))
    return given or getattr(layer, "_sliding_window", None) is not None


def _bounded(layer: Any) -> Any:
    """Return a copy of a MultiHeadAttention that hides positions by `hidden_logit`.

    Until `watching` ends, it computes as the original does and notes the lowest logit.
    """
    copy = type(layer).from_config(layer.get_config())
    copy.build_from_config(layer.get_build_config())
    copy.set_weights(layer.get_weights())
    copy.watching, copy.lowest, copy.hidden_logit = True, math.inf, -1e9
    copy._compute_attention = types.MethodType(_attention, copy)  # noqa: SLF001 (its hook)
    return copy


def _attention(layer: Any, query: Any, key: Any, value: Any, *wishes: Any, **named: Any) -> Any:
    """Compute attention; query, key and value are (batch, length, heads, size)."""
    mask = wishes[0] if wishes else named.get("attention_mask")
    if named.get("use_causal_mask") and mask is None:
        mask = np.tri(query.shape[1], key.shape[1], dtype=bool)[None]
    ops = keras().ops
    scaled = ops.multiply(query, 1.0 / math.sqrt(query.shape[-1]))
    logits = ops.einsum("btnh,bsnh->bnts", scaled, key)
    if mask is not None:
        mask = ops.expand_dims(mask, 1) if len(mask.shape) == 3 else mask
        if layer.watching and tensorflow().executing_eagerly():
            seen = np.asarray(logits)[np.broadcast_to(np.asarray(mask), logits.shape)]
            layer.lowest = min(layer.lowest, float(seen.min(initial=math.inf)))
        logits = ops.where(mask, logits, layer.hidden_logit)
    shares = ops.softmax(logits, axis=-1)
    return ops.einsum("bnts,bsnh->btnh", shares, value), shares

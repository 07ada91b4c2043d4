"""Write layers that leave float ops in an integer model with ops that have integer kernels.

1. LayerNormalization. Keras computes x * s + (beta - mean * s), whose negation has no int8
   kernel. Written here as

       d = x - mean(x),   y = sqrt(n) * normalized([d, sqrt(n * epsilon)])[:n] * gamma + beta

   with `normalized` the division by the length of a vector, which is one op of TFLite: the
   added component makes its squared length n * (variance + epsilon). The op always has 256
   steps for -1..1, of which a wide vector uses few; beyond `WIDEST` it is written the plain
   way, d * rsqrt(mean(d * d) + epsilon).
2. Negative becomes a multiplication by -1.

The rewritten model is compared with the original in float.
"""

import dataclasses
import logging
import math
from typing import Any, Literal

import numpy as np

from edgekit.errors import SourceError
from edgekit_converters.quantize.recurrent import difference_of
from edgekit_converters.sources import Source, graph, shapes
from edgekit_converters.sources.libraries import keras

TOLERANCE = 1e-3  # relative difference of the same model in another form
WIDEST = 64
NormalForm = Literal["length", "variance"]

_log = logging.getLogger(__name__)


def with_integer_ops(source: Source, form: NormalForm | None = None) -> Source:
    """Return a source without the layers that are known to leave float ops.

    Args:
        source: A source of fixed batch.
        form: How LayerNormalization is written; None chooses by its width.

    Returns:
        The same source where nothing is known to be replaced.

    Raises:
        SourceError: The rewritten model computes something else.
    """
    if source.kind != "keras" or not graph.is_graph(source.model):
        return source
    replaced: list[str] = []

    def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if type(layer).__name__ == "LayerNormalization" and _is_usual(layer, args[0]):
            replaced.append(layer.name)
            width = int(args[0].shape[-1])
            chosen = form or ("length" if width <= WIDEST else "variance")
            return _normalization(layer, chosen)(args[0])
        if type(layer).__name__ == "Negative":
            replaced.append(layer.name)
            return args[0] * -1.0
        return layer(*args, **kwargs)

    model = shapes.again(source.model, keras(), list(source.model.inputs), call)
    if not replaced:
        return source
    model = shapes.formed_like(source.model, keras(), model)
    difference = difference_of(source, model)
    if difference > TOLERANCE:
        msg = (
            f"--integer-only writes {', '.join(replaced)} with other ops, and the model then "
            f"differs by {difference:.1e} (accepted: {TOLERANCE:g}).\nLeave it out."
        )
        raise SourceError(msg)
    note = f"Written with integer ops: {', '.join(replaced)} (difference {difference:.0e})."
    return dataclasses.replace(source, model=model, notes=(*source.notes, note))


def _is_usual(layer: Any, x: Any) -> bool:
    """Whether a LayerNormalization is over the last axis, with a mean."""
    axis = [axis % len(x.shape) for axis in graph.flat(layer.axis)]
    return axis == [len(x.shape) - 1] and not getattr(layer, "rms_scaling", False)


def _normalization(layer: Any, form: NormalForm) -> Any:
    """Return a LayerNormalization written with ops that have integer kernels."""
    library = keras()
    ops = library.ops
    weights = {variable.name: np.asarray(variable) for variable in layer.weights}

    class IntegerLayerNormalization(library.layers.Layer):  # type: ignore[misc, name-defined]
        """See the module's text."""

        def call(self, x: Any) -> Any:
            """Normalize over the last axis."""
            d = ops.subtract(x, ops.mean(x, axis=-1, keepdims=True))
            y = _by_length(d) if form == "length" else _by_variance(d)
            if "gamma" in weights:
                y = ops.multiply(y, weights["gamma"])
            return ops.add(y, weights["beta"]) if "beta" in weights else y

    def _by_length(d: Any) -> Any:
        size = d.shape[-1]
        added = np.full((*d.shape[:-1], 1), math.sqrt(size * layer.epsilon), np.float32)
        whole = ops.concatenate([d, added], axis=-1)
        squares = ops.sum(ops.square(whole), axis=-1, keepdims=True)
        unit = ops.multiply(whole, ops.rsqrt(squares))
        return ops.multiply(unit[..., :size], math.sqrt(size))

    def _by_variance(d: Any) -> Any:
        variance = ops.mean(ops.multiply(d, d), axis=-1, keepdims=True)
        return ops.multiply(d, ops.rsqrt(ops.add(variance, layer.epsilon)))

    return IntegerLayerNormalization(name=layer.name)

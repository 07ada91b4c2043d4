"""Recurrent layers in a form that survives integer quantization.

The converter's int8 calibration dies on layers that run as a loop. For the schemes with
integer activations each such layer takes another form, by the first rule that fits:

1. A plain LSTM becomes, for int8, the fused op UNIDIRECTIONAL_SEQUENCE_LSTM: the converter
   knows it by the marks that tf_keras leaves in the graph, so a tf_keras LSTM with the same
   weights stands in for the Keras 3 one. Plain is what the op computes: tanh and sigmoid,
   no mask, no states in or out.
2. Bidirectional around it becomes two of those, joined as before.
3. Every other layer is unrolled: one copy of the cell a step, up to `MOST_STEPS`.

The model is compared with the original after that; where a fused one differs, everything is
unrolled instead.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edgekit.errors import SourceError
from edgekit_converters.sources import Source, graph, shapes
from edgekit_converters.sources.checking import random_feeds, relative_difference
from edgekit_converters.sources.invoke import predict
from edgekit_converters.sources.libraries import failures, keras, tf_keras

MOST_STEPS = 128  # a GRU has 16 ops a step; files of many thousand ops are of no use
TOLERANCE = 1e-5  # relative difference of the same model in another form

_INTEGER = {"int8", "int16x8"}
_log = logging.getLogger(__name__)


def without_loops(source: Source, scheme: str) -> Source:
    """Return a source whose recurrent layers the converter can quantize.

    Args:
        source: A source of fixed batch.
        scheme: Quantization scheme; those with float activations need nothing.

    Returns:
        The same source where nothing is to be done: no recurrent layers, no Keras model, or
        a model that is no graph.

    Raises:
        SourceError: A layer runs over more than `MOST_STEPS` steps, or cannot be unrolled.
    """
    if source.kind not in {"keras", "tf_keras"} or scheme not in _INTEGER:
        return source
    rolled = list(_rolled(source.model))
    if not rolled:
        return source
    ways = [_Rewriter(source, fuse=False)]
    if scheme == "int8" and any(_is_plain(each, source) for each in rolled):
        ways.insert(0, _Rewriter(source, fuse=True))
    for way in ways:
        model = way.model()
        difference = difference_of(source, model)
        if difference <= TOLERANCE:
            notes = tuple(way.notes)
            return dataclasses.replace(source, model=model, notes=source.notes + notes)
        _log.info("The rewritten recurrent layers differ by %.1e.", difference)
    names = ", ".join(f"{each.name} ({type(each).__name__})" for each in rolled)
    msg = (
        f"The recurrent layers {names} compute something else when they are unrolled.\n"
        "Use --scheme dynamic or float16."
    )
    raise SourceError(msg)


class _Rewriter:
    """Builds a model again with other recurrent layers.

    Args:
        source: What to rebuild.
        fuse: Whether plain LSTMs become the fused op.
    """

    def __init__(self, source: Source, *, fuse: bool) -> None:
        self._source = source
        self._library = keras() if source.kind == "keras" else tf_keras()
        self._fuse = fuse
        self._made: dict[int, Any] = {}
        self.notes: list[str] = []

    def model(self) -> Any:
        """Build it."""
        old = self._source.model
        made = shapes.again(old, self._library, list(old.inputs), self._call)
        return shapes.formed_like(old, self._library, made)

    def _call(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not _runs_as_loop(layer):
            return layer(*args, **kwargs)
        alone = not _given(args, kwargs)
        if self._fuse and alone and _is_plain(layer, self._source):
            return self._fused(layer, args[0])
        fresh = self._once(layer, lambda: self._unrolled(layer, args[0]))
        return fresh(*args, **kwargs)

    def _once(self, layer: Any, make: Callable[[], Any]) -> Any:
        """A layer that is used twice stays one layer."""
        if id(layer) not in self._made:
            self._made[id(layer)] = make()
        return self._made[id(layer)]

    def _fused(self, layer: Any, x: Any) -> Any:
        if self._source.kind == "tf_keras":
            return layer(x)
        if not _is_two_way(layer):
            return self._fused_one(layer, x)
        forward = self._fused_one(layer.forward_layer, x)
        backward = self._fused_one(layer.backward_layer, x)
        if layer.return_sequences:
            backward = keras().ops.flip(backward, axis=1)
        return _joined(layer.merge_mode, forward, backward)

    def _fused_one(self, layer: Any, x: Any) -> Any:
        return self._once(layer, lambda: fused(layer, x.shape))(x)

    def _unrolled(self, layer: Any, x: Any) -> Any:
        steps = x.shape[1]
        kind = type(layer).__name__
        if steps is None or steps > MOST_STEPS:
            msg = (
                f"The layer '{layer.name}' ({kind}) runs over {steps} steps. Integer "
                f"quantization needs it unrolled, which is done up to {MOST_STEPS} steps.\n"
                "Use --scheme dynamic or float16, or a model for shorter sequences."
            )
            raise SourceError(msg)
        try:
            made = self._unrolled_copy(layer, x.shape)
        except failures() as error:
            msg = (
                f"The layer '{layer.name}' ({kind}) cannot be unrolled, which integer "
                f"quantization needs: {error}\nUse --scheme dynamic or float16."
            )
            raise SourceError(msg) from error
        self.notes.append(f"The layer '{layer.name}' ({kind}) was unrolled: {steps} steps.")
        return made

    def _unrolled_copy(self, layer: Any, shape: Any) -> Any:
        if _is_two_way(layer):
            two_way = type(layer)(
                _copy(layer.forward_layer),
                merge_mode=layer.merge_mode,
                backward_layer=_copy(layer.backward_layer),
                name=layer.name,
            )
            return _with_weights(two_way, layer, shape)
        return _with_weights(_copy(layer), layer, shape)


def fused(layer: Any, shape: Any) -> Any:
    """Return a layer of Keras 3 that computes an LSTM as the fused op of TFLite.

    Args:
        layer: The LSTM of Keras 3, built.
        shape: Shape of its input, batch included.
    """
    library = keras()

    class FusedLSTM(library.layers.Layer):  # type: ignore[misc, name-defined] # untyped base
        """An LSTM of tf_keras inside a graph of Keras 3."""

        def __init__(self, inner: Any, **wishes: Any) -> None:
            super().__init__(**wishes)
            self.inner = inner

        def call(self, x: Any) -> Any:
            """Run it."""
            return self.inner(x)

    inner = tf_keras().layers.LSTM(
        layer.units, return_sequences=layer.return_sequences, go_backwards=layer.go_backwards
    )
    inner.build(tuple(shape))
    weights = layer.get_weights()
    if not layer.use_bias:
        weights.append(np.zeros(4 * layer.units, np.float32))
    inner.set_weights(weights)
    return FusedLSTM(inner, name=layer.name)


def _rolled(model: Any) -> Iterator[Any]:
    """Yield the recurrent layers of a graph that run as a loop."""
    if not graph.is_graph(model):
        return
    for step in graph.steps(model):
        if graph.is_graph(step.layer):
            yield from _rolled(step.layer)
        elif _runs_as_loop(step.layer):
            yield step.layer


def _runs_as_loop(layer: Any) -> bool:
    if _is_two_way(layer):
        return any(map(_runs_as_loop, (layer.forward_layer, layer.backward_layer)))
    bases = {each.__name__ for each in type(layer).__mro__}
    return "RNN" in bases and not getattr(layer, "unroll", False)


def _is_two_way(layer: Any) -> bool:
    return type(layer).__name__ == "Bidirectional"


def _is_plain(layer: Any, source: Source) -> bool:
    """Whether the fused op computes what an LSTM, or a Bidirectional of two, does."""
    if _is_two_way(layer):
        halves = (layer.forward_layer, layer.backward_layer)
        return all(_is_plain(each, source) for each in halves)
    library = keras() if source.kind == "keras" else tf_keras()
    return (
        type(layer).__name__ == "LSTM"
        and layer.activation is library.activations.tanh
        and layer.recurrent_activation is library.activations.sigmoid
        and not (layer.return_state or layer.stateful or layer.unroll)
    )


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a call hands over a mask or states."""
    rest = graph.flat([args[1:], kwargs.get("mask"), kwargs.get("initial_state")])
    masked = getattr(args[0], "_keras_mask", None) is not None
    return masked or any(each is not None for each in rest)


def _joined(mode: str | None, forward: Any, backward: Any) -> Any:
    layers = keras().layers
    if mode is None:
        return [forward, backward]
    joins = {
        "ave": layers.Average,
        "concat": layers.Concatenate,
        "mul": layers.Multiply,
        "sum": layers.Add,
    }
    return joins[mode]()([forward, backward])


def _copy(layer: Any) -> Any:
    return type(layer).from_config({**layer.get_config(), "unroll": True})


def _with_weights(fresh: Any, layer: Any, shape: Any) -> Any:
    fresh.build(tuple(shape))
    fresh.set_weights(layer.get_weights())
    return fresh


def difference_of(source: Source, model: Any) -> float:
    """Return how far another form of a model is from it, on random inputs."""
    feeds = random_feeds(source.inputs, normalizes_itself=source.normalizes_itself)
    return max(
        relative_difference(predict(source.model, feed), predict(model, feed)) for feed in feeds
    )

"""Even out the channels of a Keras model before it is trained for integers.

Channels that are a thousand times smaller than their neighbours are lost to rounding, and one
learning rate suits none of them. `chain.equalize` finds factors on the float .tflite; what it
makes of a constant there goes back to the weight that the constant came from, which is known
by its values, axes in whatever order.
"""

import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.flatbuffer.graph import Graph
from edgekit_converters.prune.graph import Graph as KerasGraph
from edgekit_converters.prune.graph import pack
from edgekit_converters.quantize.chain.equalize import Limits, compare_outputs, equalize
from edgekit_converters.quantize.chain.improve import stacked
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.sources import shapes

Array = NDArray[Any]

# Method and strength of `equalize`; which one suits a model shows when it is rounded.
WAYS = (("activations", 1.0),)
WAYS_PER_TENSOR = (("weights", 1.0), ("activations", 0.5))
_SCALING = keras.layers.Rescaling | keras.layers.Normalization

_log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """How a constant of the file came from a weight.

    Attributes:
        order: Order of the axes.
        factor: What the converter multiplied it with.
    """

    order: tuple[int, ...]
    factor: float


def evened(
    model: Any, samples: Sequence[dict[str, Array]], *, per_tensor: bool
) -> Iterator[list[Array]]:
    """Yield other weights with which a model computes the same, its channels more alike.

    Args:
        model: A Keras 3 model, its BatchNorm folded; it has its own weights in the end.
        samples: Typical inputs by name, each without the batch.
        per_tensor: Whether kernels will have one scale instead of one a channel.
    """
    body, given = _body(model, samples)
    try:
        content = convert_keras(_single(body), "float32", None)
        graph = Graph(content)
        inputs = stacked(graph, given)
        for method, strength in WAYS_PER_TENSOR if per_tensor else WAYS:
            made = equalize(
                content, inputs, method=method, strength=strength, remove_dead=False
            )
            weights = _carried(model, graph, Graph(made.model)) if made.treated else None
            if weights and _same(model, weights, samples):
                yield weights
    except SourceError as error:
        _log.info("Channels were not evened out: %s", str(error).splitlines()[0])


def _body(
    model: Any, samples: Sequence[dict[str, Array]]
) -> tuple[Any, list[dict[str, Array]]]:
    """Return a model without the layers that scale its inputs, and what it is given then.

    The converter would multiply them into the first kernels.
    """
    graph = KerasGraph(model)
    starts = [
        _behind_scaling(graph, tensor, key)
        for tensor, key in zip(model.inputs, graph.inputs, strict=True)
    ]
    body = keras.Model(starts, model.outputs, name=model.name)
    columns = _outputs(keras.Model(model.inputs, starts), samples)
    names = [each.name for each in body.inputs]
    return body, [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _behind_scaling(graph: KerasGraph, tensor: Any, key: int) -> Any:
    """Follow an input through the layers that scale it."""
    users = [call for call in graph.calls if key in call.inputs]
    if len(users) != 1 or not isinstance(users[0].layer, _SCALING):
        return tensor
    return _behind_scaling(graph, users[0].node.outputs[0], users[0].outputs[0])


def _single(model: Any) -> Any:
    """The same model for one sample at a time."""
    inputs = [
        keras.Input(batch_shape=(1, *each.shape[1:]), dtype=each.dtype, name=each.name)
        for each in model.inputs
    ]
    return shapes.again(model, keras, inputs)


def _carried(model: Any, before: Graph, after: Graph) -> list[Array] | None:
    """Return a model's weights with what became of its constants; None if one is no weight."""
    weights = [np.asarray(each) for each in model.get_weights()]
    carried = list(weights)
    for index, values, wanted in _changes(before, after):
        origins = [(i, _origin(weight, values)) for i, weight in enumerate(weights)]
        found = [(i, origin) for i, origin in origins if origin is not None]
        if not found:
            name = before.main.tensors[index].name.partition(";")[0]
            _log.info("Channels were not evened out: a constant of %s is no weight.", name)
            return None
        # Where one is equal, those that are proportional are so by chance.
        exact = [each for each in found if each[1].factor == 1]
        for i, (order, factor) in exact or found:
            shape = np.transpose(weights[i], order).shape
            carried[i] = np.transpose(wanted.reshape(shape) / factor, np.argsort(order))
    return carried


def _changes(before: Graph, after: Graph) -> Iterator[tuple[int, Array, Array]]:
    """Yield the number of each constant that changed, and its values in both models."""
    for index, tensor in enumerate(before.main.tensors):
        if tensor.is_constant and tensor.dtype == "float32":
            values = before.constant(tensor)
            wanted = after.constant(after.main.tensors[index])
            if not np.array_equal(values, wanted):
                yield index, values, wanted


def _origin(weight: Array, values: Array) -> Origin | None:
    """How a constant came from a weight, whatever its shape; None if it did not."""
    if weight.size != values.size or not weight.any():
        return None
    for order in itertools.permutations(range(weight.ndim)):
        row, wanted = np.transpose(weight, order).ravel(), values.ravel()
        largest = int(np.abs(row).argmax())
        factor = float(wanted[largest] / row[largest])
        if np.allclose(row * factor, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max()):
            return Origin(order, factor)
    return None


def _same(model: Any, weights: list[Array], samples: Sequence[dict[str, Array]]) -> bool:
    """Whether a model computes about the same with other weights."""
    own = model.get_weights()
    before = _outputs(model, samples)
    model.set_weights(weights)
    after = _outputs(model, samples)
    model.set_weights(own)
    change, limits = compare_outputs(before, after), Limits()
    return change.sqnr_db >= limits.sqnr_db and change.agreement >= limits.agreement


def _outputs(model: Any, samples: Sequence[dict[str, Array]]) -> list[Array]:
    size = model.inputs[0].shape[0] or len(samples)
    pieces = []
    for start in range(0, len(samples), size):
        part = samples[start : start + size]
        inputs = [np.stack([each[t.name] for each in part]) for t in model.inputs]
        given = model.predict_on_batch(pack(model, inputs))
        pieces.append([np.asarray(each) for each in keras.tree.flatten(given)])
    return [np.concatenate(each) for each in zip(*pieces, strict=True)]

"""Run the original model with its dropped channels set to zero: what the pruned one must equal.

The original's own layers run with their own weights, one after the other; after each,
the dropped channels of what it gave are overwritten with zero. Layers that take
statistics over their channels (LayerNorm) see the kept channels alone, because pruning
means that the others do not exist.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError
from edgekit_converters.prune.book import Book, Kept
from edgekit_converters.prune.graph import Call, Graph, pack
from edgekit_converters.prune.rules import read
from edgekit_converters.ties import Labels

TOLERANCE = 1e-4
_SIDE = 32  # pixels or steps of a side that the model leaves open


def prove(book: Book, kept: Kept, pruned: Any, *, samples: int = 2, seed: int = 0) -> float:
    """Compare a pruned model with the masked original on random input, layer by layer.

    Every tensor inside the pruned model must equal the kept channels of the same tensor
    inside the masked original, so that nothing is hidden by a saturated output.

    Args:
        book: The original.
        kept: Which atoms stay.
        pruned: The rebuilt model.
        samples: How many random samples.
        seed: Which random samples.

    Returns:
        Largest difference of any value, as a share of its tensor's largest value where
        that is above 1.

    Raises:
        EdgekitError: It is above 1e-4.
    """
    inputs = random_inputs(book, samples, np.random.default_rng(seed))
    smaller = read(Graph(pruned))
    wanted = masked(book, kept, inputs)
    found = masked(smaller, smaller.everything(), inputs)
    worst, where = 0.0, "its outputs"
    for before, after in same_calls(book, smaller):
        for key, small_key in zip(before.outputs, after.outputs, strict=True):
            expected = _stay(np.asarray(wanted[key]), book.labels[key], kept)
            gap = _gap(expected, np.asarray(found[small_key]))
            if gap > worst:
                worst, where = gap, before.name
    outputs = keras.tree.flatten(pruned(pack(pruned, inputs), training=False))
    for key, output in zip(book.graph.outputs, outputs, strict=True):
        worst = max(worst, _gap(np.asarray(wanted[key]), np.asarray(output)))
    if not worst <= TOLERANCE:
        msg = (
            f"The pruned model differs from the masked original by {worst:.2g} at {where}, "
            f"which is more than {TOLERANCE:g}; it is thrown away.\n"
            "This is a defect of edgekit's pruner; please report the model."
        )
        raise EdgekitError(msg)
    return worst


def same_calls(one: Book, other: Book) -> Iterator[tuple[Call, Call]]:
    """Pair the calls of two models that differ in sizes only."""
    first = sorted(one.graph.calls, key=lambda call: call.path)
    second = sorted(other.graph.calls, key=lambda call: call.path)
    for before, after in zip(first, second, strict=True):
        if before.inputs:
            yield before, after


def _stay(value: NDArray[Any], labels: Labels | None, kept: Kept) -> NDArray[Any]:
    """The kept channels of a tensor."""
    return value if labels is None else value[..., kept[labels]]


def _gap(expected: NDArray[Any], found: NDArray[Any]) -> float:
    """Largest difference as a share of the largest value; infinite for other shapes."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return float("inf")
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    difference = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    return float(difference.max(initial=0.0)) / scale


def random_inputs(book: Book, samples: int, rng: np.random.Generator) -> list[NDArray[Any]]:
    """Make random input for a model: normal numbers, or zeros and ones for integers."""
    inputs = []
    for tensor in book.graph.model.inputs:
        batch = tensor.shape[0] or samples
        shape = (batch, *(side or _SIDE for side in tensor.shape[1:]))
        whole = "int" in str(tensor.dtype) or str(tensor.dtype) == "bool"
        values = rng.integers(0, 2, shape) if whole else rng.standard_normal(shape)
        inputs.append(values.astype(str(tensor.dtype)))
    return inputs


def masked(book: Book, kept: Kept, inputs: list[NDArray[Any]]) -> dict[int, Any]:
    """Run a model on inputs, dropped channels held at zero, and give all its tensors by key."""
    values: dict[int, Any] = {}
    for key, value in zip(book.graph.inputs, inputs, strict=True):
        values[key] = keras.ops.convert_to_tensor(value)
    for call in book.graph.calls:
        if call.inputs:
            outputs = keras.tree.flatten(_run(book, kept, call, values))
            for key, value in zip(call.outputs, outputs, strict=True):
                values[key] = _mask(value, book.labels[key], kept)
    return values


def _run(book: Book, kept: Kept, call: Call, values: dict[int, Any]) -> Any:
    labels = book.labels[call.inputs[0]]
    if id(call) in book.normalized_together and labels is not None:
        return _layer_norm(call.layer, values[call.inputs[0]], np.flatnonzero(kept[labels]))
    args, kwargs = book.graph.arguments(call, values)
    if isinstance(call.layer, keras.Layer) and call.layer._call_has_training_arg:  # noqa: SLF001 (no public way)
        kwargs["training"] = False
    return call.layer(*args, **kwargs)


def _mask(value: Any, labels: Labels | None, kept: Kept) -> Any:
    if labels is None or kept[labels].all():
        return value
    stays = keras.ops.convert_to_tensor(kept[labels])
    return keras.ops.where(stays, value, keras.ops.zeros_like(value))


def _layer_norm(layer: Any, value: Any, stay: NDArray[np.int64]) -> Any:
    """LayerNorm over the kept channels; the dropped ones are zero."""
    full = np.asarray(value)
    part = full[..., stay]
    centre = 0.0 if layer.rms_scaling else part.mean(-1, keepdims=True)
    spread = part.var(-1, keepdims=True)
    part = (part - centre) / np.sqrt(spread + layer.epsilon)
    if layer.gamma is not None:
        part = part * np.asarray(layer.gamma)[stay]
    if layer.beta is not None:
        part = part + np.asarray(layer.beta)[stay]
    result = np.zeros_like(full)
    result[..., stay] = part
    return keras.ops.convert_to_tensor(result)

"""How much each unit matters: the sum over its channels.

The measures, as Molchanov et al. (https://arxiv.org/abs/1906.10771) compare them:

* `l1`, `l2`: norm of the kernel slice that makes the channel.
* `batchnorm`: size of the scale with which BatchNorm passes the channel on; where a group
  has none, `l1`.
* `taylor`: squared first-order effect on the loss of removing the slice,
  (sum of weight x gradient)^2, averaged over batches; it needs data.

Norms of different layers mean different things: each group's average is made 1. What
`taylor` gives is an effect on the loss, the same everywhere: it stays as it is.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgekit.errors import UnknownName, UsageError
from edgekit_converters.prune.book import Book, Producer
from edgekit_converters.prune.groups import Group
from edgekit_converters.prune.select import Scores
from edgekit_converters.ties import Labels

Importance = Literal["l1", "l2", "batchnorm", "taylor"]
Floats = NDArray[np.float64]
Loss = Callable[[Any, Any], Any]  # (targets, outputs) -> scalar
Parts = list[tuple[Labels, Floats]]  # labels of channels and their scores, by layer
Batch = tuple[Any, Any]  # (inputs as the model takes them, targets)

_log = logging.getLogger(__name__)


def score(
    book: Book,
    groups: list[Group],
    measure: str = "l1",
    *,
    batches: Iterable[Batch] = (),
    loss: Loss | None = None,
) -> Scores:
    """Score the units of each group.

    Args:
        book: The model.
        groups: The groups that may be pruned.
        measure: One of `Importance`.
        batches: Data, for `taylor`.
        loss: What the model is trained for, for `taylor`.

    Raises:
        UnknownName: There is no such measure.
        UsageError: The measure needs data and there are none.
    """
    if measure not in get_args(Importance):
        raise UnknownName("importance", measure, list(get_args(Importance)))  # noqa: EM101 (a kind)
    if measure == "taylor":
        if loss is None:
            msg = "Importance 'taylor' needs data with labels; give them with --data."
            raise UsageError(msg)
        return _sum(book, groups, _taylor(book, batches, loss))
    return [values / (values.mean() or 1.0) for values in _norms(book, groups, measure)]


def _norms(book: Book, groups: list[Group], measure: str) -> Scores:
    order = 2 if measure == "l2" else 1
    slices = [(p.labels, _norm(p, order)) for p in book.producers]
    weights = _sum(book, groups, _even(slices))
    if measure != "batchnorm":
        return weights
    gammas = [(labels, np.abs(np.asarray(gamma, np.float64))) for gamma, labels in book.gammas]
    return _with_spare(groups, _sum(book, groups, _even(gammas)), weights)


def _norm(producer: Producer, order: int) -> Floats:
    return np.asarray(np.linalg.norm(_slices(producer, np.asarray(producer.weights)), order, 1))


def _slices(producer: Producer, values: Any) -> Floats:
    """The values of a kernel, one row a channel."""
    rows = np.moveaxis(np.asarray(values, np.float64), producer.axis, 0)
    return rows.reshape(len(rows), -1)


def _even(parts: Parts) -> Parts:
    """Scale the scores of each layer to an average of 1."""
    return [(labels, values / (float(values.mean()) or 1.0)) for labels, values in parts]


def _sum(book: Book, groups: list[Group], parts: Parts) -> Scores:
    """Add scores of channels up by unit."""
    total = np.zeros(len(book.atoms))
    for labels, values in parts:
        np.add.at(total, book.atoms.roots(labels), values)
    return [total[group.units] for group in groups]


def _with_spare(groups: list[Group], scores: Scores, spare: Scores) -> Scores:
    """Take the spare scores for groups that have none."""
    missing = [
        ", ".join(group.layers)
        for group, found in zip(groups, scores, strict=True)
        if not found.any()
    ]
    if missing:
        _log.warning("No BatchNorm after %s; ranked by the l1 norm.", "; ".join(missing))
    return [found if found.any() else other for found, other in zip(scores, spare, strict=True)]


def _taylor(book: Book, batches: Iterable[Batch], loss: Loss) -> Parts:
    model, producers = book.graph.model, book.producers
    totals = [np.zeros(len(producer.labels)) for producer in producers]
    kernels = [producer.weights.value for producer in producers]
    for inputs, targets in batches:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for kernel in kernels:
                tape.watch(kernel)
            value = loss(targets, model(inputs, training=False))
        gradients = tape.gradient(value, kernels, unconnected_gradients="zero")
        for i, (producer, gradient) in enumerate(zip(producers, gradients, strict=True)):
            effect = _slices(producer, np.asarray(gradient) * np.asarray(producer.weights))
            totals[i] += np.square(effect.sum(axis=1))
    return [(producer.labels, total) for producer, total in zip(producers, totals, strict=True)]

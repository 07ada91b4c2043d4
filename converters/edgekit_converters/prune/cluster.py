"""Clusters: a kernel keeps k different values, which makes it small as a download.

K-means on the weights of one kernel, started from evenly spaced values as Han et al.
(https://arxiv.org/abs/1510.00149) found best. Weights that are exactly zero are a cluster
of their own that stays zero, so clustering after pruning keeps every zero.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgekit.errors import EdgekitError
from edgekit_converters.prune.kernels import Kernel

Floats = NDArray[np.float64]
Labels = NDArray[np.int32]

_ROUNDS = 100


def clustered(kernel: NDArray[Any], count: int) -> tuple[NDArray[np.float32], Labels]:
    """Give every weight the value of its cluster.

    Args:
        kernel: The weights.
        count: Different values that may stay, >= 2; zero is one of them where it occurs.

    Returns:
        The weights, and the number of each one's cluster; -1 for those that are zero.
    """
    flat = np.ravel(np.asarray(kernel, np.float64))
    live = flat != 0.0
    labels = np.full(flat.size, -1, np.int32)
    values = np.zeros(flat.size)
    if live.any():
        centres = _centres(np.sort(flat[live]), count - (not live.all()))
        labels[live] = np.searchsorted(_borders(centres), flat[live])
        values[live] = centres[labels[live]]
    return values.astype(np.float32).reshape(kernel.shape), labels.reshape(kernel.shape)


def _centres(ordered: Floats, count: int) -> Floats:
    """Centres of at most `count` clusters of sorted values."""
    centres = np.linspace(ordered[0], ordered[-1], count)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    for _ in range(_ROUNDS):
        # A weight on a border belongs to the cluster below, as in `clustered`.
        ends = np.searchsorted(ordered, _borders(centres), side="right")
        ends = np.concatenate([[0], ends, [len(ordered)]])
        sizes, totals = np.diff(ends), np.diff(sums[ends])
        # Sums of all weights before hide small ones: no mean lies beyond its members.
        lowest = ordered[np.minimum(ends[:-1], len(ordered) - 1)]
        means = np.clip(totals / np.maximum(sizes, 1), lowest, ordered[ends[1:] - 1])
        moved = np.where(sizes > 0, means, centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _borders(centres: Floats) -> Floats:
    return (centres[1:] + centres[:-1]) / 2


def check(kernels: Sequence[Kernel], count: int) -> None:
    """Make sure that no kernel has more values than it may.

    Raises:
        EdgekitError: One has.
    """
    for kernel in kernels:
        found = len(np.unique(np.asarray(kernel.variable)))
        if found > count:
            msg = (
                f"{kernel.name} has {found} different weights after clustering to {count}.\n"
                "Report this with the model; it was not written."
            )
            raise EdgekitError(msg)


class KeepClusters(keras.callbacks.Callback):  # type: ignore[misc] # keras has no types
    """Lets clusters learn: after each step its members take their average; zero stays zero.

    The average of the members' steps is the step of the cluster's value, because all
    members started from the same one.

    Args:
        kernels: The kernels.
        labels: For each of them the cluster of every weight; -1 for zero.
    """

    def __init__(self, kernels: Sequence[Kernel], labels: Sequence[Labels]) -> None:
        super().__init__()
        self._kernels = [
            # Zero comes first, the others follow.
            (kernel.variable, tf.constant(label + 1), int(label.max()) + 2)
            for kernel, label in zip(kernels, labels, strict=True)
        ]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 (as keras calls it)
        """Average within each cluster."""
        for variable, label, count in self._kernels:
            means = tf.math.unsorted_segment_mean(variable.value, label, count)
            live = tf.cast(tf.range(count) > 0, means.dtype)
            variable.assign(tf.gather(means * live, label))

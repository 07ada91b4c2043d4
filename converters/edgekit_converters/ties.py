"""Channels that share their fate: numbers that can be tied together and frozen.

A layer that makes n channels makes n numbers, and every tensor is labelled with the numbers
of the channels that it holds. Adding two tensors ties their numbers pairwise, concatenating
joins the labels, flattening repeats them. What is tied counts as one: channels that are
pruned together, that are scaled by one factor, tensors that have one step.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]  # one number a channel


class Ties:
    """Numbers, the ties between them, and why some are frozen."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._reasons: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._parent)

    def fresh(self, count: int) -> Labels:
        """Return numbers that are tied to nothing."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return np.arange(first, first + count)

    def frozen(self, count: int, reason: str) -> Labels:
        """Return frozen numbers that are tied to nothing."""
        found = self.fresh(count)
        self.freeze(found, reason)
        return found

    def roots(self, labels: NDArray[Any]) -> Labels:
        """Return the number that stands for each of these, in the same shape."""
        flat = [self._root(each) for each in labels.ravel().tolist()]
        return np.array(flat, np.int64).reshape(labels.shape)

    def tie(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Tie pairs; a frozen number freezes the other. Both may be broadcast."""
        pairs = np.broadcast_arrays(first, second)
        for one, other in zip(*(each.ravel().tolist() for each in pairs), strict=True):
            mine, theirs = self._root(one), self._root(other)
            if mine != theirs:
                self._parent[theirs] = mine
                reason = self._reasons.pop(theirs, None)
                if reason is not None:
                    self._reasons.setdefault(mine, reason)

    def freeze(self, labels: NDArray[Any], reason: str, *, above_all: bool = False) -> None:
        """Freeze numbers and what is tied to them.

        Args:
            labels: Which ones.
            reason: Why.
            above_all: Whether it replaces an earlier reason; else the first one stays.
        """
        for root in np.unique(self.roots(labels)).tolist():
            if above_all or root not in self._reasons:
                self._reasons[root] = reason

    def reasons(self, labels: NDArray[Any]) -> Sequence[str | None]:
        """Return why each of these is frozen, or None."""
        return [self._reasons.get(root) for root in self.roots(labels).ravel().tolist()]

    def _root(self, label: int) -> int:
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label

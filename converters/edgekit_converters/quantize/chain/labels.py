"""Channels that share one scale: numbers that can be tied together and frozen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Labels:
    """Numbers of channels; tied ones count as one, frozen ones keep scale 1."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._reasons: dict[int, str] = {}

    def fresh(self, count: int) -> Ints:
        """Return numbers that stand for channels of their own."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return np.arange(first, first + count)

    def frozen(self, count: int, reason: str) -> Ints:
        """Return numbers of channels that keep scale 1."""
        found = self.fresh(count)
        self.freeze(found, reason)
        return found

    def roots(self, labels: NDArray[Any]) -> Ints:
        """Return the number that stands for each of these, in the same shape."""
        flat = [self._root(int(each)) for each in labels.ravel()]
        return np.array(flat, np.int64).reshape(labels.shape)

    def tie(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Make pairs of channels share a scale; both may be broadcast."""
        pairs = np.broadcast_arrays(first, second)
        for one, other in zip(pairs[0].ravel(), pairs[1].ravel(), strict=True):
            mine, theirs = self._root(int(one)), self._root(int(other))
            if mine != theirs:
                self._parent[theirs] = mine
                reason = self._reasons.pop(theirs, None)
                if reason is not None:
                    self._reasons.setdefault(mine, reason)

    def freeze(self, labels: NDArray[Any], reason: str) -> None:
        """Keep the scale of channels; the first reason stays."""
        for root in np.unique(self.roots(labels)):
            self._reasons.setdefault(int(root), reason)

    def reasons(self, labels: NDArray[Any]) -> Sequence[str | None]:
        """Return why each of these is frozen, or None."""
        return [self._reasons.get(int(root)) for root in self.roots(labels).ravel()]

    def _root(self, label: int) -> int:
        while self._parent[label] != label:
            self._parent[label] = self._parent[self._parent[label]]
            label = self._parent[label]
        return label

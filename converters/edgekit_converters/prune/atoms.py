"""Atoms: the smallest things that can be pruned, and which of them stand or fall together.

A layer that makes n channels makes n atoms. The channels of every tensor are labelled
with the atoms they came from: an array of atom numbers, one a channel. Adding two
tensors ties their atoms pairwise, concatenating joins the labels, flattening repeats
them. Atoms that are tied form one unit, which is kept or dropped as a whole.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]  # one atom a channel


class Atoms:
    """Atoms, the ties between them, and why some must stay."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._frozen: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._parent)

    def fresh(self, count: int) -> Labels:
        """Make atoms for channels that a layer makes."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return np.arange(first, first + count)

    def tie(self, first: Labels, second: Labels) -> None:
        """Tie two arrays of equal length pairwise; a frozen atom freezes the other."""
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            a, b = self._root(one), self._root(other)
            if a != b:
                self._parent[b] = a
                if b in self._frozen:
                    self._frozen.setdefault(a, self._frozen.pop(b))

    def freeze(self, labels: Labels, reason: str) -> None:
        """Say that these atoms, and what is tied to them, must stay; the last reason counts."""
        for atom in labels.tolist():
            self._frozen[self._root(atom)] = reason

    def units(self, labels: Labels) -> Labels:
        """The unit of each atom."""
        return np.array([self._root(atom) for atom in labels.tolist()], np.int64)

    def reasons(self, labels: Labels) -> tuple[str, ...]:
        """Why any of these atoms is frozen; empty where none is."""
        found = (self._frozen.get(self._root(atom)) for atom in labels.tolist())
        return _unique(reason for reason in found if reason is not None)

    def _root(self, atom: int) -> int:
        while self._parent[atom] != atom:
            self._parent[atom] = self._parent[self._parent[atom]]
            atom = self._parent[atom]
        return atom


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))

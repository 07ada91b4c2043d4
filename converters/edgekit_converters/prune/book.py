"""What the rules write down while they walk through a model: labels, cuts and costs."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.prune.graph import Graph, Path
from edgekit_converters.ties import Labels, Ties

Kept = NDArray[np.bool_]  # for every atom whether it is kept


@dataclass(frozen=True, slots=True, eq=False)
class Producer:
    """A layer that makes channels.

    Attributes:
        path: Which layer.
        labels: The atoms of its output channels.
        weights: Its kernel, whose slices along `axis` make one channel each.
        axis: Axis of the kernel.
    """

    path: Path
    labels: Labels
    weights: Any
    axis: int


@dataclass(slots=True, eq=False)
class Cut:
    """How one variable shrinks: which atoms lie along which of its axes."""

    variable: Any
    axes: dict[int, Labels] = field(default_factory=dict)


class Book:
    """Everything about a model that pruning needs to know.

    Args:
        graph: The model's calls.

    Attributes:
        atoms: The smallest things that can be pruned, one a channel that a layer makes; what
            is tied stays or goes as a whole, what is frozen stays.
        labels: Labels of each tensor by key; None where the channels are unknown.
        producers: Layers that make channels.
        gammas: Scale of each BatchNorm, with the labels of its channels.
        cuts: By id of the variable, how it shrinks.
        counts: By layer and field of its config, the labels whose number stands there.
        normalized_together: Calls, by id, that take statistics over their channels.
        refused: Layers with weights that are left alone: output channels and the reason.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.atoms = Ties()
        self.labels: dict[int, Labels | None] = {}
        self.producers: list[Producer] = []
        self.gammas: list[tuple[Any, Labels]] = []
        self.cuts: dict[int, Cut] = {}
        self.counts: dict[Path, dict[str, Labels]] = {}
        self.normalized_together: set[int] = set()
        self.refused: dict[str, tuple[int, str]] = {}
        self._multiplied: list[tuple[Any, int]] = []

    def cut(self, variable: Any, axis: int, labels: Labels) -> None:
        """Note that the channels of `labels` lie along an axis of a variable."""
        found = self.cuts.setdefault(id(variable), Cut(variable))
        found.axes[axis % len(variable.shape)] = labels

    def count(self, path: Path, field_name: str, labels: Labels) -> None:
        """Note that a field of a layer's config holds the number of these channels."""
        self.counts.setdefault(path, {})[field_name] = labels

    def multiply(self, variable: Any, positions: int) -> None:
        """Note that a call multiplies every value of a variable `positions` times."""
        self._multiplied.append((variable, positions))

    def everything(self) -> Kept:
        """Keep all atoms."""
        return np.ones(len(self.atoms), np.bool_)

    def macs(self, kept: Kept) -> int:
        """Multiply-accumulates of one sample when only some atoms are kept."""
        return sum(
            positions * self._size(variable, kept) for variable, positions in self._multiplied
        )

    def slice(self, variable: Any, kept: Kept) -> NDArray[Any]:
        """Values of a variable for the kept channels."""
        value = np.asarray(variable)
        found = self.cuts.get(id(variable))
        for axis, labels in found.axes.items() if found else ():
            value = np.take(value, np.flatnonzero(kept[labels]), axis)
        return value

    def parameters(self, variables: Iterable[Any], kept: Kept) -> int:
        """How many values these variables hold when only some atoms are kept."""
        return sum(self._size(variable, kept) for variable in variables)

    def _size(self, variable: Any, kept: Kept) -> int:
        shape = list(variable.shape)
        found = self.cuts.get(id(variable))
        for axis, labels in found.axes.items() if found else ():
            shape[axis] = int(kept[labels].sum())
        return int(np.prod(shape, dtype=np.int64))

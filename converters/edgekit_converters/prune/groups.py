"""Groups: channels that the same layers make, from which some are chosen to go."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from edgekit_converters.prune.book import Book, Producer
from edgekit_converters.ties import Labels

ROUND_TO = 8  # channels; what vector units and the Edge TPU work on at once


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Units that the same layers make: a unit is a channel in each of these layers.

    Attributes:
        producers: The layers.
        units: The units, shape (N,).
        reasons: Why the group must stay whole; empty if it may be pruned.
        whole: How many units a share refers to: those that the group had at first.
    """

    producers: tuple[Producer, ...]
    units: Labels
    reasons: tuple[str, ...]
    whole: int

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return tuple("/".join(producer.path) for producer in self.producers)

    def keeps(self, share: float) -> int:
        """How many units stay when a share of them should go.

        The number is a multiple of 8, the nearest one, but never below 8 and never
        above what there is.
        """
        wanted = (1.0 - share) * self.whole
        return self.at_most(max(ROUND_TO, ROUND_TO * int(wanted / ROUND_TO + 0.5)))

    def at_most(self, count: int) -> int:
        """A number of units, but no more than there are."""
        return min(len(self.units), count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Layers whose channels all stay, and why.

    Attributes:
        layers: Names of the layers.
        channels: How many channels they share.
        reason: One clause without a full stop.
    """

    layers: tuple[str, ...]
    channels: int
    reason: str


def find(book: Book) -> list[Group]:
    """Sort the units of a model into groups, in the order of the layers."""
    makers: dict[int, dict[int, Producer]] = defaultdict(dict)
    for producer in book.producers:
        for unit in book.atoms.roots(producer.labels).tolist():
            makers[unit][id(producer)] = producer
    together: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for unit, producers in makers.items():
        together[tuple(producers)].append(unit)
    groups = []
    for units in together.values():
        labels = np.array(units, np.int64)
        producers_of = tuple(makers[units[0]].values())
        given = book.atoms.reasons(labels)
        reasons = tuple(dict.fromkeys(each for each in given if each is not None))
        groups.append(Group(producers_of, labels, reasons, whole=len(labels)))
    return groups


def frozen(book: Book, groups: list[Group]) -> tuple[Frozen, ...]:
    """Name what must stay whole: layers that no rule knows, groups that something needs."""
    refused = [
        Frozen(layers=(name,), channels=channels, reason=reason)
        for name, (channels, reason) in book.refused.items()
    ]
    whole = [
        Frozen(layers=group.layers, channels=len(group.units), reason=group.reasons[0])
        for group in groups
        if group.reasons
    ]
    return (*refused, *whole)

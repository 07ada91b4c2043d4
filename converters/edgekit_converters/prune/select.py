"""Choose which units go: the least important ones, as many as the amount asks for."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit_converters.prune.amount import Amount
from edgekit_converters.prune.book import Book, Kept
from edgekit_converters.prune.groups import ROUND_TO, Group
from edgekit_converters.prune.masks import Ranking
from edgekit_converters.ties import Labels

# Importance of each unit, one array a group; groups can be compared.
Scores = list[NDArray[np.float64]]
Counts = list[int]  # how many units each group keeps

_STEPS = 20  # of the bisection; 2**-20 of all channels is less than one channel


def choose(
    book: Book,
    groups: list[Group],
    scores: Scores,
    amount: Amount,
    *,
    ranking: Ranking | None = None,
    macs: int | None = None,
) -> Kept:
    """Choose what stays.

    Args:
        book: The model.
        groups: The groups that may be pruned.
        scores: Importance of each of their units.
        amount: How much should go.
        ranking: `layer` takes the same share from each group, `global` takes the least
            important units wherever they are. By default channels are taken layer by
            layer and MACs globally.
        macs: MACs of which the amount is a share; None for those of this model.

    Raises:
        UsageError: So many MACs cannot be removed.
    """
    choice = _Choice(book, groups, scores, macs)
    by_channels = amount.kind == "channels"
    counts = _COUNTS[ranking or ("layer" if by_channels else "global")]
    if by_channels:
        return choice.kept(counts(groups, scores, amount.share))
    smallest = _enough(choice, lambda share: counts(groups, scores, share), amount)
    return choice.kept(_give_back(choice, smallest, amount))


def per_mac(book: Book, groups: list[Group], scores: Scores) -> Scores:
    """Divide importance by the MACs that a unit saves, everything else being whole.

    Where a budget of MACs is to be met, that is how to lose the least: what gives little for
    its price goes first, as from a knapsack.
    """
    units = book.atoms.roots(np.arange(len(book.atoms)))
    whole, found = book.macs(book.everything()), []
    for group, values in zip(groups, scores, strict=True):
        saved = whole - book.macs(units != group.units[0])
        found.append(values / max(1, saved))
    return found


class _Choice:
    """What follows from how many units each group keeps: the most important ones.

    Args:
        book: The model.
        groups: The groups that may be pruned.
        scores: Importance of each of their units.
        macs: What shares of MACs refer to; None for those of the model.
    """

    def __init__(
        self, book: Book, groups: list[Group], scores: Scores, macs: int | None = None
    ) -> None:
        self.groups = groups
        # Of equally important units the first stay.
        self.ranks = [np.argsort(-score, kind="stable") for score in scores]
        self.scores = scores
        self._book = book
        self._units: Labels = book.atoms.roots(np.arange(len(book.atoms)))
        self.whole = macs or self.macs([len(group.units) for group in groups])

    def kept(self, counts: Counts) -> Kept:
        """Say for every atom whether it stays."""
        dropped = [
            group.units[rank[count:]]
            for group, rank, count in zip(self.groups, self.ranks, counts, strict=True)
        ]
        return ~np.isin(self._units, np.concatenate(dropped))

    def macs(self, counts: Counts) -> int:
        """Multiply-accumulates that are left."""
        return self._book.macs(self.kept(counts))


def _enough(choice: _Choice, counts: Callable[[float], Counts], amount: Amount) -> Counts:
    """Find the smallest share of channels whose going removes enough MACs."""
    wanted = (1.0 - amount.share) * choice.whole
    low, high = 0.0, 1.0
    best = counts(high)
    if choice.macs(best) > wanted:
        most = 1.0 - choice.macs(best) / choice.whole
        msg = (
            f"{amount} asks for {amount.share:.0%} fewer MACs; with {ROUND_TO} channels left "
            f"in each layer this model can lose {most:.0%}.\nAsk for less."
        )
        raise UsageError(msg)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = counts(middle)
        if choice.macs(found) <= wanted:
            high, best = middle, found
        else:
            low = middle
    return best


def _give_back(choice: _Choice, counts: Counts, amount: Amount) -> Counts:
    """Give channels back, the most important first, where MACs are left over."""
    wanted = (1.0 - amount.share) * choice.whole
    counts = list(counts)
    waiting = set(range(len(counts)))
    while waiting:
        best = max(waiting, key=lambda i: (_next_score(choice, counts, i), -i))
        more = list(counts)
        more[best] = choice.groups[best].at_most(counts[best] + ROUND_TO)
        if more[best] > counts[best] and choice.macs(more) <= wanted:
            counts = more
        else:
            waiting.remove(best)
    return counts


def _next_score(choice: _Choice, counts: Counts, group: int) -> float:
    """Average importance of the channels that a group would get back next."""
    following = choice.ranks[group][counts[group] : counts[group] + ROUND_TO]
    return float(choice.scores[group][following].mean()) if len(following) else -1.0


def _by_layer(groups: Sequence[Group], scores: Scores, share: float) -> Counts:  # noqa: ARG001 (see _COUNTS)
    return [group.keeps(share) for group in groups]


def _globally(groups: Sequence[Group], scores: Scores, share: float) -> Counts:
    """Put one threshold on the scores of all groups."""
    together = np.concatenate(scores)
    # The share counts from what the groups had at first, some of which may be gone.
    left = (1.0 - share) * sum(group.whole for group in groups) / len(together)
    threshold = np.inf if share >= 1.0 else np.quantile(together, max(0.0, 1.0 - left))
    kept = [int((score >= threshold).sum()) for score in scores]
    return [
        group.keeps(1.0 - count / group.whole)
        for group, count in zip(groups, kept, strict=True)
    ]


_COUNTS: dict[Ranking, Callable[[Sequence[Group], Scores, float], Counts]] = {
    "layer": _by_layer,
    "global": _globally,
}

"""Channel pruning: take channels out, prove the smaller model right, fine-tune, repeat."""

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from edgekit.data import Dataset
from edgekit.errors import SourceError
from edgekit.progress import task
from edgekit_converters.prune import groups as grouping
from edgekit_converters.prune import latency
from edgekit_converters.prune.amount import Amount
from edgekit_converters.prune.book import Book, Kept
from edgekit_converters.prune.graph import Graph, pack
from edgekit_converters.prune.groups import Group
from edgekit_converters.prune.importance import score
from edgekit_converters.prune.job import AUTO, Job, Pruned, Thinned, cost, cost_of
from edgekit_converters.prune.rebuild import rebuild
from edgekit_converters.prune.reference import prove
from edgekit_converters.prune.repair import repair, typical
from edgekit_converters.prune.rules import read
from edgekit_converters.prune.select import Scores, choose, per_mac
from edgekit_converters.prune.training import finetune, learns_classes, lesson

_TAYLOR_BATCHES = 16
_ENOUGH, _HELD = 32, 4  # samples, to try both rankings; every so manyth judges

_log = logging.getLogger(__name__)


def prune(model: Any, job: Job) -> Pruned:
    """Take channels out of a model, in one step or several.

    Args:
        model: A Keras 3 model; it is left as it is.
        job: What goes. With several steps each takes its part of what goes in the end,
            ranked by the weights as they are by then, and fine-tunes its part of the epochs.

    Raises:
        UsageError: So much cannot be removed.
        SourceError: The model is no graph of layers, or nothing in it can be pruned.
        EdgekitError: The proof failed; the pruned model is thrown away.
    """
    job = _settled(model, job)
    round_ = _Round(model, job)
    groups, macs = round_.open_groups, round_.macs
    sizes = {group.layers: len(group.units) for group in groups}
    amount = round_.by_macs(job.amount)
    smaller, differences = model, []
    for part, epochs in _parts(amount, job):
        if smaller is not model:
            round_ = _Round(smaller, job, sizes)
        smaller, difference = round_.smaller(part, macs)
        differences.append(difference)
        if epochs and job.data is not None:
            finetune(
                smaller,
                job.data,
                epochs,
                teacher=model if job.distill else None,
                learning_rate=job.learning_rate,
                seed=job.seed,
                augment=job.augment,
            )
    left = {group.layers: len(group.units) for group in grouping.find(read(Graph(smaller)))}
    return Pruned(
        model=smaller,
        before=cost(model),
        after=cost(smaller),
        thinned=tuple(
            Thinned(layers=layers, before=size, after=left.get(layers, size))
            for layers, size in sizes.items()
        ),
        frozen=round_.frozen,
        importance=job.importance,
        proof_difference=max(differences),
    )


def _settled(model: Any, job: Job) -> Job:
    """Say how channels are ranked, where that is left open.

    Both ways are tried on data with labels; the one stays after which the repaired model is
    nearer to the original, on samples that it was not repaired with.
    """
    if job.importance != AUTO:
        return job
    data = job.data
    if data is None or len(data) < _ENOUGH or not learns_classes(model, data):
        return dataclasses.replace(job, importance="l1")
    jobs = [dataclasses.replace(job, importance=name) for name in ("l1", "taylor")]
    with task("Trying how to rank channels", len(jobs)) as advance:
        distances = []
        for each in jobs:
            distances.append(_Round(model, each).distance(data))
            advance(1)
    best = jobs[int(np.argmin(distances))]
    _log.info(
        "Channels are ranked by %s; distance from the original with l1 %.3g, with taylor %.3g.",
        best.importance,
        *distances,
    )
    return best


def _parts(amount: Amount, job: Job) -> Iterator[tuple[Amount, int]]:
    """The amount after each step, and the epochs that follow it.

    Every step takes the same share of what is left: large steps first, small ones last.
    """
    done = 0
    for step in range(1, job.steps + 1):
        share = 1.0 - (1.0 - amount.share) ** (step / job.steps)
        until = round(job.epochs * step / job.steps)
        last = step == job.steps
        yield amount if last else dataclasses.replace(amount, share=share), until - done
        done = until


class _Round:
    """A model as it stands before channels are taken.

    Args:
        model: The model.
        job: What is asked.
        sizes: How many units each group had at first, by its layers; None for now.

    Raises:
        SourceError: The model is no graph of layers, or nothing in it can be pruned.
    """

    def __init__(
        self, model: Any, job: Job, sizes: dict[tuple[str, ...], int] | None = None
    ) -> None:
        self._job = job
        self._book = read(Graph(model))
        groups = grouping.find(self._book)
        self.open_groups = [group for group in groups if not group.reasons]
        if sizes is None:
            _check_any(self._book, groups, self.open_groups)
        else:
            self.open_groups = [
                dataclasses.replace(group, whole=sizes.get(group.layers, group.whole))
                for group in self.open_groups
            ]
        self.frozen = grouping.frozen(self._book, groups)
        self.macs = cost_of(self._book).macs
        self._scores = _scores(self._book, self.open_groups, job)

    def smaller(self, amount: Amount, macs: int | None = None) -> tuple[Any, float]:
        """Build the smaller model, prove it right, and repair it where there are data.

        Args:
            amount: What should be gone after this.
            macs: MACs that the amount is a share of.

        Returns:
            The model, and its difference from the masked original.
        """
        kept = self._kept(amount, macs)
        with task("Building the smaller model and proving it right"):
            smaller = rebuild(self._book, kept)
            difference = prove(self._book, kept, smaller, seed=self._job.seed)
        if self._job.data is not None:
            with task("Repairing what the removed channels did"):
                samples = typical(self._book, self._job.data, self._job.seed)
                repair(self._book, kept, smaller, samples)
        return smaller, difference

    def distance(self, data: Dataset) -> float:
        """Prune and repair by way of trial: how far outputs are from the original's.

        Args:
            data: Three quarters are repaired with, the others tell the distance.

        Returns:
            The mean square of the difference as a share of that of the outputs.
        """
        amount = self._job.amount
        if amount.kind == "latency":
            amount = Amount("macs", amount.share)
        kept, model = self._kept(amount, None), self._book.graph.model
        smaller = rebuild(self._book, kept)
        samples = typical(self._book, data, self._job.seed)
        held = np.arange(len(samples[0])) % _HELD == 0
        repair(self._book, kept, smaller, [array[~held] for array in samples])
        shown = pack(model, [array[held] for array in samples])
        return _far(model(shown, training=False), smaller(shown, training=False))

    def by_macs(self, amount: Amount) -> Amount:
        """Turn a share of the latency into the share of MACs that gives it, by measuring."""
        if amount.kind != "latency":
            return amount
        share = latency.macs_share(
            self._book.graph.model,
            lambda macs: rebuild(self._book, self._kept(Amount("macs", macs), None)),
            amount,
        )
        return Amount("macs", share)

    def _kept(self, amount: Amount, macs: int | None) -> Kept:
        return choose(
            self._book,
            self.open_groups,
            self._scores,
            amount,
            ranking=self._job.ranking,
            macs=macs,
        )


def _far(wanted: Any, found: Any) -> float:
    pairs = zip(keras.tree.flatten(wanted), keras.tree.flatten(found), strict=True)
    both = [(np.asarray(one, np.float64), np.asarray(other)) for one, other in pairs]
    return sum(
        float(np.square(one - other).mean() / (np.square(one).mean() or 1.0))
        for one, other in both
    )


def _check_any(book: Book, groups: list[Group], open_groups: list[Group]) -> None:
    if any(len(group.units) > grouping.ROUND_TO for group in open_groups):
        return
    found = [
        f"{', '.join(each.layers)}: {each.reason}" for each in grouping.frozen(book, groups)
    ]
    found += [
        f"{', '.join(group.layers)}: it has {len(group.units)} channels"
        for group in open_groups
    ]
    msg = (
        f"No channel of {book.graph.model.name} can be pruned. A layer must have more than "
        f"{grouping.ROUND_TO} channels that nothing else depends on; found\n  "
        + "\n  ".join(found or ["no convolution and no Dense layer"])
    )
    raise SourceError(msg)


def _scores(book: Book, groups: list[Group], job: Job) -> Scores:
    if job.importance != "taylor" or job.data is None:
        return score(book, groups, job.importance)
    with lesson(book.graph.model, job.data, seed=job.seed) as taught:
        batches = (taught.batches[i] for i in range(min(_TAYLOR_BATCHES, len(taught.batches))))
        found = score(book, groups, job.importance, batches=batches, loss=taught.loss)
    return found if job.amount.kind == "channels" else per_mac(book, groups, found)

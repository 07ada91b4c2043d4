"""Channel pruning: take channels out, prove the smaller model right, fine-tune, repeat."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from edgekit.errors import SourceError
from edgekit.progress import task
from edgekit_converters.prune import groups as grouping
from edgekit_converters.prune import latency
from edgekit_converters.prune.amount import Amount
from edgekit_converters.prune.book import Book, Kept
from edgekit_converters.prune.graph import Graph
from edgekit_converters.prune.groups import Group
from edgekit_converters.prune.importance import score
from edgekit_converters.prune.job import Job, Pruned, Thinned, cost, cost_of
from edgekit_converters.prune.rebuild import rebuild
from edgekit_converters.prune.reference import prove
from edgekit_converters.prune.repair import repair, typical
from edgekit_converters.prune.rules import read
from edgekit_converters.prune.select import Scores, choose
from edgekit_converters.prune.training import finetune, lesson

_TAYLOR_BATCHES = 16


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
        proof_difference=max(differences),
    )


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
        return score(book, groups, job.importance, batches=batches, loss=taught.loss)

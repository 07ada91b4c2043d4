"""Channel pruning: the smaller model, what it costs, and the proof that it is right."""

from dataclasses import dataclass
from typing import Any

from edgekit.data import Dataset
from edgekit.errors import SourceError, UsageError
from edgekit.progress import task
from edgekit_converters.prune import amount as amounts
from edgekit_converters.prune import groups as grouping
from edgekit_converters.prune.book import Book
from edgekit_converters.prune.graph import Graph
from edgekit_converters.prune.groups import Frozen, Group
from edgekit_converters.prune.importance import score
from edgekit_converters.prune.rebuild import rebuild
from edgekit_converters.prune.reference import prove
from edgekit_converters.prune.rules import read
from edgekit_converters.prune.select import Ranking, Scores, choose
from edgekit_converters.prune.training import finetune, lesson

_TAYLOR_BATCHES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """What a model costs to keep and to run.

    Attributes:
        parameters: Values in all its weights.
        macs: Multiply-accumulates of one sample, in layers with kernels.
    """

    parameters: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinned:
    """A group of layers that lost channels, or could have.

    Attributes:
        layers: Names of the layers.
        before: Channels that they shared.
        after: Channels that are left.
    """

    layers: tuple[str, ...]
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A pruned model and what is known about it.

    Attributes:
        model: The Keras model, not compiled.
        before: Cost of the original.
        after: Cost of the pruned model.
        thinned: The groups that could be pruned.
        frozen: The groups that could not, with the reason.
        proof_difference: Largest difference from the masked original on random input,
            before any fine-tuning, as a share of the largest output where that is above 1.
    """

    model: Any
    before: ModelCost
    after: ModelCost
    thinned: tuple[Thinned, ...]
    frozen: tuple[Frozen, ...]
    proof_difference: float


def prune(
    model: Any,
    amount: str,
    *,
    importance: str = "l1",
    ranking: Ranking | None = None,
    data: Dataset | None = None,
    epochs: int = 0,
    distill: bool = False,
    seed: int = 0,
) -> Pruned:
    """Take channels out of a model, prove the rest unchanged, and fine-tune it.

    Args:
        model: A Keras 3 model, Functional or Sequential; it is left as it is.
        amount: `channels:0.5`, `macs:0.5` or `0.5` (channels): the share that goes. Each
            layer keeps a multiple of 8 channels, or all of them if it has fewer than 8.
        importance: `l1`, `l2`, `batchnorm` or `taylor` (which needs data).
        ranking: `layer`: the same share from each layer; `global`: the least important
            channels anywhere. Default: `layer` for channels, `global` for MACs.
        data: Samples to fine-tune on.
        epochs: Times through the data; 0 leaves the weights as they are.
        distill: Learn from the outputs of the original too.
        seed: Order of the samples.

    Raises:
        UsageError: The options contradict each other, or ask for too much.
        SourceError: The model is no graph of layers, or nothing in it can be pruned.
        EdgekitError: The proof failed; the pruned model is thrown away.
    """
    wanted = amounts.parse(amount)
    if epochs and data is None:
        msg = f"Fine-tuning for {epochs} epochs needs data; give them with --data."
        raise UsageError(msg)
    book = read(Graph(model))
    groups = grouping.find(book)
    open_groups = [group for group in groups if not group.reasons]
    _check_any(book, groups, open_groups)
    scores = _scores(book, open_groups, importance, data, seed)
    kept = choose(book, open_groups, scores, wanted, ranking)
    with task("Building the smaller model and proving it right"):
        smaller = rebuild(book, kept)
        difference = prove(book, kept, smaller, seed=seed)
    if epochs and data is not None:
        finetune(smaller, data, epochs, teacher=model if distill else None, seed=seed)
    return Pruned(
        model=smaller,
        before=ModelCost(parameters=model.count_params(), macs=book.macs(book.everything())),
        after=cost(smaller),
        thinned=tuple(
            Thinned(
                layers=group.layers,
                before=len(group.units),
                after=int(kept[group.units].sum()),
            )
            for group in open_groups
        ),
        frozen=grouping.frozen(book, groups),
        proof_difference=difference,
    )


def cost(model: Any) -> ModelCost:
    """Count what a model costs.

    Raises:
        SourceError: The model is no graph of layers.
    """
    book = read(Graph(model))
    return ModelCost(parameters=model.count_params(), macs=book.macs(book.everything()))


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


def _scores(
    book: Book, groups: list[Group], importance: str, data: Dataset | None, seed: int
) -> Scores:
    if importance != "taylor" or data is None:
        return score(book, groups, importance)
    with lesson(book.graph.model, data, seed=seed) as taught:
        batches = (taught.batches[i] for i in range(min(_TAYLOR_BATCHES, len(taught.batches))))
        return score(book, groups, importance, batches=batches, loss=taught.loss)

"""What every method of pruning is asked, and what it gives back."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.data import Dataset
from edgekit_converters.prune.amount import Amount
from edgekit_converters.prune.book import Book
from edgekit_converters.prune.graph import Graph
from edgekit_converters.prune.groups import Frozen
from edgekit_converters.prune.masks import Ranking
from edgekit_converters.prune.rules import read

AUTO = "auto"  # importance: l1, or with labelled data whichever of l1 and taylor is better


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One pruning.

    Attributes:
        amount: What goes, and how much of it.
        importance: How channels are ranked; `auto` tries.
        ranking: `layer` or `global`; None takes what suits the amount.
        data: Samples on which layers make up for what goes, and to fine-tune on.
        epochs: Times through the data, all steps together.
        distill: Learn from the outputs of the original too.
        steps: Rounds of taking channels and fine-tuning.
        augment: Show another view of each picture every time.
        learning_rate: The first one of fine-tuning.
        depthwise: Take single weights of depthwise kernels, too.
        seed: Order of the samples.
    """

    amount: Amount
    importance: str = AUTO
    ranking: Ranking | None = None
    data: Dataset | None = None
    epochs: int = 0
    distill: bool = False
    steps: int = 1
    augment: bool = False
    learning_rate: float = 1e-3
    depthwise: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCost:
    """What a model costs to keep and to run.

    Attributes:
        parameters: Values in all its weights.
        nonzero: Those that are not zero.
        macs: Multiply-accumulates of one sample, in layers with kernels.
    """

    parameters: int
    nonzero: int
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
class KernelResult:
    """A kernel whose single weights were pruned or clustered.

    Attributes:
        name: The layer, and which of its kernels.
        weights: How many weights it has.
        zeros: How many of them are zero.
        values: How many different ones there are, zero included.
    """

    name: str
    weights: int
    zeros: int
    values: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """A pruned model and what is known about it.

    Attributes:
        model: The Keras model, not compiled.
        before: Cost of the original.
        after: Cost of the pruned model.
        frozen: What was left alone, with the reason.
        thinned: The groups that could lose channels; empty where single weights went.
        kernels: The kernels that lost single weights or values; empty where channels went.
        activations: Layers whose activation became ReLU.
        importance: How channels were ranked; None where none were.
        proof_difference: Largest difference from the masked original on random input,
            before any fine-tuning, as a share of the largest output where that is above 1;
            of the worst step. None where the layers stayed as they are.
    """

    model: Any
    before: ModelCost
    after: ModelCost
    frozen: tuple[Frozen, ...]
    thinned: tuple[Thinned, ...] = ()
    kernels: tuple[KernelResult, ...] = ()
    activations: tuple[str, ...] = ()
    importance: str | None = None
    proof_difference: float | None = None


def cost(model: Any) -> ModelCost:
    """Count what a model costs.

    Raises:
        SourceError: The model is no graph of layers.
    """
    return cost_of(read(Graph(model)))


def cost_of(book: Book) -> ModelCost:
    """Count what a model costs that has been read already."""
    model = book.graph.model
    return ModelCost(
        parameters=model.count_params(),
        nonzero=sum(int(np.count_nonzero(np.asarray(weight))) for weight in model.weights),
        macs=book.macs(book.everything()),
    )

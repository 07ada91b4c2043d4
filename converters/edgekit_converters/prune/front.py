"""The front door: one function for every method of pruning."""

from collections.abc import Callable
from typing import Any

from edgekit.data import Dataset
from edgekit.errors import UsageError
from edgekit_converters.prune import activations, channels, sparse
from edgekit_converters.prune import amount as amounts
from edgekit_converters.prune.amount import Method
from edgekit_converters.prune.job import AUTO, Job, Pruned
from edgekit_converters.prune.masks import Ranking

METHODS: dict[Method, Callable[[Any, Job], Pruned]] = {
    "channels": channels.prune,
    "magnitude": sparse.mask,
    "2:4": sparse.mask,
    "block": sparse.mask,
    "cluster": sparse.cluster,
    "activations": activations.replace,
}


def prune(
    model: Any,
    amount: str,
    *,
    importance: str = AUTO,
    ranking: Ranking | None = None,
    data: Dataset | None = None,
    epochs: int = 0,
    distill: bool = False,
    augment: bool = False,
    steps: int = 1,
    learning_rate: float = 1e-3,
    depthwise: bool = False,
    seed: int = 0,
) -> Pruned:
    """Prune a model, check or prove that what was asked is there, and fine-tune it.

    Args:
        model: A Keras 3 model, Functional or Sequential; it is left as it is.
        amount: The share that goes, see `edgekit_converters.prune.amount`:
            `channels:0.5`, `macs:0.5`, `latency:0.5@TARGET` (`host`, or one that was
            calibrated) or `0.5` (channels), where each layer keeps a multiple of 8 channels,
            or all of them if it has fewer than 8;
            `magnitude:0.8`, `2:4`, `block:0.8`; `clusters:32`; `activations`, which become
            ReLU where accelerators lack them.
        importance: `l1`, `l2`, `batchnorm` or `taylor` (which needs data), for channels;
            `auto` is `l1`, or with labelled data whichever of `l1` and `taylor` leaves the
            repaired model nearer to the original on samples held out.
        ranking: `layer`: the same share from each layer; `global`: the least important
            anywhere. Default: `layer` for channels and 2:4, else `global`.
        data: Typical samples. Layers make up on them for channels that are taken, and,
            without epochs, for single weights; with epochs the model is fine-tuned. Only
            that needs labels, or `distill`.
        epochs: Times through the data while fine-tuning.
        distill: Learn from the outputs of the original too.
        augment: Show another view of each picture every time, cut, mirrored or lit
            differently; a few hundred pictures then teach for many epochs.
        steps: Take channels in so many rounds, each followed by its part of the epochs.
        learning_rate: The first one of fine-tuning; it falls to zero. High shares of
            zeros recover better from a larger one.
        depthwise: Prune single weights of depthwise kernels, too.
        seed: Order of the samples.

    Raises:
        UsageError: The options contradict each other, or ask for too much.
        TargetError: Nothing tells the latency on the target.
        SourceError: The model is no graph of layers, or nothing in it can be pruned.
        EdgekitError: The proof failed; the pruned model is thrown away.
    """
    wanted = amounts.checked(amount)
    if epochs and data is None:
        msg = f"Fine-tuning for {epochs} epochs needs data; give them with --data."
        raise UsageError(msg)
    amounts.check_steps(wanted, steps, epochs)
    job = Job(
        amount=wanted,
        importance=importance,
        ranking=ranking,
        data=data,
        epochs=epochs,
        distill=distill,
        augment=augment,
        steps=steps,
        learning_rate=learning_rate,
        depthwise=depthwise,
        seed=seed,
    )
    return METHODS[wanted.method](model, job)

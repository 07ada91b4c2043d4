"""Pruning of single weights: masks and clusters. The layers stay as they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.errors import SourceError
from edgekit.progress import task
from edgekit_converters.prune import cluster as clusters
from edgekit_converters.prune import kernels as kernel_finder
from edgekit_converters.prune import masks
from edgekit_converters.prune.book import Book
from edgekit_converters.prune.graph import Graph
from edgekit_converters.prune.groups import Frozen
from edgekit_converters.prune.job import Job, KernelResult, Pruned, cost, cost_of
from edgekit_converters.prune.kernels import GROUP, Kernel
from edgekit_converters.prune.masks import Mask, Ranking, Values
from edgekit_converters.prune.rebuild import rebuild
from edgekit_converters.prune.repair import thin, typical
from edgekit_converters.prune.rules import read
from edgekit_converters.prune.schedule import MaskSchedule
from edgekit_converters.prune.training import finetune

# What 2:4 asks is the same everywhere; else kernels with much to spare lose more.
_RANKING: dict[str, Ranking] = {"magnitude": "global", "block": "global"}


def mask(model: Any, job: Job) -> Pruned:
    """Set weights of a copy to zero: at once, or more and more while it is fine-tuned.

    At once and with data, the weights that stay make up for those that go.

    Args:
        model: A Keras 3 model; it is left as it is.
        job: `magnitude`, `2:4` or `block`, and how much.

    Raises:
        SourceError: The model is no graph of layers, or has no kernel for this method.
        EdgekitError: The zeros are not there in the end.
    """
    book, copy = _copy(model)
    kernels, left = _kernels(copy, job)
    kind, share = job.amount.kind, job.amount.share
    ranking = job.ranking or _RANKING.get(kind, "layer")
    axes = [kernel.axis for kernel in kernels]

    def make(values: Sequence[Values], share_by_now: float) -> list[Mask]:
        return masks.MAKERS[kind](values, axes, share_by_now, ranking)

    if job.epochs and job.data is not None:
        schedule = MaskSchedule(kernels, make, share)
        _finetune(copy, model, job, schedule)
    else:
        if job.data is not None:
            _thin(book, copy, kernels, make(_values(kernels), share), job)
        with task(f"Masking {len(kernels)} kernels"):
            values = _values(kernels)
            for kernel, each, kept in zip(kernels, values, make(values, share), strict=True):
                kernel.variable.assign(each * kept)
    masks.check(kind, _values(kernels), axes, share, ranking)
    return _pruned(book, copy, kernels, left)


def _thin(
    book: Book, copy: Any, kernels: list[Kernel], stays: Sequence[Mask], job: Job
) -> None:
    """Choose with typical samples which weights go; those that stay adapt.

    Args:
        book: The original.
        copy: A copy of it.
        kernels: Kernels of the copy.
        stays: Masks that say how many weights of each kernel go.
        job: What is asked.
    """
    assert job.data is not None, "asked for only with data"
    shares = {id(k): 1 - float(mask.mean()) for k, mask in zip(kernels, stays, strict=True)}

    def mask_of(kernel: Kernel, scores: Values, part: float) -> Mask:
        maker = masks.MAKERS[job.amount.kind]
        return maker([scores], [kernel.axis], part * shares[id(kernel)], "layer")[0]

    with task(f"Thinning {len(kernels)} kernels"):
        thin(book, copy, kernels, mask_of, typical(book, job.data, job.seed))


def cluster(model: Any, job: Job) -> Pruned:
    """Leave each kernel of a copy a few different values, zeros included.

    Args:
        model: A Keras 3 model; it is left as it is.
        job: How many clusters; with epochs their values are fine-tuned.

    Raises:
        SourceError: The model is no graph of layers, or has no kernel.
        EdgekitError: A kernel has more values in the end.
    """
    book, copy = _copy(model)
    kernels, left = _kernels(copy, job)
    labels = []
    with task("Clustering", len(kernels), "kernel") as advance:
        for kernel in kernels:
            values, label = clusters.clustered(np.asarray(kernel.variable), job.amount.clusters)
            kernel.variable.assign(values)
            labels.append(label)
            advance(1)
    if job.epochs and job.data is not None:
        _finetune(copy, model, job, clusters.KeepClusters(kernels, labels))
    clusters.check(kernels, job.amount.clusters)
    return _pruned(book, copy, kernels, left)


def _copy(model: Any) -> tuple[Book, Any]:
    book = read(Graph(model))
    return book, rebuild(book, book.everything())


def _kernels(model: Any, job: Job) -> tuple[list[Kernel], list[Frozen]]:
    """Find the kernels that suit the method; name the others."""
    found, left = kernel_finder.find(model, depthwise=job.depthwise)
    if job.amount.kind in {"2:4", "block"}:
        left += [kernel_finder.frozen(k, _ungrouped(k)) for k in found if not k.grouped]
        found = [kernel for kernel in found if kernel.grouped]
    if not found:
        reasons = [f"{', '.join(each.layers)}: {each.reason}" for each in left]
        msg = (
            f"{model.name} has no kernel that '{job.amount}' could prune; found\n  "
            + "\n  ".join(reasons or ["no convolution and no Dense layer"])
        )
        raise SourceError(msg)
    return found, left


def _ungrouped(kernel: Kernel) -> str:
    if kernel.axis is None:
        return "its inputs do not lie along one axis"
    return f"its {kernel.variable.shape[kernel.axis]} inputs are no multiple of {GROUP}"


def _finetune(copy: Any, original: Any, job: Job, callback: Any) -> None:
    assert job.data is not None, "epochs without data are refused at the front door"
    finetune(
        copy,
        job.data,
        job.epochs,
        teacher=original if job.distill else None,
        learning_rate=job.learning_rate,
        seed=job.seed,
        augment=job.augment,
        callbacks=[callback],
    )


def _values(kernels: Sequence[Kernel]) -> list[Values]:
    return [np.asarray(kernel.variable) for kernel in kernels]


def _pruned(book: Book, copy: Any, kernels: list[Kernel], left: list[Frozen]) -> Pruned:
    results = [
        KernelResult(
            name=kernel.name,
            weights=value.size,
            zeros=int(value.size - np.count_nonzero(value)),
            values=len(np.unique(value)),
        )
        for kernel, value in zip(kernels, _values(kernels), strict=True)
    ]
    return Pruned(
        model=copy,
        before=cost_of(book),
        after=cost(copy),
        frozen=tuple(left),
        kernels=tuple(results),
    )

"""Masks: which weights of a kernel stay. Pure numpy, no model.

* `magnitude`: the smallest weights go, one by one.
* `2:4`: of four consecutive inputs of an output the two smallest weights go.
* `block`: four consecutive inputs of an output go together, those of the smallest sum.

Groups lie along the input axis, as in the `1x4` blocks of TFLite's sparse
fully-connected kernel, whose weights have the inputs last. Convolutions are grouped
the same way at every position of their window.

`layer` takes the same share from each kernel. `global` takes the least anywhere, by the
square of a weight as a share of what is left in its kernel when all smaller ones are gone
(Lee et al. 2021, https://arxiv.org/abs/2010.07611): kernels with much to spare lose more.

Ties go to the weight that stands first, so that weights which are zero already stay zero
while the share grows.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError
from edgekit_converters.prune.kernels import GROUP

Ranking = Literal["layer", "global"]
Mask = NDArray[np.bool_]
Values = NDArray[Any]
Scores = NDArray[np.float64]
Axes = Sequence[int | None]


def magnitude(
    kernels: Sequence[Values], _axes: Axes, share: float, rank: Ranking
) -> list[Mask]:
    """Drop the smallest weights: of each kernel, or of all in proportion to what is left."""
    return _keep([np.abs(np.asarray(k, np.float64)) for k in kernels], share, rank)


def block(kernels: Sequence[Values], axes: Axes, share: float, rank: Ranking) -> list[Mask]:
    """Drop whole groups of four inputs, those whose weights have the smallest sum."""
    grouped = [_groups(k, axis) for k, axis in zip(kernels, axes, strict=True)]
    kept = _keep([each.sum(axis=1) for each in grouped], share, rank)
    return [
        _back(np.repeat(mask[:, None], GROUP, axis=1), kernel.shape, axis)
        for mask, kernel, axis in zip(kept, kernels, axes, strict=True)
    ]


def two_of_four(
    kernels: Sequence[Values], axes: Axes, share: float, _rank: Ranking
) -> list[Mask]:
    """Drop the two smallest of each four inputs; a share below a half takes some of those."""
    found = []
    for kernel, axis in zip(kernels, axes, strict=True):
        groups = _groups(kernel, axis)
        places = np.argsort(np.argsort(groups, axis=1, kind="stable"), axis=1)
        scores = np.where(places < GROUP // 2, groups, np.inf)
        (kept,) = _keep([scores], min(share, 0.5), "layer")
        found.append(_back(kept, kernel.shape, axis))
    return found


Maker = Callable[[Sequence[Values], Axes, float, Ranking], list[Mask]]
MAKERS: dict[str, Maker] = {"magnitude": magnitude, "block": block, "2:4": two_of_four}


def check(
    kind: str, kernels: Sequence[Values], axes: Axes, share: float, rank: Ranking
) -> None:
    """Make sure that weights have the zeros that were promised.

    Args:
        kind: One of `MAKERS`.
        kernels: The weights as they came out.
        axes: Their input axes.
        share: What was promised; ignored for `2:4`.
        rank: Whether the share holds for each kernel or for all together.

    Raises:
        EdgekitError: There are fewer zeros, or they lie elsewhere.
    """
    units = [
        _groups(kernel, axis) if kind != "magnitude" else np.reshape(np.abs(kernel), (-1, 1))
        for kernel, axis in zip(kernels, axes, strict=True)
    ]
    if kind == "2:4":
        missing = sum(int(((each == 0).sum(axis=1) < GROUP // 2).sum()) for each in units)
    else:
        gone = [int((each == 0).all(axis=1).sum()) for each in units]
        sizes = [len(each) for each in units]
        if rank == "global":
            gone, sizes = [sum(gone)], [sum(sizes)]
        missing = sum(
            max(0, _count(share, size) - zero) for size, zero in zip(sizes, gone, strict=True)
        )
    if missing:
        msg = (
            f"The pruned weights lack {missing} zeros that '{kind}' promises.\n"
            "Report this with the model; it was not written."
        )
        raise EdgekitError(msg)


def _keep(scores: Sequence[Scores], share: float, rank: Ranking) -> list[Mask]:
    """Drop the units of the lowest scores; exactly as many as the share says, rounded."""
    if rank == "layer" or not scores:
        return [_keep_one(score, share) for score in scores]
    flat = [_of_what_is_left(np.ravel(score)) for score in scores]
    kept = _keep_one(np.concatenate(flat), share)
    pieces = np.split(kept, np.cumsum([each.size for each in flat])[:-1])
    return [piece.reshape(score.shape) for piece, score in zip(pieces, scores, strict=True)]


def _of_what_is_left(scores: Scores) -> Scores:
    """Square each score, as a share of the squares that are not smaller."""
    order = np.argsort(scores, kind="stable")
    squares = np.square(scores[order] / (float(scores.max()) or 1.0))
    left = np.cumsum(squares[::-1])[::-1]
    found = np.empty_like(scores)
    found[order] = squares / np.where(left > 0, left, 1.0)
    return found


def _keep_one(scores: Scores, share: float) -> Mask:
    kept = np.ones(scores.size, np.bool_)
    kept[np.argsort(scores, axis=None, kind="stable")[: _count(share, scores.size)]] = False
    return kept.reshape(scores.shape)


def _count(share: float, size: int) -> int:
    return round(share * size)


def _groups(kernel: Values, axis: int | None) -> Scores:
    """Absolute weights, one row for each four inputs of one output."""
    moved = np.moveaxis(np.abs(np.asarray(kernel, np.float64)), _known(axis), -1)
    return moved.reshape(-1, GROUP)


def _back(groups: Mask, shape: tuple[int, ...], axis: int | None) -> Mask:
    """Undo `_groups`."""
    moved = list(shape)
    moved.append(moved.pop(_known(axis)))
    return np.moveaxis(groups.reshape(moved), -1, _known(axis))


def _known(axis: int | None) -> int:
    assert axis is not None, "kernels without an input axis are left alone"
    return axis

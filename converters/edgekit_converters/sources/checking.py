"""Random input that suits a model, and how far two models are apart on it."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.sources.source import InputSpec

TOLERANCE = 1e-4  # largest relative difference between two forms of the same model
SAMPLES = 4
DEVIATIONS = (1.0, 0.1, 0.01, 3.0)  # of the random numbers in one sample after the other
NOTHING = 1e-7  # outputs that are all smaller are rounding errors of zeros
_LAYERS = 16  # rounding steps that the layers of a deep net add to that of its input
_MOST = 0.02  # a model that rounds worse than this says nothing about its other form
_SEED = 20

Feed = list[NDArray[Any]]
Run = Callable[[Feed], Sequence[NDArray[Any]]]


def random_feeds(
    specs: Sequence[InputSpec], *, normalizes_itself: bool, count: int = SAMPLES, batch: int = 1
) -> list[Feed]:
    """Draw input for a model, always the same for the same model.

    1. Where an Embedding reads the input: whole numbers in [0, rows).
    2. Pictures that the graph scales itself: uniform in [0, 255), as pixels are.
    3. Integers: 0 or 1; booleans likewise.
    4. Else normal with mean 0; the deviation differs from sample to sample
       (`DEVIATIONS`), because a softmax that is driven into saturation hides differences.

    Args:
        specs: The inputs; their shapes must be fixed.
        normalizes_itself: Whether the graph scales its input.
        count: How many samples.
        batch: Samples in each array, where the model leaves that open.

    Returns:
        `count` lists, each with one array of shape (batch, ...) for each input.
    """
    rng = np.random.default_rng(_SEED)
    return [
        [
            _draw(
                rng, spec, batch, deviation, pixels=normalizes_itself and len(spec.shape) == 3
            )
            for spec in specs
        ]
        for deviation in itertools.islice(itertools.cycle(DEVIATIONS), count)
    ]


def relative_difference(
    expected: Sequence[NDArray[Any]], found: Sequence[NDArray[Any]]
) -> float:
    """Return how far the outputs of two models are apart, the worst output counting.

    max |expected - found| / max(|expected|, NOTHING) for each output: relative to the
    largest value of the output, not value by value, because a softmax has values next to 0
    whose own ratio says nothing. Values that are not finite must be equal, else the result
    is inf.

    Args:
        expected: Outputs of the model that is held to be right, one array each.
        found: Outputs of the other one, of the same shapes.

    >>> relative_difference([np.array([1.0, 4.0])], [np.array([1.0, 4.1])])
    0.025
    """
    return max((_apart(a, b) for a, b in zip(expected, found, strict=True)), default=0.0)


def compare(run: Run, other: Run, feeds: Sequence[Feed]) -> tuple[float, float]:
    """Compare two forms of a model, the input on which they are furthest apart counting.

    Args:
        run: The form that is held to be right, from one feed to its outputs.
        other: The other one.
        feeds: Inputs.

    Returns:
        Their `relative_difference` on that input, and how much is allowed there: `TOLERANCE`,
        but more for a net that makes much of little. Noise lies far from the pictures that a
        deep net was trained on; there it may turn the last bit of its input into a thousandth
        of its output, and no two forms of it agree any better than that.
    """
    worst = (0.0, TOLERANCE)
    for feed in feeds:
        expected = run(feed)
        difference, allowed = relative_difference(expected, other(feed)), TOLERANCE
        if difference > TOLERANCE:
            rounding = relative_difference(expected, run(_next(feed)))
            allowed = max(TOLERANCE, min(_LAYERS * rounding, _MOST))
        worst = max(worst, (difference, allowed), key=lambda pair: pair[0] / pair[1])
    return worst


def _next(feed: Feed) -> Feed:
    """Move numbers by their last bit, whole ones excepted: they may be indices."""
    rng = np.random.default_rng(_SEED)
    return [
        np.where(each == np.rint(each), each, np.nextafter(each, _sides(rng, each)))
        if np.issubdtype(each.dtype, np.floating)
        else each
        for each in feed
    ]


def _sides(rng: np.random.Generator, values: NDArray[Any]) -> NDArray[Any]:
    return rng.choice([-np.inf, np.inf], values.shape).astype(values.dtype)


def _draw(
    rng: np.random.Generator, spec: InputSpec, batch: int, deviation: float, *, pixels: bool
) -> NDArray[Any]:
    shape = (spec.batch or batch, *(size or 1 for size in spec.shape))
    if spec.indices is not None:
        return rng.integers(0, spec.indices, shape).astype(spec.dtype)
    if spec.dtype == "bool" or np.issubdtype(np.dtype(spec.dtype), np.integer):
        high = 256 if pixels or spec.dtype == "uint8" else 2
        return rng.integers(0, high, shape).astype(spec.dtype)
    if pixels:
        return rng.uniform(0, 255, shape).astype(spec.dtype)
    return (deviation * rng.standard_normal(shape)).astype(spec.dtype)


def _apart(expected: NDArray[Any], found: NDArray[Any]) -> float:
    if expected.shape != found.shape:
        return float("inf")
    a, b = expected.astype(np.float64), found.astype(np.float64)
    finite = np.isfinite(a)
    if (finite != np.isfinite(b)).any() or not np.array_equal(
        a[~finite], b[~finite], equal_nan=True
    ):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = max(float(np.abs(a[finite]).max()), NOTHING)
    return float(np.abs(a[finite] - b[finite]).max()) / scale

"""Least squares with coefficients that are 0 or more, after Lawson and Hanson."""

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-9


def nnls(
    matrix: NDArray[np.float64], wanted: NDArray[np.float64], most: int | None = None
) -> NDArray[np.float64]:
    """Return x >= 0 that makes `matrix @ x` nearest to `wanted`.

    The active-set method: columns enter one by one, the one that helps most first, and leave
    when their coefficient would fall below 0.

    Args:
        matrix: Shape (rows, columns); columns may be of any magnitude.
        wanted: Shape (rows,).
        most: No more columns than this get a coefficient; None for all that help.

    Returns:
        Coefficients, shape (columns,).

    Source:
        C. L. Lawson, R. J. Hanson: Solving Least Squares Problems, 1974, chapter 23.

    >>> nnls(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([2.0, -1.0])).tolist()
    [2.0, 0.0]
    """
    lengths = np.sqrt(np.square(matrix).sum(axis=0))
    scaled = matrix / np.where(lengths > 0, lengths, 1.0)
    count = matrix.shape[1]
    x = np.zeros(count)
    inside = np.zeros(count, bool)
    allowed = count if most is None else most
    limit = _TOLERANCE * max(1.0, float(np.abs(scaled.T @ wanted).max(initial=0.0)))
    for _ in range(3 * count):
        slope = np.where(inside, -np.inf, scaled.T @ (wanted - scaled @ x))
        best = int(slope.argmax()) if count else 0
        if count == 0 or slope[best] <= limit or inside.sum() >= allowed:
            break
        inside[best] = True
        x = _settled(scaled, wanted, x, inside)
    found: NDArray[np.float64] = x / np.where(lengths > 0, lengths, 1.0)
    return found


def _settled(
    matrix: NDArray[np.float64],
    wanted: NDArray[np.float64],
    x: NDArray[np.float64],
    inside: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Solve for the columns inside; those that would fall below 0 leave on the way."""
    while True:
        solved = np.zeros_like(x)
        solved[inside] = np.linalg.lstsq(matrix[:, inside], wanted, rcond=None)[0]
        below = inside & (solved <= 0)
        if not below.any():
            return solved
        steps = x[below] / np.maximum(x[below] - solved[below], np.finfo(float).tiny)
        x = x + float(steps.min(initial=1.0)) * (solved - x)
        inside &= x > _TOLERANCE * max(1.0, float(np.abs(x).max(initial=0.0)))
        x = np.where(inside, x, 0.0)

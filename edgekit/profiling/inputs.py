"""What models are fed with while they are timed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def values(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Return an input to run on: random, but 0 where integers may be indices of a table.

    Args:
        shape: Its sizes.
        dtype: Name of its numpy type.
    """
    random = np.random.default_rng(0)
    if dtype in {"int8", "uint8"}:
        limits = np.iinfo(dtype)
        return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if dtype.startswith("float"):
        return random.random(shape).astype(dtype)
    return np.zeros(shape, "object" if dtype == "object" else dtype)


def random_values(detail: Mapping[str, Any]) -> NDArray[Any]:
    """The same for an input as an interpreter describes it."""
    return values(tuple(int(size) for size in detail["shape"]), np.dtype(detail["dtype"]).name)

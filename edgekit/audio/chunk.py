"""One piece of a sound."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CHUNK_S = 0.05  # about as long as the pieces are that sources give


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """One piece of a sound, and its place in it.

    Attributes:
        t: Seconds from the opening of the source to the first of the samples, by the clock
            of the samples: those that are missing count.
        samples: Shape (n,), n > 0, in [-1, 1].
        lost: How many samples before these are known to be missing.
        name: The file that it is of; empty where there is none.
    """

    t: float
    samples: NDArray[np.float32]
    lost: int = 0
    name: str = ""

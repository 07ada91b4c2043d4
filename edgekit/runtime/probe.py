"""The child's half of a guarded trial: open a file and run it once."""

from pathlib import Path

import numpy as np

from edgekit.runtime import delegates
from edgekit.runtime.backends import open_backend
from edgekit.runtime.model import TensorSpec
from edgekit.runtime.opening import load


def run_once(*, path: str, backend: str, delegate: str | None, threads: int) -> bool:
    """Open a model and run it once on zeros; called through `edgekit.guard`.

    Raises:
        EdgekitError: As `edgekit.runtime.load`.
    """
    model = load(Path(path), backend=backend, delegate=delegate, threads=threads, probe=False)
    with delegates.if_it_dies_here(delegate, open_backend(backend)):
        model.raw({spec.name: zeros(spec) for spec in model.inputs})
    return True


def zeros(spec: TensorSpec) -> np.ndarray:
    """An input that holds the integers of real 0, or plain zeros."""
    if np.dtype(spec.dtype).kind in "SUO":
        return np.full(spec.shape, b"", object)
    return np.full(spec.shape, spec.zero_point, spec.dtype)

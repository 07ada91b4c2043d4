"""The child's half of a guarded trial: open a file and run it once."""

import contextlib
from pathlib import Path

import numpy as np

from edgekit.guarded import if_it_dies
from edgekit.runtime import delegates, problems
from edgekit.runtime.backends import open_backend
from edgekit.runtime.model import TensorSpec
from edgekit.runtime.opening import load


def run_once(*, path: str, backend: str, delegate: str | None, threads: int) -> bool:
    """Open a model and run it once on zeros; called through `edgekit.guard`.

    Raises:
        EdgekitError: As `edgekit.runtime.load`.
    """
    library = delegates.native_library(delegate)
    hint = (
        if_it_dies(problems.foreign_library(library, open_backend(backend)))
        if library
        else contextlib.nullcontext()
    )
    with hint:
        model = load(
            Path(path), backend=backend, delegate=delegate, threads=threads, probe=False
        )
        model.raw({spec.name: zeros(spec) for spec in model.inputs})
    return True


def zeros(spec: TensorSpec) -> np.ndarray:
    """An input that holds the integers of real 0, or plain zeros."""
    if np.dtype(spec.dtype).kind in "SUO":
        return np.full(spec.shape, b"", object)
    return np.full(spec.shape, spec.zero_point, spec.dtype)

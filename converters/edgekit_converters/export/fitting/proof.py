"""How far a rewritten model is from the one before. Runs in a guarded child."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.runtime import Model, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far two models are apart.

    Attributes:
        relative: Largest difference of any output value, as a share of the largest value
            of that output; 0 means bit for bit the same.
        samples: Inputs that it is over.
    """

    relative: float
    samples: int


def compare(before: str, after: str, probe: str) -> Difference:
    """Run two models with the same inputs and outputs on the same values.

    Args:
        before: One .tflite file.
        after: The other one.
        probe: One array an input by name, or a sole `x`; samples in front.

    Raises:
        InputError: A model does not run.
    """
    models = [load(path, probe=False, delegate="cpu") for path in (before, after)]
    with np.load(probe) as arrays:
        samples = _samples(models[0], dict(arrays))
    pairs = zip(_runs(models[0], samples), _runs(models[1], samples), strict=True)
    differences = [_relative(*pair) for pair in pairs]
    return Difference(relative=max(differences), samples=len(samples))


def _samples(model: Model, arrays: dict[str, NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
    if len(model.inputs) == 1:
        arrays = {model.inputs[0].name: next(iter(arrays.values()))}
    count = min(map(len, arrays.values()))
    return [
        {spec.name: arrays[spec.name][i].reshape(spec.shape) for spec in model.inputs}
        for i in range(count)
    ]


def _runs(model: Model, samples: list[dict[str, NDArray[Any]]]) -> list[NDArray[np.float64]]:
    """Return each output over all samples."""
    rows = []
    for sample in samples:
        found = model(sample)
        rows.append(list(found.values()) if isinstance(found, dict) else [found])
    return [np.stack(column).astype(np.float64) for column in zip(*rows, strict=True)]


def _relative(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    largest = float(np.abs(before).max()) or 1.0
    return float(np.abs(after - before).max()) / largest

"""Run an artifact in tflite-runtime too, where an environment with it is named.

Some files that the converter writes load in the old runtime and compute nonsense there
without an error, so loading is no proof.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError
from edgekit.evaluation.metrics import Sqnr
from edgekit.flatbuffer.graph import Graph
from edgekit.runtime.elsewhere import Outcome, other_python, run_elsewhere

NONSENSE_DB = 12.0  # integer kernels of two runtimes differ by a few steps, not by a quarter


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of running an artifact in another runtime.

    Attributes:
        runtime: Package and version; '' if it did not run.
        problem: What is wrong there, or None.
    """

    runtime: str
    problem: str | None


def try_elsewhere(path: Path, probe: Path) -> Trial | None:
    """Run an artifact on random inputs here and in the other runtime.

    Args:
        path: The artifact.
        probe: An .npz with one array an input, samples in front, named `x` or by input.

    Returns:
        None if no other runtime is named by `EDGEKIT_TFLITE_PYTHON`.
    """
    python = other_python()
    if python is None:
        return None
    inputs = _inputs(Graph(path), probe)
    here = run_elsewhere(path, inputs, python=sys.executable)
    try:
        there = run_elsewhere(path, inputs, python=python)
    except EdgekitError as error:
        return Trial("", f"It does not run in tflite-runtime: {error}")
    return Trial(there.runtime, _nonsense(here, there))


def _inputs(graph: Graph, probe: Path) -> dict[str, NDArray[Any]]:
    """Read the random inputs under the names that the artifact gives its inputs."""
    names = [graph.main.input_names.get(each.index, each.name) for each in graph.inputs]
    with np.load(probe, allow_pickle=False) as file:
        given = names if set(names) == set(file.files) else file.files
        return {name: file[other] for name, other in zip(names, given, strict=True)}


def _nonsense(here: Outcome, there: Outcome) -> str | None:
    ratio = Sqnr()
    ratio.add(there.outputs, here.outputs)
    found = ratio.score().value
    if found is None or found >= NONSENSE_DB:
        return None
    return (
        f"It runs in {there.runtime} but computes something else than in {here.runtime} "
        f"({found:.0f} dB on random input); do not use it there."
    )

"""Run an artifact in tflite-runtime too, where an environment with it is named.

Some files that the converter writes load in the old runtime and compute nonsense there
without an error, so loading is no proof. Nor is another answer: kernels of two runtimes differ
by a step in some values, and a net with random weights makes anything of that. Where the two
are about as far from the float model, it is the model that loses in integers, not a runtime.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import EdgekitError
from edgekit.evaluation.metrics import SQNR_LIMIT_DB, Sqnr
from edgekit.flatbuffer.graph import Graph
from edgekit.runtime.elsewhere import Outcome, other_python, run_elsewhere

NONSENSE_DB = 12.0  # integer kernels of two runtimes differ by a few steps, not by a quarter
_WORSE_DB = 6.0  # how much further from the float model nonsense is than what is right


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of running an artifact in another runtime.

    Attributes:
        runtime: Package and version; '' if it did not run.
        problem: What is wrong there, or None.
    """

    runtime: str
    problem: str | None


def try_elsewhere(path: Path, probe: Path, original: Path) -> Trial | None:
    """Run an artifact on random inputs here and in the other runtime.

    Args:
        path: The artifact.
        probe: An .npz with one array an input, samples in front, named `x` or by input.
        original: The float .tflite that it stands for.

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
    if _ratio(here, there) >= NONSENSE_DB:
        return Trial(there.runtime, None)
    wanted = run_elsewhere(original, _inputs(Graph(original), probe), python=sys.executable)
    return Trial(there.runtime, _nonsense(wanted, here, there))


def _inputs(graph: Graph, probe: Path) -> dict[str, NDArray[Any]]:
    """Read the random inputs under the names that the artifact gives its inputs."""
    names = [graph.main.input_names.get(each.index, each.name) for each in graph.inputs]
    with np.load(probe, allow_pickle=False) as file:
        given = names if set(names) == set(file.files) else file.files
        return {name: file[other] for name, other in zip(names, given, strict=True)}


def _nonsense(wanted: Outcome, here: Outcome, there: Outcome) -> str | None:
    """Say what is wrong there, unless it is about as near to the float model as here is."""
    if _ratio(wanted, there) >= _ratio(wanted, here) - _WORSE_DB:
        return None
    return (
        f"It runs in {there.runtime} but computes something else than in {here.runtime} "
        f"({_ratio(here, there):.0f} dB on random input); do not use it there."
    )


def _ratio(wanted: Outcome, found: Outcome) -> float:
    """Return the signal to noise of the worst output in dB; outputs go by their order."""
    ratio = Sqnr()
    ratio.add(dict(zip(wanted.outputs, found.outputs.values(), strict=True)), wanted.outputs)
    worst = ratio.score().value
    return SQNR_LIMIT_DB if worst is None else worst

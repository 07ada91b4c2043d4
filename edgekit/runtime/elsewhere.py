"""Run a model in another Python, to see that it works in the target's own runtime.

`EDGEKIT_TFLITE_PYTHON` names the Python of an environment with tflite-runtime, numpy
below 2 and edgekit's own light dependencies. edgekit itself need not be installed there.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit import guard
from edgekit.errors import UsageError
from edgekit.runtime.backends import AUTO
from edgekit.runtime.opening import load

VARIABLE = "EDGEKIT_TFLITE_PYTHON"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model gave in another Python.

    Attributes:
        runtime: The interpreter package there and its version.
        outputs: Values of each output by name, as a call of the model returns them.
    """

    runtime: str
    outputs: dict[str, NDArray[Any]]


def other_python() -> str | None:
    """The Python that `EDGEKIT_TFLITE_PYTHON` names, or None if it is unset or empty.

    Raises:
        UsageError: It names something that is no program.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    if shutil.which(named) is None:
        msg = (
            f"{VARIABLE} names {named}, which is no program that can be started.\n"
            "Give the path of the environment's bin/python, or unset the variable."
        )
        raise UsageError(msg)
    return named


def run_elsewhere(
    path: Path,
    inputs: Mapping[str, ArrayLike],
    *,
    python: str,
    backend: str = AUTO,
    raw: bool = False,
    timeout_s: float = 300.0,
) -> Outcome:
    """Run a model in another Python, in a child process.

    Args:
        path: A `.tflite` file.
        inputs: Values by input name, one sample or (N, ...) as for a call of the model.
        python: The interpreter, e.g. from `other_python()`.
        backend: Name of the interpreter package there.
        raw: Give and take what the tensors hold instead of real values.
        timeout_s: Seconds after which it is ended.

    Raises:
        EdgekitError: As `edgekit.runtime.load` and a call of the model; a `TargetError`
            says that the runtime there does not know an operator.
    """
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        given, got = Path(folder, "inputs.npz"), Path(folder, "outputs.npz")
        np.savez(given, *(np.asarray(value) for value in inputs.values()))
        answer = guard.call(
            "edgekit.runtime.elsewhere:_worker",
            doing=f"running {path.name} with {python}",
            timeout_s=timeout_s,
            python=python,
            path=str(path.resolve()),
            inputs=str(given),
            names=list(inputs),
            outputs=str(got),
            backend=backend,
            raw=raw,
        )
        return Outcome(answer["runtime"], _read(got, answer["names"]))


def _worker(
    *, path: str, inputs: str, names: list[str], outputs: str, backend: str, raw: bool
) -> dict[str, Any]:
    """The child's half: run the model on one file of arrays and write another."""
    model = load(path, backend=backend, probe=False)
    arrays = _read(Path(inputs), names)
    found = model.raw(arrays) if raw else model(arrays)
    results = found if isinstance(found, dict) else {model.outputs[0].name: found}
    np.savez(outputs, *results.values())
    return {"runtime": model.runtime, "names": list(results)}


def _read(path: Path, names: list[str]) -> dict[str, NDArray[Any]]:
    """Read arrays in the order in which they were written: their names may be anything."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[f"arr_{i}"] for i, name in enumerate(names)}

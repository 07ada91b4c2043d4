"""Any model file as something to call: .tflite by the runtime, Keras by the sibling."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data import scores
from edgekit.data.scores import Spec
from edgekit.errors import InputError, UsageError
from edgekit.extras import need
from edgekit.runtime.any_model import AnyModel

Arrays = dict[str, NDArray[Any]]

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")


def open_model(
    path: str | Path,
    *,
    backend: str = "auto",
    threads: int | None = None,
    delegate: str | None = None,
) -> AnyModel:
    """Open a model file; call it inside a guarded child process only.

    Args:
        path: A .tflite, a Keras file, or the folder of a SavedModel.
        backend: Interpreter package, for a .tflite.
        threads: CPU threads, for a .tflite.
        delegate: Accelerator, for a .tflite.

    Raises:
        InputError: There is no such file, or it is no model.
        MissingExtra: It is a Keras file, and TensorFlow is not installed.
    """
    path = Path(path)
    if not path.exists():
        msg = f"There is no model {path}."
        raise InputError(msg)
    if is_keras(path):
        keras_model = need("edgekit_converters.keras_model", f"open {path.name}")
        opened: AnyModel = keras_model.open_model(path)
        return opened
    from edgekit.runtime import load

    return load(path, backend=backend, threads=threads, delegate=delegate, probe=False)


def is_keras(path: Path) -> bool:
    """Whether the sibling opens it: a Keras file, or a folder."""
    return path.suffix.lower() in KERAS_SUFFIXES or path.is_dir()


def forward(model: AnyModel, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    """Feed one sample and return all outputs by name.

    Args:
        model: The model.
        inputs: One array for each input by name, with or without the batch of 1.
    """
    fed = {spec.name: inputs[spec.name].reshape(spec.shape) for spec in model.inputs}
    given = model(fed if len(fed) > 1 else next(iter(fed.values())))
    if isinstance(given, dict):
        return {name: np.asarray(each) for name, each in given.items()}
    return {model.outputs[0].name: np.asarray(given)}


def sample_shapes(model: AnyModel) -> dict[str, tuple[int, ...]]:
    """Return the shape of one sample of each input: without the batch of 1, if there is one.

    A model of sounds may take `(samples,)`, without a batch.
    """
    return {
        spec.name: spec.shape[1:] if len(spec.shape) > 1 and spec.shape[0] == 1 else spec.shape
        for spec in model.inputs
    }


def class_output(model: AnyModel) -> str | None:
    """Return the name of the output that holds one score for each class, or None."""
    return scores.class_output(model.inputs, model.outputs, model.manifest)


def match(first: Sequence[Spec], second: Sequence[Spec], what: str) -> dict[str, str]:
    """Map the names of one model's inputs or outputs to the other's.

    Converters decorate names (`serving_default_image:0`) and reorder tensors, so they are
    matched by plain name, else by position if the shapes agree there, else by shapes that
    occur only once.

    Args:
        first: Specifications of one model.
        second: Specifications of the other.
        what: `inputs` or `outputs`, for the message.

    Raises:
        UsageError: The two do not fit together.
    """
    names = {plain(spec.name): spec for spec in second}
    if {plain(spec.name) for spec in first} == names.keys():
        pairs = [(spec, names[plain(spec.name)]) for spec in first]
        if all(_alike(one, other) for one, other in pairs):
            return {one.name: other.name for one, other in pairs}
    if len(first) == len(second):
        if all(map(_alike, first, second)):
            return {one.name: other.name for one, other in zip(first, second, strict=True)}
        shapes = {spec.shape: spec for spec in second}
        if len(shapes) == len(second) and {spec.shape for spec in first} == shapes.keys():
            return {spec.name: shapes[spec.shape].name for spec in first}
    mine, theirs = (", ".join(str(spec.shape) for spec in each) for each in (first, second))
    msg = f"The models cannot be compared: their {what} are {mine} and {theirs}."
    raise UsageError(msg)


def plain(name: str) -> str:
    """Return a tensor's name without what converters add.

    >>> plain("serving_default_image:0")
    'image'
    """
    return name.removeprefix("serving_default_").partition(":")[0]


def _alike(one: Spec, other: Spec) -> bool:
    return math.prod(one.shape) == math.prod(other.shape)

"""Interpreters of models that are made in memory: single operators, fed with real values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.profiling.inputs import random_values
from edgekit.runtime import problems
from edgekit.runtime.backends import Backend
from edgekit.runtime.delegates import interpreter_options

Array = NDArray[Any]
_NO_DELEGATE = "builtin"


class Single:
    """A model in memory that is ready to run.

    Args:
        content: The `.tflite`.
        backend: The interpreter package.
        threads: CPU threads.
        options: As `interpreter_options` gives them.
        values: What goes in, in the order of the inputs; random where it is None.

    Raises:
        OSError and others: One of `problems.NATIVE`: the runtime does not take it.
    """

    def __init__(
        self,
        content: bytes,
        *,
        backend: Backend,
        threads: int,
        options: Mapping[str, Any],
        values: Sequence[Array | None] = (),
    ) -> None:
        self._interpreter = backend.interpreter(
            model_content=content, num_threads=threads, **options
        )
        details = self._interpreter.get_input_details()
        given = [*values, *[None] * (len(details) - len(values))]
        for detail, value in zip(details, given, strict=False):
            if value is not None and tuple(detail["shape"]) != value.shape:
                self._interpreter.resize_tensor_input(detail["index"], value.shape)
        self._interpreter.allocate_tensors()
        self._fed = [
            (detail["index"], random_values(detail) if value is None else value)
            for detail, value in zip(self._interpreter.get_input_details(), given, strict=False)
        ]
        self.invoke = self._interpreter.invoke
        self.feed()
        self.invoke()

    def feed(self) -> None:
        """Write the inputs anew, as the operators before would have done."""
        for index, value in self._fed:
            self._interpreter.set_tensor(index, value)

    @property
    def delegated(self) -> bool | None:
        """Whether a delegate runs it; None where the package does not say."""
        details = getattr(self._interpreter, "_get_ops_details", None)
        if details is None:
            return None
        return any(each["op_name"] == "DELEGATE" for each in details())


def tensor_values(
    path: Path, backend: Backend, inputs: Sequence[Array], wanted: Sequence[int]
) -> dict[int, Array]:
    """Run a model once without delegates and return what tensors hold.

    Args:
        path: A `.tflite` file.
        backend: The interpreter package.
        inputs: What goes in, in the order of the inputs.
        wanted: Numbers of tensors; one that holds nothing afterwards is left out.
    """
    found: dict[int, Array] = {}
    try:
        interpreter = backend.interpreter(
            model_path=str(path),
            experimental_preserve_all_tensors=True,
            **interpreter_options(_NO_DELEGATE, backend),
        )
        for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.resize_tensor_input(detail["index"], value.shape)
        interpreter.allocate_tensors()
        for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
    except problems.NATIVE:  # e.g. an operator of a delegate; random values serve, too
        return {}
    for index in wanted:
        try:
            found[index] = np.array(interpreter.get_tensor(index))
        except problems.NATIVE:
            continue
    return found

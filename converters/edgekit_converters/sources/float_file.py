"""The float `.tflite` of a source, and the check that it computes the same."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import SourceError
from edgekit.files import atomic_write
from edgekit_converters.sources import saved_model
from edgekit_converters.sources.checking import compare, random_feeds
from edgekit_converters.sources.invoke import predict
from edgekit_converters.sources.libraries import failures, tensorflow
from edgekit_converters.sources.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCheck:
    """A source against the float `.tflite` that it gives.

    Attributes:
        max_relative_difference: See `checking.relative_difference`.
        samples: How many random samples were compared.
    """

    max_relative_difference: float
    samples: int


def write_float(source: Source, path: Path) -> None:
    """Write the float `.tflite` of a source whose batch is fixed.

    Raises:
        SourceError: The converter cannot express the model in built-in operations.
    """
    if source.kind == "tflite":
        atomic_write(path, source.path.read_bytes())
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content: bytes = converter(source).convert()
    except failures() as error:
        msg = (
            f"{source.path} cannot be written with the built-in operations of TFLite:\n"
            f"  {_reason(error)}\n"
            "Replace that layer, or cut it off and do its work outside the model."
        )
        raise SourceError(msg) from error
    atomic_write(path, content)


def converter(source: Source) -> Any:
    """Return the TFLiteConverter of a Keras, tf_keras or SavedModel source."""
    tf = tensorflow()
    if source.kind == "saved_model":
        function = saved_model.at_batch_1(source)
        return tf.lite.TFLiteConverter.from_concrete_functions([function], source.model)
    return tf.lite.TFLiteConverter.from_keras_model(source.model)


def check_import(source: Source, float_path: Path) -> ImportCheck:
    """Compare a source with the float `.tflite` made from it, on random input.

    Raises:
        SourceError: They differ by more than `checking.compare` allows.
    """
    feeds = random_feeds(source.inputs, normalizes_itself=source.normalizes_itself)
    if source.kind == "tflite":
        return ImportCheck(max_relative_difference=0.0, samples=0)
    runner = _Interpreter(float_path, source)
    worst, allowed = compare(lambda feed: _own(source, feed), runner, feeds)
    if worst > allowed:
        msg = (
            f"{source.path} and the float .tflite made from it differ by {worst:.2g} of the "
            f"largest output on random input; {allowed:.2g} is allowed.\n"
            "The converter does not understand this model; it was not quantized."
        )
        raise SourceError(msg)
    return ImportCheck(max_relative_difference=worst, samples=len(feeds))


def _own(source: Source, feed: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Return what the source itself computes."""
    if source.kind != "saved_model":
        return predict(source.model, feed)
    tf = tensorflow()
    serve = saved_model.at_batch_1(source)
    tensors = {s.name: tf.constant(x) for s, x in zip(source.inputs, feed, strict=True)}
    result = serve(**tensors)
    return [np.asarray(result[name]) for name in source.outputs]


class _Interpreter:
    """A float `.tflite` with its inputs and outputs in the order of the source."""

    def __init__(self, path: Path, source: Source) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._source = source
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._run = self._interpreter.get_signature_runner()

    def __call__(self, feed: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        named = {s.name: x for s, x in zip(self._source.inputs, feed, strict=True)}
        result = self._run(**named)
        return [np.array(result[name]) for name in self._order(list(result))]

    def _order(self, names: list[str]) -> list[str]:
        """Return the outputs' names in the signature in the order of the source.

        Keras 3 models number them (`output_0`), tf_keras names them by layer.
        """
        for known in (self._source.outputs, getattr(self._source.model, "output_names", ())):
            if set(names) == set(known):
                return list(known)
        return sorted(names, key=lambda name: (len(name), name))


def _reason(error: Exception) -> str:
    """Return the telling line of a converter's error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "op" in line.lower()]
    return (telling or lines or [type(error).__name__])[0][:400]

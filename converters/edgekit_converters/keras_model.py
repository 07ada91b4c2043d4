"""A Keras file with the face of `edgekit.runtime.Model`, for evaluate, compare and profile."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import UsageError
from edgekit.manifest import Manifest
from edgekit.measure import sha256
from edgekit.runtime import TensorSpec
from edgekit_converters.sources import InputSpec, Source, load_source
from edgekit_converters.sources import graph as layer_graph
from edgekit_converters.sources.invoke import structured
from edgekit_converters.sources.libraries import keras, tensorflow, tf_keras
from edgekit_converters.sources.saved_model import signature

BATCH = 32  # samples that are computed at once

Array = NDArray[Any]


class KerasModel:
    """A Keras file that is ready to run. Made by `open_model`.

    Attributes:
        path: The file.
        inputs: What goes in, with a batch of 1 in front.
        outputs: What comes out, likewise.
        normalizes_itself: Whether the graph scales its input itself, so that a picture
            goes in as 0..255.
        backend: The library that runs it, e.g. `keras 3.15.1`.
        delegate: Always `cpu`.
        threads: 0: TensorFlow takes what there is.
    """

    def __init__(self, source: Source) -> None:
        self.path = source.path
        self.inputs = tuple(_input(spec) for spec in source.inputs)
        self.normalizes_itself = source.normalizes_itself
        self.backend = _backend(source)
        self.delegate = "cpu"
        self.threads = 0
        self.runtime = self.backend
        self._source = source
        self._function = _function(source)
        self._batch = source.inputs[0].batch or BATCH

    def __repr__(self) -> str:
        return f"<KerasModel {self.path.name} on {self.backend}>"

    @property
    def manifest(self) -> Manifest | None:
        """What the file carries about itself, or None."""
        return self._source.manifest

    @functools.cached_property
    def sha256(self) -> str:
        """Digest of the file or folder."""
        return sha256(self.path)

    @functools.cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """What comes out, with a batch of 1 in front; found by computing zeros once."""
        zeros = [np.zeros(spec.shape, spec.dtype) for spec in self.inputs]
        return tuple(
            TensorSpec(name=name, shape=result.shape, dtype=result.dtype.name)
            for name, result in zip(self._source.outputs, self._compute(zeros), strict=True)
        )

    def __call__(self, x: ArrayLike | Mapping[str, ArrayLike]) -> Array | dict[str, Array]:
        """Run the model.

        Args:
            x: One sample of the input's shape, or (N, ...) for N samples; a dict by input
                name for a model with several inputs.

        Returns:
            The output's array, or a dict by name for several outputs. N samples give
            (N, ...).

        Raises:
            UsageError: Names or shapes do not fit the model.
        """
        results = self._compute(self._arrays(x))
        if len(results) == 1:
            return results[0]
        return dict(zip(self._source.outputs, results, strict=True))

    def _arrays(self, x: ArrayLike | Mapping[str, ArrayLike]) -> list[Array]:
        """Put what was given into the order of the inputs, and check it."""
        named = x if isinstance(x, Mapping) else {self.inputs[0].name: x}
        names = [spec.name for spec in self.inputs]
        if set(named) != set(names):
            msg = (
                f"{self.path.name} has the inputs {', '.join(names)}; "
                f"found {', '.join(map(str, named)) or 'none'}."
            )
            raise UsageError(msg)
        arrays = [np.asarray(named[spec.name], spec.dtype) for spec in self.inputs]
        for spec, array in zip(self.inputs, arrays, strict=True):
            if array.shape[1:] != spec.shape[1:] or array.ndim != len(spec.shape):
                msg = f"Input '{spec.name}' has the shape {spec.shape}; found {array.shape}."
                raise UsageError(msg)
        if len({len(array) for array in arrays}) > 1:
            msg = "Every input needs the same number of samples."
            raise UsageError(msg)
        return arrays

    def _compute(self, arrays: Sequence[Array]) -> list[Array]:
        """Run N samples in batches of one size, so that nothing is traced again.

        A single sample is not padded, where the model leaves the batch open.
        """
        count = len(arrays[0])
        is_open = self._source.inputs[0].batch is None
        size = 1 if count == 1 and is_open else self._batch
        parts = []
        for start in range(0, max(count, 1), size):
            chunk = [_padded(array[start : start + size], size) for array in arrays]
            parts.append([result.numpy() for result in self._function(*chunk)])
        return [np.concatenate(column)[:count] for column in zip(*parts, strict=True)]


def open_model(
    path: Path | str,
    *,
    import_modules: Sequence[Path | str] = (),
    trust: bool = False,
    input_shape: Sequence[int] | None = None,
) -> KerasModel:
    """Open a Keras file or SavedModel; call it inside a guarded child process only.

    Args:
        path: The file or folder.
        import_modules: See `load_source`.
        trust: See `load_source`.
        input_shape: See `load_source`.

    Raises:
        SourceError: It cannot be imported.
    """
    source = load_source(
        path, import_modules=import_modules, trust=trust, input_shape=input_shape
    )
    if source.kind == "tflite":
        msg = f"{path} is a .tflite; open it with edgekit.load."
        raise UsageError(msg)
    return KerasModel(source)


def _input(spec: InputSpec) -> TensorSpec:
    return TensorSpec(
        name=spec.name, shape=(1, *(size or 1 for size in spec.shape)), dtype=spec.dtype
    )


def _backend(source: Source) -> str:
    if source.kind == "saved_model":
        return f"tensorflow {tensorflow().__version__}"
    library = keras() if source.kind == "keras" else tf_keras()
    return f"{source.kind} {library.__version__}"


def _function(source: Source) -> Any:
    """Return a traced function: one array an input in, a list of tensors out."""
    tf = tensorflow()
    if source.kind == "saved_model":
        serve = signature(source.model, source.path)

        def run(*feed: Any) -> Any:
            named = {spec.name: x for spec, x in zip(source.inputs, feed, strict=True)}
            result = serve(**named)
            return [result[name] for name in source.outputs]
    else:

        def run(*feed: Any) -> Any:
            result = source.model(structured(source.model, list(feed)), training=False)
            return layer_graph.flat(result)

    specs = [tf.TensorSpec((spec.batch, *spec.shape), spec.dtype) for spec in source.inputs]
    return tf.function(run, input_signature=specs)


def _padded(array: Array, size: int) -> Array:
    """Repeat the last sample until there are `size`."""
    missing = size - len(array)
    if missing <= 0:
        return array
    filler = array[-1:] if len(array) else np.zeros((1, *array.shape[1:]), array.dtype)
    return np.concatenate([array, *[filler] * missing])

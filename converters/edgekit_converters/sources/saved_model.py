"""A SavedModel that is no Keras model: run and converted through its serving signature."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekit.errors import SourceError
from edgekit_converters.sources.libraries import tensorflow
from edgekit_converters.sources.shapes import fixed
from edgekit_converters.sources.source import InputSpec, Source

SERVING = "serving_default"


def open_folder(path: Path) -> Any:
    """Load a SavedModel with TensorFlow alone."""
    return tensorflow().saved_model.load(str(path))


def describe(
    model: Any, path: Path, input_shape: Sequence[int] | None, attempts: tuple[str, ...]
) -> Source:
    """Describe a SavedModel by its serving signature.

    Raises:
        SourceError: It has no such signature, or leaves its shape open.
    """
    function = signature(model, path)
    specs = tuple(
        _spec(name, spec, input_shape, path)
        for name, spec in sorted(function.structured_input_signature[1].items())
    )
    note = (
        "This SavedModel is no Keras model: it is quantized by the second engine, without "
        "edgekit's own equalisation, bias correction and pruning."
    )
    return Source(
        kind="saved_model",
        model=model,
        path=path,
        loaded_by="saved_model",
        inputs=specs,
        outputs=tuple(sorted(function.structured_outputs)),
        notes=(note,),
        attempts=attempts,
    )


def signature(model: Any, path: Path) -> Any:
    """Return the function that serves a SavedModel.

    Raises:
        SourceError: It has none.
    """
    names = sorted(getattr(model, "signatures", {}))
    if SERVING not in names:
        msg = (
            f"{path} has no signature '{SERVING}'; found: {', '.join(names) or 'none'}.\n"
            "Export it with one: tf.saved_model.save(model, folder, signatures=...)."
        )
        raise SourceError(msg)
    return model.signatures[SERVING]


def at_batch_1(source: Source) -> Any:
    """Return a concrete function of a SavedModel source for single samples."""
    tf = tensorflow()
    serve = signature(source.model, source.path)
    specs = {
        spec.name: tf.TensorSpec((1, *spec.shape), spec.dtype, name=spec.name)
        for spec in source.inputs
    }

    def call(**feed: Any) -> Any:
        return serve(**feed)

    return tf.function(call).get_concrete_function(**specs)


def _spec(name: str, spec: Any, input_shape: Sequence[int] | None, path: Path) -> InputSpec:
    if spec.shape.rank is None:
        shape: tuple[int | None, ...] = (None, *(input_shape or (None,)))
    else:
        shape = tuple(spec.shape)
    batch, *sample = fixed(shape, input_shape, name, path)
    return InputSpec(name=name, shape=tuple(sample), dtype=spec.dtype.name, batch=batch)

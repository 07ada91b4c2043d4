"""Fix the batch of a source to 1, as every target runs it."""

import dataclasses
from typing import Any

from edgekit_converters.sources import shapes
from edgekit_converters.sources.libraries import keras, tf_keras
from edgekit_converters.sources.source import Source


def fix_batch(source: Source) -> Source:
    """Return a source whose model takes exactly one sample.

    From a model of open batch the converter keeps SHAPE, STRIDED_SLICE and PACK in the
    graph. The model is built again on inputs of batch 1: the same layers and weights, the
    same names of inputs, models inside it dissolved into one flat graph. A Keras model
    that has batch 1 and other kinds of source are returned as they are.
    """
    if source.kind not in {"keras", "tf_keras"} or _has_batch_1(source):
        return source
    library = keras() if source.kind == "keras" else tf_keras()
    inputs = [
        library.Input(batch_shape=(1, *spec.shape), dtype=spec.dtype, name=spec.name)
        for spec in source.inputs
    ]
    return dataclasses.replace(
        source,
        model=_rebatched(source, library, inputs),
        inputs=tuple(dataclasses.replace(spec, batch=1) for spec in source.inputs),
        notes=source.notes + _notes(source),
    )


def _has_batch_1(source: Source) -> bool:
    return all(spec.batch == 1 for spec in source.inputs)


def _rebatched(source: Source, library: Any, inputs: list[Any]) -> Any:
    return shapes.again(source.model, library, inputs)


def _notes(source: Source) -> tuple[str, ...]:
    sizes = sorted({spec.batch for spec in source.inputs if spec.batch not in {None, 1}})
    return tuple(
        f"The model was made for batches of {size}; it was set to 1." for size in sizes
    )

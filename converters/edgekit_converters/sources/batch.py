"""Fix the batch of a source to 1, as every target runs it."""

import dataclasses

from edgekit_converters.sources import shapes
from edgekit_converters.sources.libraries import keras, tf_keras
from edgekit_converters.sources.source import Source


def fix_batch(source: Source) -> Source:
    """Return a source whose model takes exactly one sample.

    From a model of open batch the converter keeps SHAPE, STRIDED_SLICE and PACK in the
    graph. The model is built again on inputs of batch 1: the same layers and weights, the
    same names of inputs, models inside it dissolved into one flat graph. Inputs become a
    list, because the converter knows no tables of them; several outputs of Keras 3 become
    a table, because the converter numbers the outputs of a list and drops their names.
    A model that is so already, and other kinds of source, are returned as they are.
    """
    if source.kind not in {"keras", "tf_keras"} or _is_fixed(source):
        return source
    library = keras() if source.kind == "keras" else tf_keras()
    inputs = [
        library.Input(batch_shape=(1, *spec.shape), dtype=spec.dtype, name=spec.name)
        for spec in source.inputs
    ]
    model = shapes.again(source.model, library, inputs)
    outputs = source.outputs
    if source.kind == "keras" and len(outputs) > 1:
        named = dict(zip(outputs, model.outputs, strict=True))
        model = library.Model(model.inputs, named, name=model.name)
        outputs = tuple(sorted(outputs))
    return dataclasses.replace(
        source,
        model=model,
        inputs=tuple(dataclasses.replace(spec, batch=1) for spec in source.inputs),
        outputs=outputs,
        notes=source.notes + _notes(source),
    )


def _is_fixed(source: Source) -> bool:
    takes, gives = (getattr(source.model, each, None) for each in ("input", "output"))
    named = len(source.outputs) == 1 or isinstance(gives, dict) or source.kind == "tf_keras"
    one = all(spec.batch == 1 for spec in source.inputs)
    return one and named and not isinstance(takes, dict)


def _notes(source: Source) -> tuple[str, ...]:
    sizes = sorted({spec.batch for spec in source.inputs if spec.batch not in {None, 1}})
    return tuple(
        f"The model was made for batches of {size}; it was set to 1." for size in sizes
    )

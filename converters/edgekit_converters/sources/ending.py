"""A model that ends earlier than it was written to, such as a detector before its decoding."""

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import SourceError
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.tables import Table, pack, text
from edgekit_converters.sources import graph
from edgekit_converters.sources.describe import output_names
from edgekit_converters.sources.libraries import keras, tf_keras
from edgekit_converters.sources.source import Source


def ending_at(source: Source, names: Sequence[str], folder: Path) -> Source:
    """Return a source whose outputs are what certain layers compute.

    Args:
        source: The model as it was imported.
        names: Layers of a Keras model, or tensors of a .tflite, in the order of the outputs.
        folder: Working folder; a cut .tflite is written there.

    Raises:
        SourceError: There is no such layer or tensor, or a SavedModel is to be cut.
    """
    if source.kind == "tflite":
        return _cut_file(source, names, folder / f"ending-{source.path.name}")
    if source.kind == "saved_model" or not graph.is_graph(source.model):
        msg = (
            f"{source.path.name} has no layers to end at: it is "
            f"{'a SavedModel' if source.kind == 'saved_model' else 'no graph of layers'}.\n"
            "Give the Functional Keras model, or a float .tflite of it."
        )
        raise SourceError(msg)
    layers = {each.name: each for each in source.model.layers}
    _need(source, names, layers, "layer")
    library = keras() if source.kind == "keras" else tf_keras()
    outputs = [layers[name].output for name in names]
    model = library.Model(source.model.inputs, outputs, name=source.model.name)
    return dataclasses.replace(source, model=model, outputs=output_names(model), manifest=None)


def _cut_file(source: Source, names: Sequence[str], path: Path) -> Source:
    file = Graph(source.path).file
    main = file.model.subgraphs[0]
    numbers = {text(each.name): number for number, each in enumerate(main.tensors)}
    _need(source, names, numbers, "tensor")
    ends = [numbers[name] for name in names]
    main.outputs = np.array(ends, np.int32)
    main.operators = _needed(main.operators, ends)
    file.model.signature_defs = None
    file.model.metadata = None
    atomic_write(path, pack(file.model))
    return dataclasses.replace(source, model=path, outputs=tuple(names), manifest=None)


def _needed(operators: Sequence[Table], ends: Iterable[int]) -> list[Table]:
    """Return the operators that certain tensors depend on."""
    wanted, kept = set(ends), []
    for op in reversed(operators):
        if wanted & {int(i) for i in op.outputs}:
            wanted |= {int(i) for i in op.inputs}
            kept.append(op)
    return kept[::-1]


def _need(source: Source, names: Sequence[str], known: dict[str, Any], kind: str) -> None:
    """Refuse names that the model does not have."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            shown = ", ".join(near) if near else ", ".join(list(known)[-3:])
            msg = (
                f"{source.path.name} has no {kind} '{name}' to end at.\n"
                f"{'Near it' if near else 'Its last ones'}: {shown}."
            )
            raise SourceError(msg)

"""A float `.tflite` as a source."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from edgekit.errors import SourceError
from edgekit_converters.sources.describe import unique
from edgekit_converters.sources.sniff import Sniffed
from edgekit_converters.sources.source import InputSpec, Source

_QUANTIZED = {"int8", "uint8", "int16", "int4"}


def load(sniffed: Sniffed, input_shape: Sequence[int] | None) -> Source:
    """Describe a float `.tflite`.

    Raises:
        SourceError: It is damaged, or quantized already, or leaves its shape open.
    """
    from edgekit.artifact import read_manifest
    from edgekit.flatbuffer.graph import Graph

    graph = Graph(sniffed.path)
    main = graph.subgraphs[0]
    _refuse_quantized(sniffed, main)
    return Source(
        kind="tflite",
        model=sniffed.path,
        path=sniffed.path,
        loaded_by="tflite",
        inputs=tuple(_specs(main, sniffed, input_shape)),
        outputs=unique([main.output_names.get(i, main.tensors[i].name) for i in main.outputs]),
        manifest=read_manifest(sniffed.path),
        normalizes_itself=_normalizes_itself(main),
    )


def _refuse_quantized(sniffed: Sniffed, main: Any) -> None:
    for tensor in main.tensors:
        if tensor.dtype in _QUANTIZED and len(tensor.scale):
            msg = (
                f"{sniffed.path} is quantized already: its tensor '{tensor.name}' is "
                f"{tensor.dtype}.\nGive the float model that it was made from."
            )
            raise SourceError(msg)
        if tensor.dtype == "float16":
            msg = (
                f"{sniffed.path} has float16 weights, which have lost precision already.\n"
                "Give the float32 model that it was made from."
            )
            raise SourceError(msg)


def _specs(
    main: Any, sniffed: Sniffed, input_shape: Sequence[int] | None
) -> Iterator[InputSpec]:
    """Describe the inputs, under the names of the signature where there is one.

    Raises:
        SourceError: One leaves its shape open.
    """
    names = unique([main.input_names.get(i, main.tensors[i].name) for i in main.inputs])
    for name, index in zip(names, main.inputs, strict=True):
        tensor = main.tensors[index]
        sizes = tensor.shape_signature or tensor.shape
        batch, *sample = (None if size < 0 else int(size) for size in sizes) if sizes else (1,)
        if None in sample or (input_shape and list(input_shape) != sample):
            shown = ", ".join("?" if size is None else str(size) for size in sample)
            msg = (
                f"The input '{name}' of {sniffed.path} has the shape ({shown}), and the shapes "
                "of a .tflite cannot be changed here.\n"
                "Give the Keras model that it was made from, with --input-shape."
            )
            raise SourceError(msg)
        yield InputSpec(name=name, shape=tuple(sample), dtype=tensor.dtype, batch=batch)


def _normalizes_itself(main: Any) -> bool:
    """Whether arithmetic with a single constant stands between the input and any weights."""
    raw = set(main.inputs)
    for op in main.ops:
        reached = [index for index in op.inputs if index in raw]
        if not reached:
            continue
        constants = [
            main.tensors[i] for i in op.inputs if i >= 0 and main.tensors[i].is_constant
        ]
        scales = op.op in {"ADD", "DIV", "MUL", "SUB"} and len(reached) == 1
        if scales and any(np.prod(each.shape or (1,)) <= 4 for each in constants):
            return True
        if not constants or op.op in {"RESHAPE", "QUANTIZE", "PAD", "TRANSPOSE"}:
            raw |= set(op.outputs)
    return False

"""A float `.tflite` as a source."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.errors import SourceError
from edgekit_converters.sources.describe import unique
from edgekit_converters.sources.shapes import fixed
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
    names = unique([main.tensors[index].name for index in main.inputs])
    return Source(
        kind="tflite",
        model=sniffed.path,
        path=sniffed.path,
        loaded_by="tflite",
        inputs=tuple(
            _spec(name, main.tensors[index], input_shape, sniffed)
            for name, index in zip(names, main.inputs, strict=True)
        ),
        outputs=unique([main.tensors[index].name for index in main.outputs]),
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


def _spec(
    name: str, tensor: Any, input_shape: Sequence[int] | None, sniffed: Sniffed
) -> InputSpec:
    shape = tuple(None if size < 0 else int(size) for size in tensor.shape)
    batch, *sample = fixed(shape, input_shape, name, sniffed.path) if shape else (None,)
    return InputSpec(name=name, shape=tuple(sample), dtype=tensor.dtype, batch=batch)


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

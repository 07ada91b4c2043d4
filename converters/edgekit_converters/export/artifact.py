"""Make the artifact of one target from a converted model."""

import gzip

from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.io_types import IoType, with_io
from edgekit.flatbuffer.names import with_short_names
from edgekit.manifest import Manifest, Output, Preprocessing

_ROLES = {"SOFTMAX": "probabilities", "LOGISTIC": "probabilities"}
_PASSING = {"DEQUANTIZE", "QUANTIZE", "RESHAPE", "SQUEEZE"}


def finish(
    converted: bytes,
    io: IoType,
    preprocessing: Preprocessing | None,
    *,
    outputs: IoType | None = None,
) -> bytes:
    """Give a converted model, whose inputs and outputs are float32, the form of a target.

    Args:
        converted: The model.
        io: Type of its inputs and outputs.
        preprocessing: How pictures are prepared; a uint8 input takes their raw pixels.
        outputs: Type of the outputs, where it is another one.

    Raises:
        InputError: The model's inputs or outputs cannot have that type.
    """
    if io != "float32":
        pixels = preprocessing if io == "uint8" else None
        converted = with_io(converted, io, outputs=outputs, pixels=pixels)
    return with_short_names(converted)


def roles(graph: Graph, source: Manifest | None) -> tuple[Output, ...]:
    """Say what each output means: as the source says, else by the op that makes it.

    Args:
        graph: The artifact.
        source: What the source says about itself.
    """
    known = {each.name: each for each in source.outputs} if source else {}
    makers = {index: op for op in graph.ops for index in op.outputs}
    found = []
    for index in graph.main.outputs:
        name = graph.main.output_names.get(index, graph.main.tensors[index].name)
        maker = makers.get(index)
        while maker is not None and maker.op in _PASSING:
            maker = makers.get(maker.inputs[0])
        role = _ROLES.get(maker.op, "values") if maker else "values"
        found.append(known.get(name, Output(name=name, role=role)))
    return tuple(found)


def gzip_bytes(content: bytes) -> int:
    """Size of a file as a download, compressed as gzip -9 does."""
    return len(gzip.compress(content, compresslevel=9, mtime=0))

"""Short names for tensors.

The converter names a fused op after everything that was fused into it, which in a small
model is a tenth of the file.
"""

from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.metadata import associated_files, pack_file
from edgekit.flatbuffer.tables import read_model, text


def with_short_names(model: bytes) -> bytes:
    """Give each tensor the first of its names; inputs and outputs keep theirs whole.

    `model/act/Relu;model/conv/BiasAdd;...` becomes `model/act/Relu`, with a number behind
    where another tensor has that name. Metadata are kept.

    Args:
        model: A .tflite file.

    Raises:
        InputError: It is no .tflite file, or is damaged.
    """
    graph = Graph(read_model(model))
    file = graph.file
    for subgraph, view in zip(file.model.subgraphs, graph.subgraphs, strict=True):
        tensors = subgraph.tensors or []
        border = {*view.inputs, *view.outputs}
        taken = {text(tensors[index].name) for index in border}
        for index, tensor in enumerate(tensors):
            if index not in border:
                tensor.name = _unused(text(tensor.name).partition(";")[0], taken)
                taken.add(tensor.name)
    return pack_file(file.model, associated_files(file))


def _unused(name: str, taken: set[str]) -> str:
    """Return the name, with the lowest number behind it that makes it unused."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found

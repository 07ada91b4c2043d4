"""Cut one operator out of a model, as a model of its own."""

from copy import copy
from typing import Any

import numpy as np

from edgekit.flatbuffer.tables import Table, pack


def cut(model: Table, op: Table, subgraph: int = 0) -> bytes:
    """Return a model that holds one operator and the constants that it reads.

    Its inputs are the operator's inputs that are no constants, each once, in their order;
    its outputs are the operator's outputs.

    Args:
        model: The tree of the whole model; it is left as it is.
        op: One of its operators.
        subgraph: Number of the subgraph that the operator is in.
    """
    tensors: list[Table] = model.subgraphs[subgraph].tensors
    parts = (op.inputs, op.outputs, () if op.intermediates is None else op.intermediates)
    used = list(dict.fromkeys(int(i) for part in parts for i in part if i >= 0))
    place = {index: number for number, index in enumerate(used)}
    buffers, kept = [Table("Buffer")], []
    for index in used:
        tensor = copy(tensors[index])
        data = model.buffers[tensor.buffer].data
        has_data = data is not None and len(data) > 0
        tensor.buffer = len(buffers) if has_data else 0
        if has_data:
            buffers.append(model.buffers[tensors[index].buffer])
        kept.append(tensor)
    alone = copy(op)
    alone.opcode_index = 0
    alone.inputs = _renumbered(op.inputs, place)
    alone.outputs = _renumbered(op.outputs, place)
    if op.intermediates is not None:
        alone.intermediates = _renumbered(op.intermediates, place)
    given = [int(i) for i in op.inputs if i >= 0 and _flows(kept[place[int(i)]])]
    graph = Table(
        "SubGraph",
        tensors=kept,
        operators=[alone],
        inputs=np.array([place[i] for i in dict.fromkeys(given)], np.int32),
        outputs=alone.outputs,
    )
    return pack(
        Table(
            "Model",
            version=model.version,
            operator_codes=[model.operator_codes[op.opcode_index]],
            subgraphs=[graph],
            buffers=buffers,
        )
    )


def _flows(tensor: Table) -> bool:
    """Whether a tensor's values come from outside: it is no constant and no state."""
    return tensor.buffer == 0 and not tensor.is_variable


def _renumbered(indices: Any, place: dict[int, int]) -> Any:
    """Number tensors as they stand in the cut; -1 is an optional input that is absent."""
    return np.array([place.get(int(i), -1) for i in indices], np.int32)

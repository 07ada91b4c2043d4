"""Give the fused int8 LSTM one scale for its hidden state.

UNIDIRECTIONAL_SEQUENCE_LSTM quantizes what a step gives with the parameters of its hidden
intermediate, keeps the integers as its state, and hands the same integers out. So the
intermediate, the state and the output must have the same scale and zero point. The
converter breaks that where the output flows into an op that wants one scale for all its
inputs, like the CONCATENATION of a bidirectional LSTM: it gives the output the scale of the
concatenation and leaves the other two alone. The integers are then read with a wrong scale
and zero point; a bidirectional LSTM loses some 20 dB by it.

Here state and output get the parameters of the intermediate, which hold the range of all
steps, and a QUANTIZE behind the op brings the values to the scale that its readers expect.
"""

import numpy as np

from edgekit.flatbuffer import Table, pack, read_model
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import text
from edgekit_converters.quantize.op_versions import op_name

_HIDDEN = 4  # place of the hidden value among the intermediates
_STATE = 18  # place of the output state among the inputs


def align(content: bytes) -> bytes:
    """Return a model whose LSTMs have one scale for output, state and intermediate."""
    model = read_model(content).model
    made = [_aligned(model, graph) for graph in model.subgraphs]
    return pack(model) if any(made) else content


def _aligned(model: Table, graph: Table) -> bool:
    operators: list[Table] = []
    for op in graph.operators:
        operators.append(op)
        if op_name(model, op) == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            operators += _mend(model, graph, op)
    changed = len(operators) > len(graph.operators)
    graph.operators = operators
    return changed


def _mend(model: Table, graph: Table, op: Table) -> list[Table]:
    """Mend one LSTM; return the QUANTIZE behind it, if one is needed."""
    if op.intermediates is None or len(op.intermediates) <= _HIDDEN:
        return []
    hidden, state, output = (
        graph.tensors[int(i)]
        for i in (op.intermediates[_HIDDEN], op.inputs[_STATE], op.outputs[0])
    )
    wanted = _params(hidden)
    if wanted is None or wanted == _params(state) == _params(output):
        return []
    state.quantization = hidden.quantization
    inner = Table(
        "Tensor",
        shape=output.shape,
        type=output.type,
        buffer=0,
        name=f"{text(output.name)}_hidden",
        quantization=hidden.quantization,
        has_rank=output.has_rank,
    )
    graph.tensors.append(inner)
    place = len(graph.tensors) - 1
    behind = Table(
        "Operator",
        opcode_index=_quantize_code(model),
        inputs=np.array([place], np.int32),
        outputs=np.array(op.outputs, np.int32),
        builtin_options=Table("QuantizeOptions"),
    )
    op.outputs = np.array([place], np.int32)
    return [behind]


def _params(tensor: Table) -> tuple[float, int] | None:
    found = tensor.quantization
    if found is None or found.scale is None or len(found.scale) != 1:
        return None
    return float(found.scale[0]), int(found.zero_point[0])


def _quantize_code(model: Table) -> int:
    number = enum_values("BuiltinOperator")["QUANTIZE"]
    for index, code in enumerate(model.operator_codes):
        if code.builtin_code == number:
            return index
    model.operator_codes.append(
        Table("OperatorCode", builtin_code=number, deprecated_builtin_code=number, version=1)
    )
    return len(model.operator_codes) - 1

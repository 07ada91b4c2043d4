"""Give the fused int8 LSTM one scale for its hidden state, and its readers theirs.

UNIDIRECTIONAL_SEQUENCE_LSTM quantizes what a step gives with the parameters of its hidden
intermediate, keeps the integers as its state, and hands the same integers out. So the
intermediate, the state and the output must have the same scale and zero point, and so must
both sides of an op that only moves values, like REVERSE_V2. The converter breaks both rules
where outputs of two LSTMs meet in an op that wants one scale for all its inputs, as in the
CONCATENATION of a bidirectional LSTM: some tensors on the way get the scale of the
concatenation, others keep theirs, and integers are read with a wrong scale and zero point.
A bidirectional LSTM loses some 25 dB by it.

1. State and output of an LSTM get the parameters of the intermediate, which hold the range of
   all steps; a QUANTIZE behind it brings the values to the scale that its readers expect.
2. An op that moves values gets a QUANTIZE in front of each input whose scale is not that of
   the result.
3. The cell state gets a scale of at least 2^-15. The kernel computes its tanh for 0 to 6
   integer bits and does nothing at all below; a cell that stays small in calibration, as
   behind an Embedding of small numbers, has a smaller scale, and the output is constant.
"""

import numpy as np

from edgekit.flatbuffer import Table, pack, read_model
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import text
from edgekit_converters.quantize.op_versions import op_name

_LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
_MOVING = {"CONCATENATION", "RESHAPE", "REVERSE_V2", "SLICE", "STRIDED_SLICE", "TRANSPOSE"}
_HIDDEN = 4  # place of the hidden value among the intermediates
_STATE, _CELL = 18, 19  # places of the output state and the cell state among the inputs
_LEAST_CELL_SCALE = 2.0**-15


def align(content: bytes) -> bytes:
    """Return a model whose LSTMs have one scale for output, state and intermediate."""
    model = read_model(content).model
    made = [_aligned(model, graph) for graph in model.subgraphs]
    return pack(model) if any(made) else content


def _aligned(model: Table, graph: Table) -> bool:
    if all(op_name(model, op) != _LSTM for op in graph.operators):
        return False
    operators: list[Table] = []
    mended = False
    for op in graph.operators:
        if op_name(model, op) in _MOVING:
            operators += _in_front(model, graph, op)
        operators.append(op)
        if op_name(model, op) == _LSTM:
            operators += _behind(model, graph, op)
            mended |= _enlarge_cell(graph, op)
    changed = mended or len(operators) > len(graph.operators)
    graph.operators = operators
    return changed


def _behind(model: Table, graph: Table, op: Table) -> list[Table]:
    """Rule 1: mend an LSTM; return the QUANTIZE behind it, if one is needed."""
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
    result = int(op.outputs[0])
    inner = _twin(graph, result, like=hidden)
    op.outputs = np.array([inner], np.int32)
    return [_quantize(model, inner, result)]


def _enlarge_cell(graph: Table, op: Table) -> bool:
    """Rule 3; say whether anything changed."""
    cell = graph.tensors[int(op.inputs[_CELL])]
    found = _params(cell)
    if found is None or found[0] >= _LEAST_CELL_SCALE:
        return False
    cell.quantization.scale = np.array([_LEAST_CELL_SCALE], np.float32)
    return True


def _in_front(model: Table, graph: Table, op: Table) -> list[Table]:
    """Rule 2: mend an op that moves values; return the QUANTIZEs in front of it."""
    result = graph.tensors[int(op.outputs[0])]
    wanted = _params(result)
    made = []
    inputs = [int(index) for index in op.inputs]
    for place, index in enumerate(inputs):
        tensor = graph.tensors[index]
        if wanted and tensor.type == result.type and _params(tensor) not in {None, wanted}:
            inputs[place] = _twin(graph, index, like=result)
            made.append(_quantize(model, index, inputs[place]))
    op.inputs = np.array(inputs, np.int32)
    return made


def _twin(graph: Table, index: int, *, like: Table) -> int:
    """Add a tensor of the shape of one and the scale of another."""
    tensor = graph.tensors[index]
    graph.tensors.append(
        Table(
            "Tensor",
            shape=tensor.shape,
            type=tensor.type,
            buffer=0,
            name=f"{text(tensor.name)}_rescaled",
            quantization=like.quantization,
            has_rank=tensor.has_rank,
        )
    )
    return len(graph.tensors) - 1


def _quantize(model: Table, source: int, result: int) -> Table:
    return Table(
        "Operator",
        opcode_index=_quantize_code(model),
        inputs=np.array([source], np.int32),
        outputs=np.array([result], np.int32),
        builtin_options=Table("QuantizeOptions"),
    )


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

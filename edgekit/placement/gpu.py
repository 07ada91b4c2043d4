"""What the TensorFlow Lite GPU delegate takes: a careful reading of its published list.

Source: https://www.tensorflow.org/lite/performance/gpu_advanced (supported operations).
Later versions take more, so what is not listed is `uncertain`, not `cpu`.
"""

from edgekit.flatbuffer import Graph, OpView

Verdict = tuple[str, str]

# Operator -> highest version that the page names.
SUPPORTED = {
    "ADD": 1,
    "AVERAGE_POOL_2D": 1,
    "CONCATENATION": 1,
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 2,
    "EXP": 1,
    "FULLY_CONNECTED": 1,
    "LOGISTIC": 1,
    "LSTM": 2,
    "MAXIMUM": 1,
    "MAX_POOL_2D": 1,
    "MINIMUM": 1,
    "MUL": 1,
    "PAD": 1,
    "PRELU": 1,
    "RELU": 1,
    "RELU6": 1,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 3,
    "SOFTMAX": 1,
    "STRIDED_SLICE": 1,
    "SUB": 1,
    "TRANSPOSE_CONV": 1,
}
_FLOATS = {"float32", "float16"}


def predict(graph: Graph) -> list[Verdict]:
    """Predict where each operator of the main subgraph runs, in the order of the file."""
    return [_judge(graph, op) for op in graph.ops]


def _judge(graph: Graph, op: OpView) -> Verdict:
    tensors = graph.subgraphs[op.subgraph].tensors
    if op.op == "CUSTOM":
        return "cpu", "the GPU has no custom operators"
    if _unpacks_a_constant(graph, op):
        return "gpu", "float16 weights are read as they are"
    values = [tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
    computed = [tensor for tensor in values if not tensor.is_constant]
    if wrong := [tensor for tensor in computed if tensor.dtype not in _FLOATS]:
        place = "uncertain" if wrong[0].dtype in {"int8", "uint8"} else "cpu"
        return place, f"{wrong[0].dtype} tensor '{wrong[0].name}'; the GPU computes in floats"
    if op.version > SUPPORTED.get(op.op, 0):
        return "uncertain", f"{op.op} version {op.version} is not on the delegate's list"
    if any(tensor.shape[:1] not in {(), (1,)} and len(tensor.shape) > 3 for tensor in computed):
        return "uncertain", "a batch above 1"
    return "gpu", "supported"


def _unpacks_a_constant(graph: Graph, op: OpView) -> bool:
    """Whether it is the DEQUANTIZE behind float16 weights, which the delegate folds away."""
    tensors = graph.subgraphs[op.subgraph].tensors
    first = tensors[op.inputs[0]] if op.inputs and op.inputs[0] >= 0 else None
    return op.op == "DEQUANTIZE" and bool(first and first.is_constant)

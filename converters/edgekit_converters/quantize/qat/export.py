"""From a trained model to a file: the converter takes the ranges from the fake quantization."""

import warnings
from typing import Any

from edgekit.errors import SourceError
from edgekit.flatbuffer.graph import Graph
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.quantize.qat.fake import FakeQuant, FakeWeights, exact


def convert_trained(model: Any, *, per_tensor: bool = False) -> tuple[bytes, str]:
    """Convert a model with fake quantization, of batch 1, to int8.

    Args:
        model: `Trained.model` on inputs of batch 1.
        per_tensor: As it was trained.

    Returns:
        A .tflite model with float32 inputs and outputs, empty if there is none, and why it
        is not to be used: empty where everything in it is an integer.
    """
    rounding = [each for each in model.layers if isinstance(each, FakeQuant | FakeWeights)]
    with exact(rounding), warnings.catch_warnings():
        # Ranges of the inputs are in the graph, where the converter does not expect them.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        try:
            content = convert_keras(model, "int8", None, per_tensor=per_tensor)
        except SourceError as error:
            return b"", str(error).splitlines()[0]
    graph = Graph(content)
    if graph.fully_integer:
        return content, ""
    ops = sorted({str(each.op) for each in graph.float_islands})
    return content, f"{', '.join(ops)} would stay in float"

"""A small net as two .tflite files, float and int8, made without TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.flatbuffer import Table, pack, read_model
from edgekit.flatbuffer.schema import enum_values
from edgekit_converters.quantize.chain.pair import Pair
from edgekit_converters.quantize.float_graph import interpreter

Array = NDArray[Any]

_OPTIONS = {
    "ADD": "AddOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "RESHAPE": "ReshapeOptions",
    "SOFTMAX": "SoftmaxOptions",
}
_SAME_SCALE = {"MAX_POOL_2D", "RESHAPE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operator.

    Attributes:
        op: Its name, e.g. `CONV_2D`.
        inputs: Names of nodes that it reads; `x` is the input of the model.
        weights: In the form of the file, or None.
        bias: One value an output channel.
        options: Fields of its options; enums by number.
    """

    op: str
    inputs: Sequence[str] = ("x",)
    weights: Array | None = None
    bias: Array | None = None
    options: dict[str, Any] = field(default_factory=dict)


Net = dict[str, Node]  # by name, in order; the last one is the output


def conv(weights: Array, bias: Array, read: str = "x", **options: int) -> Node:
    """Return a convolution of stride 1 with SAME padding, unless options say otherwise."""
    given = {"padding": 0, "stride_h": 1, "stride_w": 1} | options
    return Node(op="CONV_2D", inputs=(read,), weights=weights, bias=bias, options=given)


def depthwise(weights: Array, bias: Array, read: str = "x", **options: int) -> Node:
    """Return a depthwise convolution of stride 1 with SAME padding."""
    given = {"padding": 0, "stride_h": 1, "stride_w": 1, "depth_multiplier": 1} | options
    return Node(
        op="DEPTHWISE_CONV_2D", inputs=(read,), weights=weights, bias=bias, options=given
    )


def dense(weights: Array, bias: Array, read: str = "x") -> Node:
    """Return a fully connected layer."""
    return Node(op="FULLY_CONNECTED", inputs=(read,), weights=weights, bias=bias)


def pair_of(net: Net, shape: tuple[int, ...], samples: Array, *, border: bool = False) -> Pair:
    """Return both files of a net as a pair.

    Args:
        net: Its nodes.
        shape: Of the input, with the batch of 1.
        samples: Shape (samples, *shape); they set the ranges of the int8 model.
        border: Whether the int8 model takes and gives float values.
    """
    float_model, values = _float_model(net, shape, samples)
    integer_model = _integer_model(net, values)
    return Pair(float_model, _with_border(integer_model) if border else integer_model)


def integers(pair: Pair, samples: Array) -> dict[int, Array]:
    """Return samples as the integer model takes them."""
    tensor = pair.graph.inputs[0]
    if not tensor.scale:
        return {tensor.index: samples.astype(np.float32)}
    steps = np.rint(samples / tensor.scale[0]) + tensor.zero_point[0]
    return {tensor.index: np.clip(steps, -128, 127).astype(np.int8)}


def floats(pair: Pair, samples: Array) -> dict[int, Array]:
    """Return samples as the float model takes them."""
    return {pair.float_graph.main.inputs[0]: samples.astype(np.float32)}


def outputs(model: bytes, samples: Array) -> Array:
    """Run a model on samples of the type that it takes; return real values."""
    made = interpreter(model, "the model")
    given, found = made.get_input_details()[0], made.get_output_details()[0]
    scale, zero = found["quantization"]
    rows = []
    for sample in samples:
        made.set_tensor(given["index"], sample)
        made.invoke()
        rows.append(made.get_tensor(found["index"]).astype(np.float64))
    return (np.stack(rows) - zero) * scale if scale else np.stack(rows)


def _float_model(
    net: Net, shape: tuple[int, ...], samples: Array
) -> tuple[bytes, dict[str, Array]]:
    """Pack the float model and return what each node computes."""
    shapes: dict[str, tuple[int, ...]] = {"x": shape} | dict.fromkeys(net, (1,))
    for _ in net:  # each round fixes the shape of one more node
        made = interpreter(_packed(net, shapes, {}), "the float model")
        names = {each["name"]: each["shape"] for each in made.get_tensor_details()}
        shapes |= {name: tuple(int(n) for n in names[name]) for name in net}
    model = _packed(net, shapes, {})
    made = interpreter(model, "the float model")
    places = {each["name"]: each["index"] for each in made.get_tensor_details()}
    values: dict[str, list[Array]] = {name: [] for name in shapes}
    for sample in samples.astype(np.float32):
        made.set_tensor(places["x"], sample)
        made.invoke()
        for name, rows in values.items():
            rows.append(made.get_tensor(places[name]))
    return model, {name: np.stack(rows) for name, rows in values.items()}


def _integer_model(net: Net, values: dict[str, Array]) -> bytes:
    steps = {name: _step(found) for name, found in values.items()}
    for name, node in net.items():
        if node.op in _SAME_SCALE:
            steps[name] = steps[node.inputs[0]]
        if node.op == "CONCATENATION":
            steps |= dict.fromkeys(node.inputs, steps[name])
        if node.op == "SOFTMAX":
            steps[name] = (1 / 256, -128)
    shapes = {name: found.shape[1:] for name, found in values.items()}
    return _packed(net, shapes, steps)


def _with_border(content: bytes) -> bytes:
    """Put QUANTIZE before the input of a model and DEQUANTIZE behind its output."""
    model = read_model(content).model
    graph = model.subgraphs[0]
    ends = [int(graph.inputs[0]), int(graph.outputs[0])]
    outside = [len(graph.tensors), len(graph.tensors) + 1]
    for end in ends:
        inner = graph.tensors[end]
        name, kind = f"{inner.name}/float", enum_values("TensorType")["FLOAT32"]
        graph.tensors.append(Table("Tensor", name=name, shape=inner.shape, type=kind))
    codes, made = len(model.operator_codes), []
    for number, (name, source, result) in enumerate(
        [("QUANTIZE", outside[0], ends[0]), ("DEQUANTIZE", ends[1], outside[1])]
    ):
        model.operator_codes.append(_code(name, integer=True))
        made.append(
            Table(
                "Operator",
                opcode_index=codes + number,
                inputs=np.array([source], np.int32),
                outputs=np.array([result], np.int32),
            )
        )
    graph.operators = [made[0], *graph.operators, made[1]]
    graph.inputs = np.array(outside[:1], np.int32)
    graph.outputs = np.array(outside[1:], np.int32)
    return pack(model)


def _step(values: Array) -> tuple[float, int]:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 1e-6)
    scale = float(np.float32((high - low) / 255))
    return scale, int(np.rint(-128 - low / scale))


def _packed(net: Net, shapes: dict[str, Any], steps: dict[str, tuple[float, int]]) -> bytes:
    """Pack a net; with steps it is an integer model."""
    tensors: list[Table] = []
    buffers: list[Table] = [Table("Buffer")]
    place: dict[str, int] = {}

    def add(name: str, shape: Any, kind: str, scale: Any, data: Array | None = None) -> int:
        if data is not None:
            raw = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            buffers.append(Table("Buffer", data=raw))
        tensors.append(
            Table(
                "Tensor",
                name=name,
                shape=np.array(shape, np.int32),
                type=enum_values("TensorType")[kind],
                buffer=0 if data is None else len(buffers) - 1,
                quantization=scale,
            )
        )
        place[name] = len(tensors) - 1
        return place[name]

    kind = "INT8" if steps else "FLOAT32"
    for name, shape in shapes.items():
        add(name, shape, kind, _params([steps[name][0]], steps[name][1]) if steps else None)
    operators, codes = [], sorted({node.op for node in net.values()})
    for name, node in net.items():
        inputs = [place[read] for read in node.inputs]
        for number, part in enumerate((node.weights, node.bias)):
            if part is None:
                continue
            data, params, what = _constant(node, number, steps)
            inputs.append(add(f"{name}/{number}", part.shape, what, params, data))
        options = Table(_OPTIONS[node.op]) if node.op in _OPTIONS else None
        for key, value in node.options.items():
            setattr(options, key, value)
        operators.append(
            Table(
                "Operator",
                opcode_index=codes.index(node.op),
                inputs=np.array(inputs, np.int32),
                outputs=np.array([place[name]], np.int32),
                builtin_options=options,
            )
        )
    graph = Table(
        "SubGraph",
        tensors=tensors,
        operators=operators,
        inputs=np.array([place["x"]], np.int32),
        outputs=np.array([place[list(net)[-1]]], np.int32),
    )
    known = [_code(name, integer=bool(steps)) for name in codes]
    model = Table("Model", version=3, operator_codes=known, subgraphs=[graph], buffers=buffers)
    return pack(model)


def _constant(
    node: Node, number: int, steps: dict[str, tuple[float, int]]
) -> tuple[Array, Table | None, str]:
    """Values, quantization and type of the weights (0) or the bias (1) of a node."""
    weights, bias = node.weights, node.bias
    assert weights is not None
    if not steps or node.op == "RESHAPE":
        value = (weights, bias)[number]
        assert value is not None
        whole = node.op == "RESHAPE"
        return value.astype("i4" if whole else "f4"), None, "INT32" if whole else "FLOAT32"
    axis = weights.ndim - 1 if node.op == "DEPTHWISE_CONV_2D" else 0
    rows = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
    scale = (np.maximum(np.abs(rows).max(axis=1), 1e-6) / 127).astype(np.float32)
    if number == 0:
        spread = [1] * weights.ndim
        spread[axis] = -1
        values = np.rint(weights / scale.astype(np.float64).reshape(spread))
        return np.clip(values, -127, 127).astype(np.int8), _params(scale, 0, axis), "INT8"
    assert bias is not None
    step = scale * steps[node.inputs[0]][0]
    return np.rint(bias / step).astype(np.int32), _params(step, 0), "INT32"


def _params(scale: Any, zero_point: int, axis: int = 0) -> Table:
    return Table(
        "QuantizationParameters",
        scale=np.array(scale, np.float32),
        zero_point=np.full(len(scale), zero_point, np.int64),
        quantized_dimension=axis,
    )


def _code(name: str, *, integer: bool) -> Table:
    number = enum_values("BuiltinOperator")[name]
    later = {
        "FULLY_CONNECTED": 4,
        "CONV_2D": 5,
        "DEPTHWISE_CONV_2D": 6,
        "RESHAPE": 1,
        "QUANTIZE": 1,
    }.get(name, 2)
    return Table(
        "OperatorCode",
        builtin_code=number,
        deprecated_builtin_code=number,
        version=later if integer else 1,
    )

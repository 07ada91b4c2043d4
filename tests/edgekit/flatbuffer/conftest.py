"""A small model that is built here, field by field, and an interpreter to run models with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table

Run = Callable[[bytes, int], list[Any]]


def _tensor(
    name: str, shape: tuple[int, ...], dtype: str, buffer: int = 0, **params: Any
) -> Table:
    quantization = None
    if params:
        scale = np.atleast_1d(np.array(params["scale"], np.float32))
        zero = np.broadcast_to(np.array(params.get("zero_point", 0), np.int64), scale.shape)
        quantization = Table("QuantizationParameters", scale=scale, zero_point=zero)
    return Table(
        "Tensor",
        name=name,
        shape=np.array(shape, np.int32),
        type=enum_values("TensorType")[dtype.upper()],
        buffer=buffer,
        quantization=quantization,
    )


def _op(
    code: int, inputs: list[int], outputs: list[int], options: Table | None = None
) -> Table:
    return Table(
        "Operator",
        opcode_index=code,
        inputs=np.array(inputs, np.int32),
        outputs=np.array(outputs, np.int32),
        builtin_options=options,
    )


def _code(name: str, version: int) -> Table:
    value = enum_values("BuiltinOperator")[name]
    return Table(
        "OperatorCode",
        builtin_code=value,
        deprecated_builtin_code=min(value, 127),
        version=version,
    )


@pytest.fixture
def model() -> Table:
    """Return float32 (1, 4, 4, 2) -> QUANTIZE -> CONV_2D, 3 of 2x2 -> DEQUANTIZE -> float32."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (3, 2, 2, 2), np.int8)
    bias = rng.integers(-500, 500, 3, np.int32)
    tensors = [
        _tensor("image", (1, 4, 4, 2), "float32"),
        _tensor("image_int8", (1, 4, 4, 2), "int8", scale=0.02, zero_point=-28),
        _tensor("weights", (3, 2, 2, 2), "int8", 1, scale=[0.01, 0.02, 0.03]),
        _tensor("bias", (3,), "int32", 2, scale=[0.0002, 0.0004, 0.0006]),
        _tensor("scores_int8", (1, 3, 3, 3), "int8", scale=0.05, zero_point=3),
        _tensor("scores", (1, 3, 3, 3), "float32"),
    ]
    conv = Table(
        "Conv2DOptions", padding=1, stride_w=1, stride_h=1, fused_activation_function=1
    )
    graph = Table(
        "SubGraph",
        name="main",
        tensors=tensors,
        operators=[_op(0, [0], [1]), _op(1, [1, 2, 3], [4], conv), _op(2, [4], [5])],
        inputs=np.array([0], np.int32),
        outputs=np.array([5], np.int32),
    )
    signature = Table(
        "SignatureDef",
        signature_key="serving_default",
        inputs=[Table("TensorMap", name="x", tensor_index=0)],
        outputs=[Table("TensorMap", name="y", tensor_index=5)],
    )
    buffers = [None, weights, bias, np.frombuffer(b"1.5.0" + bytes(11), np.uint8)]
    return Table(
        "Model",
        version=3,
        description="built by a test",
        operator_codes=[_code("QUANTIZE", 1), _code("CONV_2D", 3), _code("DEQUANTIZE", 2)],
        subgraphs=[graph],
        buffers=[
            Table("Buffer", data=None if b is None else np.frombuffer(b.tobytes(), np.uint8))
            for b in buffers
        ],
        metadata=[Table("Metadata", name="min_runtime_version", buffer=3)],
        signature_defs=[signature],
    )


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a model on seeded random inputs; raise what the interpreter raises."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")

    def run_model(data: bytes, seed: int) -> list[Any]:
        runner = interpreter.Interpreter(model_content=data, num_threads=1)
        runner.allocate_tensors()
        rng = np.random.default_rng(seed)
        for each in runner.get_input_details():
            runner.set_tensor(each["index"], _values(rng, each["shape"], each["dtype"]))
        runner.invoke()
        return [runner.get_tensor(each["index"]) for each in runner.get_output_details()]

    return run_model


def _values(rng: np.random.Generator, shape: Any, dtype: Any) -> Any:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(size=shape).astype(kind)
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind.itemsize > 2:  # an index, small
        return rng.integers(0, 5, shape).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max + 1, shape).astype(kind)

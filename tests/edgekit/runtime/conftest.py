"""Models of one operator, made on the spot."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.flatbuffer import Table, pack
from edgekit.flatbuffer.schema import enum_values


@dataclass(frozen=True, kw_only=True)
class T:
    """A tensor of a made model; one with values is a constant."""

    name: str
    shape: tuple[int, ...] = (1, 4)
    dtype: str = "float32"
    scale: tuple[float, ...] = ()
    zero_point: int = 0
    values: Any = None
    signature: tuple[int, ...] | None = None
    variable: bool = False

    def table(self, buffer: int) -> Table:
        quantization = Table(
            "QuantizationParameters",
            scale=np.array(self.scale, np.float32),
            zero_point=np.full(len(self.scale), self.zero_point, np.int64),
        )
        return Table(
            "Tensor",
            shape=np.array(self.shape, np.int32),
            shape_signature=self.signature and np.array(self.signature, np.int32),
            type=enum_values("TensorType")[self.dtype.upper()],
            buffer=buffer,
            name=self.name,
            quantization=quantization if self.scale else None,
            is_variable=self.variable,
        )


def _buffer(values: Any) -> Table:
    data = (
        None if values is None else np.frombuffer(np.ascontiguousarray(values).tobytes(), "u1")
    )
    return Table("Buffer", data=data)


def _signature(names: dict[str, int]) -> list[Table]:
    return [Table("TensorMap", name=name, tensor_index=i) for name, i in names.items()]


def model_bytes(
    op: str,
    inputs: list[T],
    outputs: list[T],
    *,
    version: int = 1,
    options: Table | None = None,
    signature: tuple[dict[str, int], dict[str, int]] | None = None,
) -> bytes:
    """Pack a model of one operator; a name that is no builtin is a custom one."""
    tensors = [*inputs, *outputs]
    builtin = enum_values("BuiltinOperator").get(op)
    code = enum_values("BuiltinOperator")["CUSTOM"] if builtin is None else builtin
    graph_inputs = [i for i, t in enumerate(inputs) if t.values is None and not t.variable]
    graph = Table(
        "SubGraph",
        tensors=[tensor.table(i + 1) for i, tensor in enumerate(tensors)],
        inputs=np.array(graph_inputs, np.int32),
        outputs=np.arange(len(inputs), len(tensors), dtype=np.int32),
        operators=[
            Table(
                "Operator",
                opcode_index=0,
                inputs=np.arange(len(inputs), dtype=np.int32),
                outputs=np.arange(len(inputs), len(tensors), dtype=np.int32),
                builtin_options=options,
            )
        ],
    )
    operator_code = Table(
        "OperatorCode",
        builtin_code=code,
        deprecated_builtin_code=min(code, 127),
        custom_code=op if builtin is None else None,
        version=version,
    )
    signatures = signature and [
        Table(
            "SignatureDef",
            signature_key="serving_default",
            subgraph_index=0,
            inputs=_signature(signature[0]),
            outputs=_signature(signature[1]),
        )
    ]
    model = Table(
        "Model",
        version=3,
        operator_codes=[operator_code],
        subgraphs=[graph],
        buffers=[Table("Buffer"), *(_buffer(tensor.values) for tensor in tensors)],
        signature_defs=signatures,
    )
    return pack(model)


Make = Callable[..., Path]


@pytest.fixture
def tensor() -> type[T]:
    """Return the description of a tensor."""
    return T


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Return a function that writes a model of one operator."""

    def write(op: str, inputs: list[T], outputs: list[T], **rest: Any) -> Path:
        path = tmp_path / f"{op.lower()}.tflite"
        path.write_bytes(model_bytes(op, inputs, outputs, **rest))
        return path

    return write


@pytest.fixture
def relu(make: Make) -> Path:
    """Return a float model: RELU of 4 values."""
    return make("RELU", [T(name="x")], [T(name="y")])


@pytest.fixture
def relu_int8(make: Make) -> Path:
    """Return an int8 model: RELU of 4 values, a step of 0.5 around -28."""
    steps: dict[str, Any] = {"dtype": "int8", "scale": (0.5,), "zero_point": -28}
    return make("RELU", [T(name="x", **steps)], [T(name="y", **steps)])

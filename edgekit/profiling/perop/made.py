"""Models of a single operator, made to know what the machine can do."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack

_STEP = 0.05


def product(rows: int, depth: int, columns: int, dtype: str) -> bytes:
    """Pack a FULLY_CONNECTED of (rows, depth) by (columns, depth).

    Args:
        rows: Rows of the input.
        depth: What is summed over.
        columns: Columns of the output.
        dtype: `float32`, `int8` or `uint8`.
    """
    random = np.random.default_rng(0)
    if dtype == "float32":
        weights = random.standard_normal((columns, depth)).astype(np.float32)
    else:
        low = 1 if dtype == "uint8" else -127
        weights = random.integers(low, low + 254, (columns, depth)).astype(dtype)
    shapes = [(rows, depth), weights.shape, (rows, columns)]
    return _packed("FULLY_CONNECTED", shapes, dtype, weights=weights, version=4)


def least() -> bytes:
    """Pack an ADD of two numbers: what a run costs that computes next to nothing."""
    return _packed("ADD", [(1, 1), (1, 1), (1, 1)], "float32", weights=None, version=1)


def _packed(
    op: str,
    shapes: Sequence[tuple[int, ...]],
    dtype: str,
    *,
    weights: np.ndarray[Any, Any] | None,
    version: int,
) -> bytes:
    """Pack an operator of two inputs, the second of them perhaps constant."""
    tensors = [
        Table(
            "Tensor",
            name=name,
            shape=np.array(shape, np.int32),
            type=enum_values("TensorType")[dtype.upper()],
            buffer=int(name == "right" and weights is not None),
            quantization=None if dtype == "float32" else _steps(dtype, name),
        )
        for name, shape in zip(("left", "right", "result"), shapes, strict=True)
    ]
    inputs = [0, 1, -1] if op == "FULLY_CONNECTED" else [0, 1]
    code = enum_values("BuiltinOperator")[op]
    options = {"FULLY_CONNECTED": "FullyConnectedOptions", "ADD": "AddOptions"}
    operator = Table(
        "Operator",
        opcode_index=0,
        inputs=np.array(inputs, np.int32),
        outputs=np.array([2], np.int32),
        builtin_options=Table(options[op]),
    )
    graph = Table(
        "SubGraph",
        tensors=tensors,
        inputs=np.array([0] if weights is not None else [0, 1], np.int32),
        outputs=np.array([2], np.int32),
        operators=[operator],
    )
    buffers = [Table("Buffer")]
    if weights is not None:
        buffers.append(Table("Buffer", data=np.frombuffer(weights.tobytes(), np.uint8)))
    known = Table(
        "OperatorCode", builtin_code=code, deprecated_builtin_code=code, version=version
    )
    return pack(
        Table("Model", version=3, operator_codes=[known], subgraphs=[graph], buffers=buffers)
    )


def _steps(dtype: str, name: str) -> Table:
    zero = 128 if dtype == "uint8" else 0
    scale = _STEP * (100 if name == "result" else 1)
    return Table(
        "QuantizationParameters",
        scale=np.array([scale], np.float32),
        zero_point=np.array([zero], np.int64),
    )

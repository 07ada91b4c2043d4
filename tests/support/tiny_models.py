"""Very small models and pictures, made on the spot: no data folder, no TensorFlow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import write_manifest
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack
from edgekit.manifest import Manifest

COLORS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}
SIZE = 4
IN_STEP, OUT_STEP = 1 / 255, 1 / 127


def color_weights() -> NDArray[np.float32]:
    """Return weights that score how blue, green and red a picture of 4 x 4 pixels is."""
    weights = np.zeros((3, SIZE, SIZE, 3), np.float32)
    for row, channel in enumerate((2, 1, 0)):
        weights[row, :, :, channel] = 1 / SIZE**2
    return weights.reshape(3, -1)


def write_colors(
    path: Path, *, quantized: bool = False, manifest: Manifest | None = None
) -> Path:
    """Write a model that tells the colour of a picture: classes blue, green, red."""
    content = dense(color_weights(), (1, SIZE, SIZE, 3), quantized=quantized)
    path.write_bytes(with_manifest(content, manifest) if manifest else content)
    return path


def with_manifest(model: bytes, manifest: Manifest) -> bytes:
    """Return a model that carries a manifest."""
    return write_manifest(model, manifest)


def dense(
    weights: NDArray[np.float32],
    shape: tuple[int, ...],
    *,
    bias: NDArray[np.float32] | None = None,
    quantized: bool = False,
) -> bytes:
    """Pack a model of one FULLY_CONNECTED operator.

    Quantized inputs are 0..1 in 255 steps, outputs -1..1 in 254.

    Args:
        weights: Shape (outputs, inputs).
        shape: Shape of the input, the batch of 1 included.
        bias: One value an output.
        quantized: Whether to make an int8 model of it.
    """
    offsets = np.zeros(len(weights), np.float32) if bias is None else bias
    step = max(float(np.abs(weights).max()), 0.01) / 127
    if quantized:
        steps = [(IN_STEP, -128), (step, 0), (IN_STEP * step, 0), (OUT_STEP, 0)]
        values = [
            np.rint(weights / step).astype(np.int8),
            np.rint(offsets / (IN_STEP * step)).astype(np.int32),
        ]
        types = ["INT8", "INT8", "INT32", "INT8"]
    else:
        steps, values, types = [], [weights.astype("f4"), offsets.astype("f4")], ["FLOAT32"] * 4
    shapes = [shape, weights.shape, offsets.shape, (1, len(weights))]
    names, buffers = ["image", "weights", "bias", "scores"], [0, 1, 2, 0]
    tensors = [
        Table(
            "Tensor",
            name=name,
            shape=np.array(sizes, np.int32),
            type=enum_values("TensorType")[kind],
            buffer=buffer,
            quantization=_steps(*steps[place]) if steps else None,
        )
        for place, (name, sizes, kind, buffer) in enumerate(
            zip(names, shapes, types, buffers, strict=True)
        )
    ]
    return _packed(tensors, values, "FULLY_CONNECTED", 3)


def elementwise(op: str, shape: tuple[int, ...], constant: float) -> bytes:
    """Pack a float model of one operator, e.g. MUL, with a constant on its right."""
    kind = enum_values("TensorType")["FLOAT32"]
    tensors = [
        Table("Tensor", name=name, shape=np.array(sizes, np.int32), type=kind, buffer=buffer)
        for name, sizes, buffer in [("image", shape, 0), ("by", (1,), 1), ("scaled", shape, 0)]
    ]
    return _packed(tensors, [np.array([constant], np.float32)], op, 2)


def _steps(scale: float, zero_point: int) -> Table:
    return Table(
        "QuantizationParameters",
        scale=np.array([scale], np.float32),
        zero_point=np.array([zero_point], np.int64),
    )


def _packed(
    tensors: list[Table], values: Sequence[NDArray[Any]], op: str, inputs: int
) -> bytes:
    """Pack one operator that reads the first tensors and writes the last."""
    code = enum_values("BuiltinOperator")[op]
    options = {"FULLY_CONNECTED": "FullyConnectedOptions", "MUL": "MulOptions"}
    version = 4 if op == "FULLY_CONNECTED" else 1
    known = Table(
        "OperatorCode", builtin_code=code, deprecated_builtin_code=code, version=version
    )
    operator = Table(
        "Operator",
        opcode_index=0,
        inputs=np.arange(inputs, dtype=np.int32),
        outputs=np.array([inputs], np.int32),
        builtin_options=Table(options[op]) if op in options else None,
    )
    graph = Table(
        "SubGraph",
        tensors=tensors,
        inputs=np.array([0], np.int32),
        outputs=np.array([inputs], np.int32),
        operators=[operator],
    )
    data = [np.frombuffer(np.ascontiguousarray(each).tobytes(), np.uint8) for each in values]
    model = Table(
        "Model",
        version=3,
        operator_codes=[known],
        subgraphs=[graph],
        buffers=[Table("Buffer"), *(Table("Buffer", data=each) for each in data)],
    )
    return pack(model)


def write_pictures(folder: Path, each: int = 4) -> Path:
    """Write a folder with a folder of pictures, as PPM, for each colour."""
    for name, color in COLORS.items():
        (folder / name).mkdir(parents=True)
        for number in range(each):
            dimmed = bytes(value * (number + 1) // each for value in color)
            picture = f"P6 {SIZE} {SIZE} 255\n".encode() + dimmed * SIZE**2
            (folder / name / f"{number}.ppm").write_bytes(picture)
    return folder


def write_arrays(path: Path, each: int = 4) -> Path:
    """Write the same samples as float arrays in 0..1, `x` and `y`, to an .npz file."""
    shades = np.linspace(1 / each, 1, each, dtype=np.float32)
    pixels = np.array(list(COLORS.values()), np.float32) / 255
    samples = shades[None, :, None] * pixels[:, None, :]
    x = np.broadcast_to(samples.reshape(-1, 1, 1, 3), (3 * each, SIZE, SIZE, 3))
    np.savez(path, x=x, y=np.repeat(np.arange(3), each))
    return path

"""Very small detectors, made on the spot: no data folder, nearly no TensorFlow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import flexbuffers
from numpy.typing import NDArray

from edgekit.artifact import write_keras_manifest, write_manifest
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, pack
from edgekit.manifest import Manifest, Output, Preprocessing

CELL = 8  # pixels of the spot detector's cells
SPOTS = {"blue": (0, 0, 255), "green": (0, 255, 0), "red": (255, 0, 0)}
LABELS = tuple(SPOTS)
Spots = Mapping[tuple[int, int], str]
SCALE = 5  # the pictures are larger than the model's input
PICTURES: list[Spots] = [
    {(0, 0): "red", (1, 2): "blue"},
    {(0, 1): "green"},
    {(1, 0): "green", (0, 2): "red"},
]
OPTIONS = {"FULLY_CONNECTED": "FullyConnectedOptions", "RESHAPE": "ReshapeOptions"}


@dataclass
class Graph:
    """Tensors and operators of a model to be packed.

    Attributes:
        inputs: Numbers of the input tensors.
        outputs: Numbers of the output tensors.
    """

    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    _tensors: list[Table] = field(default_factory=list)
    _buffers: list[Table] = field(default_factory=lambda: [Table("Buffer")])
    _operators: list[Table] = field(default_factory=list)
    _codes: list[Table] = field(default_factory=list)

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        values: NDArray[Any] | None = None,
        *,
        dtype: str = "float32",
        steps: tuple[float, int] | None = None,
    ) -> int:
        """Add a tensor, a constant if it has values; returns its number."""
        buffer = 0
        if values is not None:
            dtype = values.dtype.name
            buffer = len(self._buffers)
            data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self._buffers.append(Table("Buffer", data=data))
        made = Table(
            "Tensor",
            name=name,
            shape=np.array(shape, np.int32),
            type=enum_values("TensorType")[dtype.upper()],
            buffer=buffer,
        )
        if steps is not None:
            made.quantization = Table(
                "QuantizationParameters",
                scale=np.array([steps[0]], np.float32),
                zero_point=np.array([steps[1]], np.int64),
            )
        self._tensors.append(made)
        return len(self._tensors) - 1

    def operator(
        self, op: str, inputs: Sequence[int], outputs: Sequence[int], options: bytes = b""
    ) -> None:
        """Add an operator; `options` make it a custom one."""
        builtin = "CUSTOM" if options else op
        code = enum_values("BuiltinOperator")[builtin]
        self._codes.append(
            Table(
                "OperatorCode",
                builtin_code=code,
                deprecated_builtin_code=code,
                version=1,
                custom_code=op if options else None,
            )
        )
        self._operators.append(
            Table(
                "Operator",
                opcode_index=len(self._codes) - 1,
                inputs=np.array(inputs, np.int32),
                outputs=np.array(outputs, np.int32),
                builtin_options=Table(OPTIONS[op]) if op in OPTIONS else None,
                custom_options=np.frombuffer(options, np.uint8) if options else None,
            )
        )

    def packed(self) -> bytes:
        """Return the model as a file."""
        graph = Table(
            "SubGraph",
            tensors=self._tensors,
            inputs=np.array(self.inputs, np.int32),
            outputs=np.array(self.outputs, np.int32),
            operators=self._operators,
        )
        model = Table(
            "Model",
            version=3,
            operator_codes=self._codes,
            subgraphs=[graph],
            buffers=self._buffers,
        )
        return pack(model)


def fixed(
    outputs: Mapping[str, NDArray[Any]],
    size: tuple[int, int] = (32, 32),
    *,
    steps: Mapping[str, tuple[float, int]] | None = None,
    channels_first: bool = False,
) -> bytes:
    """Pack a model that gives the same outputs for every picture.

    Args:
        outputs: Its outputs by name, with the batch of 1; integers have `steps`.
        size: Height and width of its input.
        steps: Scale and zero point of quantized outputs.
        channels_first: The input has its channels in front.
    """
    graph = Graph()
    shape = (1, 3, *size) if channels_first else (1, *size, 3)
    graph.inputs = [graph.tensor("image", shape)]
    for name, values in outputs.items():
        step = (steps or {}).get(name)
        constant = graph.tensor(f"{name}_values", (values.size,), values.ravel(), steps=step)
        target = np.array(values.shape, np.int32)
        sizes = graph.tensor(f"{name}_shape", target.shape, target)
        made = graph.tensor(name, values.shape, dtype=values.dtype.name, steps=step)
        graph.operator("RESHAPE", [constant, sizes], [made])
        graph.outputs.append(made)
    return graph.packed()


def postprocess(
    codes: NDArray[np.float32],
    scores: NDArray[np.float32],
    anchors: NDArray[np.float32],
    *,
    order: Sequence[int] = (0, 1, 2, 3),
    **options: Any,
) -> bytes:
    """Pack a model that ends in TFLite_Detection_PostProcess over constants.

    Args:
        codes: Shape (1, A, 4).
        scores: Shape (1, A, classes + 1), the background first.
        anchors: Shape (A, 4) as (y, x, height, width), in shares of the input.
        order: Order of the graph's outputs.
        **options: Of the operator, beyond the usual.
    """
    known = {
        "max_detections": 10,
        "max_classes_per_detection": 1,
        "nms_score_threshold": 0.01,
        "nms_iou_threshold": 0.5,
        "num_classes": scores.shape[-1] - 1,
        "y_scale": 10.0,
        "x_scale": 10.0,
        "h_scale": 5.0,
        "w_scale": 5.0,
    } | options
    graph = Graph()
    graph.inputs = [graph.tensor("image", (1, 32, 32, 3))]
    given = [
        graph.tensor("codes", codes.shape, codes),
        graph.tensor("scores", scores.shape, scores),
        graph.tensor("anchors", anchors.shape, anchors),
    ]
    # Reshaped, as the operator refuses constants for its first two.
    for place, values in enumerate((codes, scores)):
        target = np.array(values.shape, np.int32)
        sizes = graph.tensor("shape", target.shape, target)
        made = graph.tensor("copy", values.shape)
        graph.operator("RESHAPE", [given[place], sizes], [made])
        given[place] = made
    made_all = [graph.tensor(f"out{number}", ()) for number in range(4)]
    content = bytes(flexbuffers.Dumps(known))
    graph.operator("TFLite_Detection_PostProcess", given, made_all, content)
    graph.outputs = [made_all[place] for place in order]
    return graph.packed()


def write_spots(
    path: Path, size: tuple[int, int] = (16, 24), *, labels: Sequence[str] = LABELS
) -> Path:
    """Write an SSD that finds cells of one colour: blue, green, red.

    Each cell of 8 x 8 pixels has one anchor, the cell itself; it scores 0.98 where the
    whole cell has the colour, and 0.02 where nothing of it is there.
    """
    rows, columns = size[0] // CELL, size[1] // CELL
    cells = rows * columns
    weights = np.zeros((rows, columns, 3, *size, 3), np.float32)
    for row in range(rows):
        for column in range(columns):
            down, right = (slice(CELL * each, CELL * each + CELL) for each in (row, column))
            for place, color in enumerate(SPOTS.values()):
                signs = np.where(np.array(color) > 0, 1.0, -1.0)
                weights[row, column, place, down, right] = 8 * signs / CELL**2
    graph = Graph()
    image = graph.tensor("image", (1, *size, 3))
    flat = weights.reshape(3 * cells, -1)
    matrix = graph.tensor("weights", flat.shape, flat)
    bias = graph.tensor("bias", (3 * cells,), np.full(3 * cells, -4, np.float32))
    flat_scores = graph.tensor("flat", (1, 3 * cells))
    graph.operator("FULLY_CONNECTED", [image, matrix, bias], [flat_scores])
    target = np.array([1, cells, 3], np.int32)
    scores = graph.tensor("scores", (1, cells, 3))
    graph.operator("RESHAPE", [flat_scores, graph.tensor("shape", (3,), target)], [scores])
    zeros = graph.tensor("zeros", (4 * cells,), np.zeros(4 * cells, np.float32))
    target = np.array([1, cells, 4], np.int32)
    codes = graph.tensor("boxes", (1, cells, 4))
    graph.operator("RESHAPE", [zeros, graph.tensor("shape4", (3,), target)], [codes])
    graph.inputs, graph.outputs = [image], [codes, scores]
    path.write_bytes(write_manifest(graph.packed(), spots_manifest(labels)))
    return path


def spots_manifest(labels: Sequence[str] = LABELS) -> Manifest:
    """Return what the detector of spots carries."""
    return Manifest(
        name="spots",
        task="detect",
        labels=tuple(labels),
        preprocessing=Preprocessing(),
        outputs=(Output(name="boxes", role="boxes"), Output(name="scores", role="scores")),
        decoding={
            "kind": "ssd",
            "levels": [{"stride": CELL, "sizes": [[CELL, CELL]]}],
            "score": "sigmoid",
            "threshold": 0.5,
        },
    )


def spot_picture(
    spots: Mapping[tuple[int, int], str], size: tuple[int, int] = (16, 24), scale: int = 1
) -> bytes:
    """Return a PPM file: black, with cells of a colour at some (row, column)."""
    pixels = np.zeros((*size, 3), np.uint8)
    for (row, column), name in spots.items():
        pixels[CELL * row :, CELL * column :][:CELL, :CELL] = SPOTS[name]
    large = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
    return f"P6 {large.shape[1]} {large.shape[0]} 255\n".encode() + large.tobytes()


def write_data(
    root: Path, truths: list[Spots] | None = None, names: Mapping[str, str] | None = None
) -> Path:
    """Write the pictures as COCO, with boxes of the spots or of others."""
    root.mkdir()
    labels = [*LABELS, "owl"]
    side = CELL * SCALE
    boxes: list[dict[str, object]] = []
    for number, (spots, there) in enumerate(zip(PICTURES, truths or PICTURES, strict=True)):
        (root / f"{number}.ppm").write_bytes(spot_picture(spots, scale=SCALE))
        for (row, column), name in there.items():
            box = [column * side, row * side, side, side]
            boxes.append({"image_id": number, "category_id": labels.index(name), "bbox": box})
    record = {
        "images": [{"id": i, "file_name": f"{i}.ppm"} for i in range(len(PICTURES))],
        "categories": [
            {"id": i, "name": (names or {}).get(name, name)} for i, name in enumerate(labels)
        ],
        "annotations": boxes,
    }
    (root / "annotations.json").write_text(json.dumps(record))
    return root


def write_keras_spots(path: Path) -> Path:
    """Write the detector of spots as a .keras file."""
    import keras

    layers = keras.layers
    picture = keras.Input((16, 24, 3))
    heads = {}
    for name, values in (("boxes", 4), ("scores", 3)):
        conv = layers.Conv2D(values, CELL, strides=CELL, name=f"{name}_conv")
        heads[name] = layers.Reshape((6, values), name=name)(conv(picture))
    model = keras.Model(picture, heads)
    weights = np.zeros((CELL, CELL, 3, 3), np.float32)
    for place, color in enumerate(SPOTS.values()):
        weights[..., place] = 8 * np.where(np.array(color) > 0, 1, -1) / CELL**2
    model.get_layer("scores_conv").set_weights([weights, np.full(3, -4, np.float32)])
    nothing = np.zeros((CELL, CELL, 3, 4), np.float32)
    model.get_layer("boxes_conv").set_weights([nothing, np.zeros(4, np.float32)])
    model.save(path)
    write_keras_manifest(path, spots_manifest())
    return path

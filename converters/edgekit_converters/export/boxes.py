"""Let a detector decode and suppress inside the graph, as apps of others expect it.

An SSD with raw heads gets three ops behind its outputs: LOGISTIC where its scores are logits,
and TFLite_Detection_PostProcess with its anchors, which is what MediaPipe Tasks opens. The
boxes are those that `edgekit.vision.outputs.ssd` decodes.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import graph_manifest, write_manifest
from edgekit.errors import TargetError
from edgekit.flatbuffer.graph import Graph, TensorView
from edgekit.flatbuffer.metadata import associated_files, pack_file
from edgekit.flatbuffer.schema import enum_values
from edgekit.flatbuffer.tables import Table, read_model
from edgekit.manifest import Manifest, Output
from edgekit.records import from_json
from edgekit.vision.outputs.postprocess import KIND, OPERATOR, ROLES
from edgekit.vision.outputs.ssd import KIND as SSD
from edgekit.vision.outputs.ssd import Coding, anchors

LOWEST = 0.01  # score below which nothing is given; apps choose their own threshold above it

Array = NDArray[Any]


def with_boxes(model: bytes) -> bytes:
    """Return a detector that gives finished boxes.

    The outputs are boxes (1, N, 4) as (y_min, x_min, y_max, x_max) in shares of the input,
    classes (1, N) from 0, scores (1, N) and a count (1,).

    Args:
        model: A .tflite with float32 outputs whose manifest describes an SSD.

    Raises:
        TargetError: It is no such detector, or its outputs are integers.
        InputError: The file is damaged.
    """
    graph = Graph(read_model(model))
    manifest = graph_manifest(graph) or Manifest()
    coding = coding_of(manifest)
    boxes, scores = (_output(graph, manifest, role) for role in ("boxes", "scores"))
    writer = _Writer(graph)
    given = scores.index
    if coding.score == "sigmoid":
        given = writer.tensor("probabilities", scores.shape)
        writer.op("LOGISTIC", [scores.index], [given])
    places = writer.tensor("anchors", (scores.shape[1], 4), values=_places(graph, coding))
    classes = scores.shape[2] - coding.background
    count = coding.max_detections
    shapes = ((1, count, 4), (1, count), (1, count), (1,))
    made = [writer.tensor(role, shape) for role, shape in zip(ROLES, shapes, strict=True)]
    writer.op(OPERATOR, [boxes.index, given, places], made, options=_options(coding, classes))
    told = dataclasses.replace(
        manifest,
        outputs=tuple(Output(name=role, role=role) for role in ROLES),
        decoding={"kind": KIND, "threshold": coding.threshold},
    )
    return write_manifest(writer.packed(made), told)


def coding_of(manifest: Manifest) -> Coding:
    """Return how the boxes of a detector are coded.

    Raises:
        TargetError: The model is no detector with raw heads.
    """
    decoding = dict(manifest.decoding or {})
    if decoding.get("kind") != SSD:
        msg = (
            f"{manifest.name or 'The model'} is no detector with raw SSD heads: its manifest "
            f"has the decoding {decoding.get('kind', 'of none')}.\n"
            "Finished boxes are made of what `edgekit train detect` writes."
        )
        raise TargetError(msg)
    return from_json(Coding, decoding, "the manifest's decoding")


def _output(graph: Graph, manifest: Manifest, role: str) -> TensorView:
    """Find an output by its role.

    Raises:
        TargetError: There is none, or it holds integers.
    """
    names = {each.name for each in manifest.outputs if each.role == role}
    main = graph.main
    for index, view in zip(main.outputs, graph.outputs, strict=True):
        if names & {view.name, main.output_names.get(index, view.name)}:
            if view.dtype != "float32":
                msg = (
                    f"Boxes are computed in float32, and output '{view.name}' is {view.dtype}."
                )
                raise TargetError(msg)
            return view
    msg = f"The manifest names no output of {graph.file.name} as '{role}'."
    raise TargetError(msg)


def _places(graph: Graph, coding: Coding) -> Array:
    """Return the anchors as (y, x, height, width) in shares of the input."""
    height, width = graph.inputs[0].shape[1:3]
    found = anchors(coding.levels, (height, width))
    shares = found / np.array([width, height, width, height], np.float32)
    return np.ascontiguousarray(shares[:, [1, 0, 3, 2]], np.float32)


def _options(coding: Coding, classes: int) -> bytes:
    from flatbuffers import flexbuffers

    y, x, h, w = coding.scales
    return bytes(
        flexbuffers.Dumps(
            {
                "max_detections": coding.max_detections,
                "max_classes_per_detection": 1,
                "detections_per_class": coding.max_detections,
                "use_regular_nms": coding.per_class,
                "nms_score_threshold": LOWEST,
                "nms_iou_threshold": coding.iou,
                "num_classes": classes,
                "y_scale": y,
                "x_scale": x,
                "h_scale": h,
                "w_scale": w,
            }
        )
    )


class _Writer:
    """Puts ops behind those of the main graph."""

    def __init__(self, graph: Graph) -> None:
        self._file = graph.file
        self._model = graph.file.model
        self._graph = self._model.subgraphs[0]
        self._graph.operators = list(self._graph.operators or ())

    def tensor(self, name: str, shape: Sequence[int], values: Array | None = None) -> int:
        """Add a float32 tensor, a constant if it has values; return its number."""
        buffer = 0
        if values is not None:
            data = np.frombuffer(values.tobytes(), np.uint8)
            self._model.buffers.append(Table("Buffer", data=data))
            buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(
            Table(
                "Tensor",
                name=self._unused(name),
                shape=np.array(shape, np.int32),
                type=enum_values("TensorType")["FLOAT32"],
                buffer=buffer,
            )
        )
        return len(self._graph.tensors) - 1

    def op(
        self, name: str, inputs: list[int], outputs: list[int], *, options: bytes | None = None
    ) -> None:
        """Add an op; `options` make it a custom one."""
        code = enum_values("BuiltinOperator")["CUSTOM" if options else name]
        self._model.operator_codes.append(
            Table(
                "OperatorCode",
                builtin_code=code,
                deprecated_builtin_code=min(code, 127),
                version=1,
                custom_code=name if options else None,
            )
        )
        self._graph.operators.append(
            Table(
                "Operator",
                opcode_index=len(self._model.operator_codes) - 1,
                inputs=np.array(inputs, np.int32),
                outputs=np.array(outputs, np.int32),
                custom_options=np.frombuffer(options, np.uint8) if options else None,
            )
        )

    def packed(self, outputs: list[int]) -> bytes:
        """Return the model with these outputs; signatures, which named others, go."""
        self._graph.outputs = np.array(outputs, np.int32)
        self._model.signature_defs = None
        return pack_file(self._model, associated_files(self._file))

    def _unused(self, name: str) -> str:
        """Take a name from the tensors that have it: those are no outputs any more."""
        for number, each in enumerate(self._graph.tensors):
            if each.name == name:
                each.name = f"{name}_raw_{number}"
        return name

"""Detectors that decode and suppress inside the graph: SSD, EfficientDet-Lite.

Their last operator, TFLite_Detection_PostProcess, gives boxes as (y_min, x_min, y_max,
x_max) in shares of the input, classes from 0, scores and a count, in this order. The
order of the graph's outputs may be another one, so the operator is asked.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgekit.data.boxes import Detections
from edgekit.flatbuffer.graph import Graph, OpView
from edgekit.flatbuffer.metadata import output_contents
from edgekit.vision.outputs.decoder import Decoder, Look, Outputs, Role

KIND = "postprocess"
OPERATOR = "TFLite_Detection_PostProcess"
ROLES = ("boxes", "classes", "scores", "count")
_BY_SIDE: tuple[int, ...] = (1, 0, 3, 2)  # places of x_min, y_min, x_max and y_max
# How metadata of others call them.
_NAMES = {
    "location": "boxes",
    "locations": "boxes",
    "category": "classes",
    "categories": "classes",
    "classes": "classes",
    "score": "scores",
    "scores": "scores",
    "number of detections": "count",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """Reads the outputs."""

    names: Mapping[str, str]
    order: tuple[int, ...]
    unit: np.ndarray

    def __call__(self, outputs: Outputs, threshold: float) -> Detections:
        scores = outputs[self.names["scores"]].reshape(-1)
        count = len(scores)
        if "count" in self.names:
            said = float(outputs[self.names["count"]].reshape(-1)[0])
            count = int(np.clip(np.nan_to_num(said), 0, count))
        chosen = np.flatnonzero(scores[:count] >= threshold)
        boxes = outputs[self.names["boxes"]].reshape(-1, 4)[chosen][:, self.order]
        classes = np.rint(outputs[self.names["classes"]].reshape(-1)[chosen])
        known = np.isfinite(classes) & (classes >= 0)
        return Detections(
            (boxes * self.unit)[known], scores[chosen][known], classes[known].astype(np.intp)
        )


def open_postprocess(look: Look) -> Decoder | None:
    """Return the decoder of a model that gives finished boxes; None if it does not.

    The operator says which output is which; where it stands elsewhere, the manifest or the
    standard metadata do.
    """
    operator = _operator(look.graph) if look.graph else None
    order, pixels = _BY_SIDE, False
    if operator is not None and look.graph is not None:
        roles = _of_operator(look, look.graph, operator)
    elif {"boxes", "classes", "scores"} <= look.said().keys():
        roles = {role: each for role, each in look.said().items() if role in ROLES}
    else:
        roles, order, pixels = _of_metadata(look)
    if not {"boxes", "classes", "scores"} <= roles.keys() or not _fit(look, roles, operator):
        return None
    said = look.decoding.get("threshold")
    height, width = (1, 1) if pixels else look.size
    return Decoder(
        kind=KIND,
        roles=tuple(roles[role] for role in ROLES if role in roles),
        read=_Reader(
            {role: each.name for role, each in roles.items()},
            order,
            np.array([width, height, width, height], np.float32),
        ),
        classes=_classes(look.graph, operator) if look.graph and operator else None,
        threshold=float(said) if isinstance(said, int | float) else 0.5,
    )


def _fit(look: Look, roles: Mapping[str, Role], operator: OpView | None) -> bool:
    """Whether the outputs have the shapes of their roles; the operator's surely have."""
    if operator is not None:
        return True
    sizes = {each.name: math.prod(each.shape) for each in look.outputs}
    count = sizes[roles["scores"].name]
    fits = sizes[roles["classes"].name] == count and sizes[roles["boxes"].name] == 4 * count
    return fits and ("count" not in roles or sizes[roles["count"].name] >= 1)


def _operator(graph: Graph) -> OpView | None:
    return next((op for op in graph.ops if op.custom_code == OPERATOR), None)


def _of_operator(look: Look, graph: Graph, operator: OpView) -> dict[str, Role]:
    """Follow the operator's outputs to those of the graph."""
    places = dict(zip(operator.outputs, ROLES, strict=False))
    return {
        places[index]: Role(spec.name, places[index], "graph")
        for index, spec in zip(graph.main.outputs, look.outputs, strict=True)
        if index in places
    }


def _of_metadata(look: Look) -> tuple[dict[str, Role], tuple[int, ...], bool]:
    """Take the roles from the standard metadata, with the order of a box and its unit."""
    contents = output_contents(look.graph) if look.graph else ()
    roles: dict[str, Role] = {}
    order, pixels = _BY_SIDE, False
    for spec, content in zip(look.outputs, contents, strict=False):
        role = "boxes" if content.box_order else _NAMES.get(content.name.strip().lower())
        if role is None:
            continue
        roles[role] = Role(spec.name, role, "metadata")
        if content.box_order:
            order, pixels = content.box_order, content.box_pixels
    return roles, order, pixels


def _classes(graph: Graph, operator: OpView) -> int | None:
    """Read how many classes the operator tells apart from its options, if it says so."""
    from flatbuffers import flexbuffers

    try:
        options: Any = flexbuffers.Loads(graph.custom_options(operator))
    except (IndexError, KeyError, TypeError, ValueError, RecursionError, struct.error):
        return None
    count = options.get("num_classes") if isinstance(options, dict) else None
    return count if isinstance(count, int) and count > 0 else None

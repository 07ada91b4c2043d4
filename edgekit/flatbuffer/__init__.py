"""Read, inspect and rewrite .tflite files: no interpreter, no TensorFlow."""

from edgekit.flatbuffer.graph import Graph, OpView, SubgraphView, TensorView
from edgekit.flatbuffer.tables import ModelFile, Table, pack, read_model

__all__ = [
    "Graph",
    "ModelFile",
    "OpView",
    "SubgraphView",
    "Table",
    "TensorView",
    "pack",
    "read_model",
]

"""A small sound model, made without TensorFlow."""

import numpy as np

from edgekit.artifact import write_manifest
from edgekit.flatbuffer import Table, pack
from edgekit.flatbuffer.schema import enum_values
from edgekit.manifest import Manifest, Output, Preprocessing


def small_model() -> bytes:
    """Return a classifier of 4 values, with labels and a manifest."""
    manifest = Manifest(
        name="small",
        task="classify",
        labels=("one", "two", "three"),
        preprocessing=Preprocessing(),
        outputs=(Output(name="scores", role="probabilities"),),
    )
    return write_manifest(dense_model(4), manifest)


def dense_model(values: int) -> bytes:
    """Return a classifier of so many values into 3 classes: a dense layer, a softmax."""
    rng = np.random.default_rng(0)
    weights = (rng.normal(size=(3, values)) * (4 / values) ** 0.5).astype("f4")
    bias = rng.normal(size=3).astype("f4")
    tensors = [
        Table("Tensor", name=name, shape=np.array(shape, np.int32), buffer=buffer)
        for name, shape, buffer in (
            ("x", (1, values), 0),
            ("weights", (3, values), 1),
            ("bias", (3,), 2),
            ("logits", (1, 3), 0),
            ("scores", (1, 3), 0),
        )
    ]
    steps = (([0, 1, 2], [3], "FullyConnectedOptions"), ([3], [4], "SoftmaxOptions"))
    operators = [
        Table(
            "Operator",
            opcode_index=i,
            inputs=np.array(inputs, np.int32),
            outputs=np.array(outputs, np.int32),
            builtin_options=Table(options),
        )
        for i, (inputs, outputs, options) in enumerate(steps)
    ]
    operators[1].builtin_options.beta = 1.0
    graph = Table(
        "SubGraph",
        tensors=tensors,
        operators=operators,
        inputs=np.array([0], np.int32),
        outputs=np.array([4], np.int32),
    )
    codes = [enum_values("BuiltinOperator")[name] for name in ("FULLY_CONNECTED", "SOFTMAX")]
    buffers = [Table("Buffer")] + [
        Table("Buffer", data=np.frombuffer(each.tobytes(), np.uint8))
        for each in (weights, bias)
    ]
    model = Table(
        "Model",
        version=3,
        operator_codes=[
            Table("OperatorCode", builtin_code=code, deprecated_builtin_code=code, version=1)
            for code in codes
        ],
        subgraphs=[graph],
        buffers=buffers,
    )
    return pack(model)

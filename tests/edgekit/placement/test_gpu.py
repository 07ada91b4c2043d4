"""What the GPU takes: one case of each rule of its delegate."""

from typing import Any

import numpy as np
import pytest

from edgekit.flatbuffer import Graph, Table
from edgekit.flatbuffer.schema import enum_values
from edgekit.placement import gpu

FLOAT: dict[str, Any] = {"dtype": "float32"}
AXES: dict[str, Any] = {"shape": (2,), "dtype": "int32", "values": np.array([1, 2], np.int32)}


def _padding(rows: int) -> dict[str, Any]:
    return {"shape": (rows, 2), "dtype": "int32", "values": np.zeros((rows, 2), np.int32)}


# Name -> operator, its inputs, its options, and what the tensors are; and whether it is taken.
CASES: dict[str, tuple[str, str, Any, dict[str, Any], bool]] = {
    "relu": ("RELU", "x", None, {}, True),
    "tanh": ("TANH", "x", None, {}, True),
    "hard swish": ("HARD_SWISH", "x", None, {}, True),
    "leaky relu": ("LEAKY_RELU", "x", ("LeakyReluOptions", {"alpha": 0.1}), {}, True),
    "mean": ("MEAN", "x w", ("ReducerOptions", {}), {"w": AXES}, True),
    "mean over computed axes": (
        "MEAN",
        "x w",
        ("ReducerOptions", {}),
        {"w": {"shape": (2,), "dtype": "int32"}},
        False,
    ),
    "pad": ("PAD", "x w", ("PadOptions", {}), {"w": _padding(4)}, True),
    "pad in 2-D": ("PAD", "x w", ("PadOptions", {}), {"w": _padding(2)}, False),
    "add": ("ADD", "x w", ("AddOptions", {}), {}, True),
    "add a vector": ("ADD", "x w", ("AddOptions", {}), {"w": {"shape": (4,), **FLOAT}}, True),
    "add what does not fit": (
        "ADD",
        "x w",
        ("AddOptions", {}),
        {"w": {"shape": (8, 3, 4), **FLOAT}},
        False,
    ),
    "multiply crosswise": (
        "MUL",
        "x w",
        ("MulOptions", {}),
        {"x": {"shape": (1, 8, 1, 4), **FLOAT}, "w": {"shape": (1, 1, 8, 4), **FLOAT}},
        False,
    ),
    "softmax": ("SOFTMAX", "x", ("SoftmaxOptions", {"beta": 1.0}), {}, True),
    "sharp softmax": ("SOFTMAX", "x", ("SoftmaxOptions", {"beta": 2.0}), {}, False),
    "depth to space": (
        "DEPTH_TO_SPACE",
        "x",
        ("DepthToSpaceOptions", {"block_size": 2}),
        {},
        True,
    ),
    "round": ("ROUND", "x", None, {}, False),
    "top k": ("TOPK_V2", "x w", ("TopKV2Options", {}), {"w": {**AXES, "shape": (2,)}}, False),
    "l2 norm": ("L2_NORMALIZATION", "x", ("L2NormOptions", {}), {}, False),
    "cumulated": ("CUMSUM", "x w", ("CumsumOptions", {}), {"w": {**AXES}}, True),
    "resize": (
        "RESIZE_BILINEAR",
        "x w",
        ("ResizeBilinearOptions", {"half_pixel_centers": True}),
        {"w": AXES},
        True,
    ),
    "resize by two rules": (
        "RESIZE_BILINEAR",
        "x w",
        ("ResizeBilinearOptions", {"half_pixel_centers": True, "align_corners": True}),
        {"w": AXES},
        False,
    ),
    "cut": (
        "STRIDED_SLICE",
        "x a b c",
        ("StridedSliceOptions", {"shrink_axis_mask": 1}),
        dict.fromkeys("abc", AXES),
        False,
    ),
    "compare": ("LESS", "x w", ("LessOptions", {}), {"y": {"dtype": "bool"}}, True),
    "gather rows": (
        "GATHER",
        "x w",
        ("GatherOptions", {"axis": 1}),
        {"w": {**AXES}},
        True,
    ),
}


@pytest.fixture
def made(graph: Any, op: Any, tensor: Any) -> dict[str, Graph]:
    """Return a model of one operator for each case."""
    found = {}
    for name, (kind, inputs, options, tensors, _) in CASES.items():
        table = Table(options[0], **options[1]) if options else None
        plain = {each: tensor(**FLOAT) for each in (*inputs.split(), "y")}
        described = plain | {each: tensor(**facts) for each, facts in tensors.items()}
        found[name] = graph(
            [op(op=kind, inputs=inputs, outputs="y", options=table)], **described
        )
    return found


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_taken_as_the_delegate_says(made: dict[str, Graph], name: str) -> None:
    ((place, reason),) = gpu.predict(made[name])
    assert place == ("gpu" if CASES[name][4] else "cpu"), reason


def test_every_rule_is_about_an_operator_that_exists() -> None:
    assert gpu.RULES.keys() <= enum_values("BuiltinOperator").keys()


def test_weights_of_half_precision_are_constants_to_the_rules(
    graph: Any, op: Any, tensor: Any
) -> None:
    shape = (4, 3, 3, 4)
    weights = tensor(dtype="float16", shape=shape, values=np.zeros(shape, np.float16))
    found = gpu.predict(
        graph(
            [
                op(op="DEQUANTIZE", inputs="h", outputs="w"),
                op(op="CONV_2D", inputs="x w", outputs="y", options=Table("Conv2DOptions")),
            ],
            h=weights,
            w=tensor(shape=shape, **FLOAT),
            x=tensor(**FLOAT),
            y=tensor(**FLOAT),
        )
    )
    assert [place for place, _ in found] == ["gpu", "gpu"]

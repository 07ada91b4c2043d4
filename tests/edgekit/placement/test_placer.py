"""Each target has one that says where operators run."""

from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

from edgekit.placement import Placement, place
from edgekit.placement.placer import PLACERS
from edgekit.targets import Target, load_target, target_names


def test_every_delegate_of_a_target_has_a_placer() -> None:
    assert set(get_args(get_type_hints(Target)["delegate"])) == PLACERS.keys()


@pytest.mark.parametrize("name", target_names())
def test_every_operator_gets_one_placement_with_a_reason(
    graph: Any, op: Any, name: str
) -> None:
    made = graph(
        [
            op(op="RELU", inputs="x", outputs="a", version=2),
            op(op="MyLayer", inputs="a", outputs="y"),
        ]
    )
    found = place(made, load_target(name))
    assert [(each.index, each.op, each.version) for each in found] == [
        (0, "RELU", 2),
        (1, "MyLayer", 1),
    ]
    assert all(each.reason for each in found)
    assert {each.placement for each in found} <= {"edgetpu", "cpu", "gpu", "npu", "uncertain"}


def test_a_cpu_target_runs_all_on_the_cpu(graph: Any, op: Any) -> None:
    made = graph([op(op="RELU", inputs="x", outputs="y")])
    assert place(made, load_target("raspberry-pi-4")) == (
        Placement(0, "RELU", 1, "cpu", "Raspberry Pi 4 Model B runs everything on the CPU"),
    )


@pytest.mark.parametrize(
    ("name", "version", "given", "expected"),
    [
        pytest.param("RELU", 1, {"dtype": "float32"}, "gpu", id="on the list"),
        pytest.param("RELU", 2, {"dtype": "float32"}, "uncertain", id="later version"),
        pytest.param("CUMSUM", 1, {"dtype": "float32"}, "cpu", id="not on the list"),
        pytest.param("RELU", 1, {"dtype": "int8"}, "uncertain", id="quantized"),
        pytest.param("RELU", 1, {"dtype": "int64"}, "cpu", id="integers"),
        pytest.param("MyLayer", 1, {"dtype": "float32"}, "cpu", id="custom"),
        pytest.param(
            "RELU", 1, {"dtype": "float32", "shape": (2, 4, 4, 1)}, "uncertain", id="batch"
        ),
    ],
)
def test_the_gpu_takes_what_its_list_names(
    graph: Any, op: Any, tensor: Any, name: str, version: int, given: Any, expected: str
) -> None:
    made = graph(
        [op(op=name, inputs="x", outputs="y", version=version)],
        x=tensor(**given),
        y=tensor(**given),
    )
    assert place(made, load_target("android-gpu"))[0].placement == expected


def test_float16_weights_cost_the_gpu_nothing(graph: Any, op: Any, tensor: Any) -> None:
    half = tensor(shape=(2,), dtype="float16", values=np.zeros(2, np.float16))
    made = graph([op(op="DEQUANTIZE", inputs="w", outputs="y")], w=half)
    assert place(made, load_target("android-gpu"))[0].placement == "gpu"

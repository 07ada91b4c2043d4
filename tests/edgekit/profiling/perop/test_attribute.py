"""Kernels back to the operators of a model."""

import pytest
from made_graphs import Op, make_graph

from edgekit.errors import InputError
from edgekit.profiling.perop.attribute import KernelTime, attribute

GRAPH = make_graph(
    [
        Op(op="CONV_2D", inputs="x w", outputs="a"),
        Op(op="HARD_SWISH", inputs="a", outputs="b"),
        Op(op="CONV_2D", inputs="b v", outputs="c"),
        Op(op="RESHAPE", inputs="c", outputs="d"),
    ]
).main
CONV = "Convolution (NHWC, QC8) IGEMM"


def kernel(name: str, ms: float, *, op: int | None = None, first: bool = False) -> KernelTime:
    return KernelTime(kernel=name, op=op, first=first, ms=ms)


def test_each_operator_gets_its_kernels_and_its_partition() -> None:
    told = [
        kernel(CONV, 3.0, first=True),
        kernel("HARD_SWISH", 2.0, op=1),
        kernel(CONV, 1.0, first=True),
        kernel("Static Reshape (NC)", 0.5),
    ]
    found = attribute(GRAPH, told)
    assert [each.index for each in found] == [0, 1, 2, 3]
    assert [each.ms for each in found] == [3.0, 2.0, 1.0, 0.5]
    assert [each.delegated for each in found] == [True, False, True, True]
    assert [each.partition for each in found] == [0, None, 1, 1]
    assert found[1].kernel == "built-in"


def test_an_operator_without_a_kernel_was_merged_and_takes_no_time() -> None:
    told = [kernel(CONV, 3.0, first=True), kernel("HARD_SWISH", 2.0, op=1),
            kernel(CONV, 1.0, first=True)]  # fmt: skip
    merged = attribute(GRAPH, told)[3]
    assert (merged.ms, merged.kernel, merged.delegated) == (0.0, "", True)


def test_no_time_is_lost_where_the_runtime_divided_the_model_otherwise() -> None:
    told = [kernel(CONV, 3.0, first=True), kernel("HARD_SWISH", 2.0, op=1),
            kernel(CONV, 1.0)]  # fmt: skip
    assert sum(each.ms for each in attribute(GRAPH, told)) == 6.0


def test_a_model_of_built_in_kernels_alone_has_no_partition() -> None:
    told = [kernel(op.op, 1.0, op=op.index) for op in GRAPH.ops]
    assert {(each.delegated, each.partition) for each in attribute(GRAPH, told)} == {
        (False, None)
    }


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([kernel("SOFTMAX", 1.0, op=1)], id="another operator"),
        pytest.param([kernel("HARD_SWISH", 1.0, op=9)], id="too many"),
        pytest.param(
            [kernel(op.op, 1.0, op=op.index) for op in GRAPH.ops] + [kernel(CONV, 1.0)],
            id="kernels without operators",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused(told: list[KernelTime]) -> None:
    with pytest.raises(InputError, match="profiler tells of"):
        attribute(GRAPH, told)

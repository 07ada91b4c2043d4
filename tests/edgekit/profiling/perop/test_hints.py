"""What is said about a model whose operators' times are known."""

import pytest
from made_graphs import Op, Tensor, make_graph

from edgekit.flatbuffer import Graph
from edgekit.profiling.perop.hints import hints
from edgekit.profiling.perop.records import OVERHEAD, OpTime, Roof

FLOAT = Tensor(dtype="float32")


def times(graph: Graph, *shares: float, builtin: set[int] | None = None) -> list[OpTime]:
    """Give operators shares of the time; those of `builtin` are not XNNPACK's."""
    return [
        OpTime(
            index=op.index,
            op=op.op,
            kernel="k",
            ms=share,
            share=share,
            delegated=op.index not in (builtin or set()),
            macs=graph.macs(op),
        )
        for op, share in zip(graph.ops, shares, strict=True)
    ]


def codes(graph: Graph, ops: list[OpTime], **more: object) -> list[str]:
    settings = {"partitions": 1, "roof": None} | more
    return [each.code for each in hints(graph, ops, **settings)]  # type: ignore[arg-type]


SWISH = make_graph(
    [
        Op(op="CONV_2D", inputs="x w", outputs="a"),
        Op(op="HARD_SWISH", inputs="a", outputs="b"),
    ],
    w=Tensor(shape=(4, 1, 1, 4), values=bytes(16)),
)


def test_a_model_without_faults_gets_no_hint() -> None:
    assert codes(SWISH, times(SWISH, 0.9, 0.1)) == []


def test_an_operator_that_xnnpack_does_not_run_is_named_with_its_remedy() -> None:
    (hint,) = hints(SWISH, times(SWISH, 0.4, 0.6, builtin={1}), partitions=1, roof=None)
    assert (hint.code, hint.ops, hint.share) == ("not-delegated", (1,), 0.6)
    assert "1 HARD_SWISH of int8: 60%" in hint.text
    assert "ReLU6" in hint.text


def test_what_takes_next_to_no_time_is_not_worth_a_word() -> None:
    assert codes(SWISH, times(SWISH, 0.99, 0.01, builtin={1})) == []


def test_without_a_delegate_nothing_is_missing_from_it() -> None:
    assert codes(SWISH, times(SWISH, 0.4, 0.6, builtin={0, 1})) == []


def test_floats_in_an_integer_model_are_an_island() -> None:
    graph = make_graph(
        [
            Op(op="CONV_2D", inputs="x w", outputs="a"),
            Op(op="DEQUANTIZE", inputs="a", outputs="f"),
            Op(op="EXP", inputs="f", outputs="g"),
            Op(op="QUANTIZE", inputs="g", outputs="y"),
        ],
        w=Tensor(shape=(4, 1, 1, 4), values=bytes(16)),
        f=FLOAT,
        g=FLOAT,
    )
    assert codes(graph, times(graph, 0.7, 0.005, 0.29, 0.005)) == ["float-island"]


@pytest.mark.parametrize(
    ("channels", "found"),
    [
        pytest.param(32, [], id="even"),
        pytest.param(28, ["odd-channels"], id="28 are computed as 32"),
        pytest.param(63, [], id="one of 64 is no matter"),
        pytest.param(3, [], id="a few are few"),
    ],
)
def test_channels_that_do_not_fill_the_kernels(channels: int, found: list[str]) -> None:
    graph = make_graph(
        [Op(op="CONV_2D", inputs="x w", outputs="y")],
        w=Tensor(shape=(channels, 1, 1, 4), values=bytes(4 * channels)),
        y=Tensor(shape=(1, 8, 8, channels)),
    )
    assert codes(graph, times(graph, 1.0)) == found


def test_moving_data_and_many_parts_come_in_the_order_of_their_shares() -> None:
    graph = make_graph(
        [
            Op(op="TRANSPOSE", inputs="x", outputs="a"),
            Op(op="SUB", inputs="a b", outputs="y"),
        ]
    )
    rows = times(graph, 0.3, 0.2, builtin={1})
    rows.append(OpTime(index=OVERHEAD, op="", kernel="overhead", ms=0.3, share=0.3))
    assert codes(graph, rows, partitions=5) == ["partitions", "moves-data", "not-delegated"]


def test_float_products_are_told_what_int8_would_save_here() -> None:
    graph = make_graph(
        [Op(op="CONV_2D", inputs="x w", outputs="y")],
        x=FLOAT,
        y=FLOAT,
        w=Tensor(shape=(4, 1, 1, 4), dtype="float32", values=bytes(64)),
    )
    fast = Roof(gmacs_per_s={"float32": 10.0, "int8": 40.0}, gb_per_s={"1": 1.0})
    (hint,) = hints(graph, times(graph, 1.0), partitions=1, roof=fast)
    assert "4.0 times as many int8" in hint.text
    slow = Roof(gmacs_per_s={"float32": 10.0, "int8": 11.0}, gb_per_s={"1": 1.0})
    assert codes(graph, times(graph, 1.0), roof=slow) == []

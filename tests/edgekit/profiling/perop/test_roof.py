"""What limits an operator, by its MACs and bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_graphs import Op, Tensor, make_graph

from edgekit.profiling.perop.records import Roof
from edgekit.profiling.perop.roof import bound, computes_with, moved, multiplies, roof
from edgekit.runtime import open_backend

TOP = Roof(gmacs_per_s={"int8": 100.0}, gb_per_s={"1000": 10.0, "100000": 1.0})


@pytest.mark.parametrize(
    ("macs", "size", "dtype", "found"),
    [
        pytest.param(100_000_000, 1000, "int8", ("compute", 1.0), id="a large product"),
        pytest.param(0, 1000, "int8", ("memory", 0.0001), id="in the caches"),
        pytest.param(0, 100_000, "int8", ("memory", 0.1), id="from memory"),
        pytest.param(0, 10**6, "int8", ("memory", 1.0), id="larger than any copy"),
        pytest.param(100_000_000, 1000, "int4", ("memory", 0.0001), id="no rate is known"),
    ],
)
def test_known_limits(macs: int, size: int, dtype: str, found: tuple[str, float]) -> None:
    what, ms = bound(macs, size, dtype, TOP)
    assert what == found[0]
    assert ms == pytest.approx(found[1])


@given(macs=st.integers(0, 10**9), size=st.integers(0, 10**6), more=st.integers(0, 10**9))
def test_more_macs_never_take_less_time(macs: int, size: int, more: int) -> None:
    assert bound(macs + more, size, "int8", TOP)[1] >= bound(macs, size, "int8", TOP)[1]


def test_bytes_are_those_of_values_and_weights() -> None:
    graph = make_graph(
        [Op(op="ADD", inputs="x w", outputs="y")],
        w=Tensor(shape=(4,), values=b"1234"),
    )
    assert moved(graph.ops[0], graph) == 256 + 4 + 256
    assert computes_with(graph.ops[0], graph) == "int8"


def test_int8_weights_make_integers_of_float_values() -> None:
    graph = make_graph(
        [Op(op="FULLY_CONNECTED", inputs="x w", outputs="y")],
        x=Tensor(dtype="float32"),
        w=Tensor(shape=(4, 4), values=bytes(16)),
    )
    assert computes_with(graph.ops[0], graph) == "float32"
    assert multiplies(graph.ops[0], graph) == "int8"


def test_this_machine_has_a_rate_for_each_type_that_was_asked_for() -> None:
    found = roof(["float32", "int16"], backend=open_backend(), threads=1, delegate=None)
    assert set(found.gmacs_per_s) == {"float32"}
    assert all(each > 0 for each in (*found.gmacs_per_s.values(), *found.gb_per_s.values()))

"""Memory of values: known plans, and laws for any."""

from pathlib import Path

import pytest
import tiny_models as tiny
from hypothesis import given
from hypothesis import strategies as st
from made_graphs import Op, make_graph

from edgekit.flatbuffer.graph import Graph
from edgekit.profiling.arena import Life, arena_bytes, planned

lives = st.lists(
    st.builds(
        lambda size, first, length: Life(size, first, first + length),
        st.integers(0, 10**6),
        st.integers(0, 20),
        st.integers(0, 20),
    ),
    max_size=20,
)


@pytest.mark.parametrize(
    ("tensors", "size"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([Life(1, 0, 1)], 64, id="one, aligned"),
        pytest.param([Life(128, 0, 1), Life(128, 1, 2)], 256, id="in and out of one operator"),
        pytest.param([Life(128, 0, 1), Life(128, 2, 3)], 128, id="one after the other"),
        pytest.param(
            [Life(64, 0, 1), Life(256, 1, 2), Life(64, 2, 3)], 320, id="small beside large"
        ),
    ],
)
def test_known_plans(tensors: list[Life], size: int) -> None:
    assert planned(tensors) == size


@given(lives)
def test_it_holds_what_lives_together_and_no_more_than_all(tensors: list[Life]) -> None:
    found = planned(tensors)
    at_once = max(
        (sum(t.size for t in tensors if t.first <= now <= t.last) for now in range(41)),
        default=0,
    )
    assert at_once <= found <= sum(t.size + 63 for t in tensors)


def test_a_branch_keeps_its_value_until_it_is_read() -> None:
    chain = [Op(op="ABS", inputs="x", outputs="a"), Op(op="ABS", inputs="a", outputs="b")]
    assert arena_bytes(make_graph(chain)) == 2 * 256
    branch = [*chain, Op(op="ADD", inputs="x b", outputs="y")]
    assert arena_bytes(make_graph(branch)) == 3 * 256


def test_weights_are_no_part_of_it(tmp_path: Path) -> None:
    graph = Graph(tiny.write_colors(tmp_path / "colors.tflite"))
    assert arena_bytes(graph) == 192 + 64

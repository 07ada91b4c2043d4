"""Small graphs, made on the spot."""

from collections.abc import Callable

import pytest
from made_graphs import Op, Tensor, make_graph

from edgekit.flatbuffer import Graph


@pytest.fixture
def op() -> type[Op]:
    """Return the description of an operator."""
    return Op


@pytest.fixture
def tensor() -> type[Tensor]:
    """Return the description of a tensor."""
    return Tensor


@pytest.fixture
def graph() -> Callable[..., Graph]:
    """Return the function that makes a graph."""
    return make_graph

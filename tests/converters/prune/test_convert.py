"""What pruning set to zero is zero in the int8 file, and the file is a small download."""

import dataclasses
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.errors import UsageError
from edgekit.flatbuffer.graph import Graph
from edgekit_converters.pipeline import Conversion, convert
from edgekit_converters.recipe import Recipe

pytestmark = pytest.mark.tf


def kernels(path: Path) -> list[NDArray[Any]]:
    """Return the int8 weights of a file, those with more than one axis."""
    graph = Graph(path)
    found = []
    for tensor in graph.main.tensors:
        if tensor.is_constant and tensor.dtype == "int8" and len(tensor.shape) > 1:
            assert set(tensor.zero_point) == {0}, "an int8 zero is a real zero"
            found.append(np.asarray(graph.constant(tensor)))
    return found


def converted(recipe: Recipe, out: Path) -> tuple[Conversion, Path]:
    found = convert(recipe, out)
    return found, Path(found.artifacts[0].path)


@pytest.mark.slow
@pytest.mark.parametrize("amount", ["magnitude:0.8", "2:4", "clusters:8"])
def test_a_conversion_keeps_zeros_and_makes_a_smaller_download(
    spots_model: Path, spots: Path, tmp_path: Path, amount: str
) -> None:
    plain = Recipe(model=str(spots_model), calibrate=str(spots))
    _, dense = converted(plain, tmp_path / "dense")
    recipe = dataclasses.replace(plain, prune=amount, data=str(spots), epochs=2, distill=True)
    found, sparse = converted(recipe, tmp_path / "sparse")
    assert found.pruning is not None
    assert found.pruning["amount"] == amount
    assert found.pruning["proof_difference"] is None
    promised = sum(each["zeros"] for each in found.pruning["kernels"])
    assert sum(int((each == 0).sum()) for each in kernels(sparse)) >= promised
    sizes = [len(gzip.compress(path.read_bytes(), mtime=0)) for path in (sparse, dense)]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        pytest.param({"qat": 1, "data": "d"}, "Leave one of them out", id="qat"),
        pytest.param({"round": True}, "--round moves every weight", id="round"),
        pytest.param({"distill": True}, "--epochs N", id="distill"),
        pytest.param({"prune_steps": 2, "epochs": 2, "data": "d"}, "Leave --steps", id="steps"),
        pytest.param({"importance": "taylor"}, "--data DATA", id="taylor"),
    ],
)
def test_wishes_that_contradict_each_other_are_refused(
    wishes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        Recipe(model="a.keras", prune="magnitude:0.8", **wishes)

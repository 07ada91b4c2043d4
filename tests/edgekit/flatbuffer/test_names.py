"""Short names: smaller file, same model."""

from pathlib import Path

import numpy as np
import pytest

from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.names import with_short_names
from edgekit.flatbuffer.tables import Table, pack
from edgekit.runtime import load

MODELS = (
    "models/tflite/mlperf_tiny/visual_wake_words/trained_models/vww_96_int8.tflite",
    "models/tflite/mlperf_tiny/keyword_spotting/trained_models/kws_ref_model.tflite",
)


@pytest.mark.data
@pytest.mark.parametrize("name", MODELS, ids=lambda name: Path(name).stem)
def test_names_are_short_and_unique_and_the_model_computes_the_same(
    name: str, data_dir: Path, tmp_path: Path
) -> None:
    before = (data_dir / name).read_bytes()
    after = with_short_names(before)
    path = tmp_path / "short.tflite"
    path.write_bytes(after)
    names = [tensor.name for tensor in Graph(after).main.tensors]
    assert len(set(names)) == len(names)
    assert not any(";" in each for each in names[1:-1])
    assert len(after) <= len(before)
    original, short = load(data_dir / name, probe=False), load(path, probe=False)
    assert [each.name for each in short.outputs] == [each.name for each in original.outputs]
    spec = original.inputs[0]
    x = np.random.default_rng(0).integers(-128, 128, spec.shape).astype(spec.dtype)
    np.testing.assert_array_equal(original.raw(x), short.raw(x))


def test_the_first_of_several_names_stays_and_clashes_get_a_number(model: Table) -> None:
    for tensor, name in zip(
        model.subgraphs[0].tensors[1:5], ("a;b", "a;c", "d", "d"), strict=True
    ):
        tensor.name = name
    names = [tensor.name for tensor in Graph(with_short_names(pack(model))).main.tensors]
    assert names == ["image", "a", "a_2", "d", "d_2", "scores"]


def test_a_second_time_changes_nothing(model: Table) -> None:
    once = with_short_names(pack(model))
    assert with_short_names(once) == once

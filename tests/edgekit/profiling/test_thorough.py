"""Sweep, operators and a long run in one record; node data of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import tiny_models as tiny

from edgekit.errors import UsageError
from edgekit.profiling.node_data import node_data, node_data_text
from edgekit.profiling.perop.records import OpTime
from edgekit.profiling.profile import Profile, profile
from edgekit.profiling.thorough import measure
from edgekit.records import from_json, to_json


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_colors(tmp_path / "colors.tflite")


def test_all_at_once_is_one_record_that_survives_json(model: Path) -> None:
    (found,) = measure(
        [model], operators=True, settings=True, seconds=0.2, runs=10, threads=1, warmup_s=0.05
    )
    assert found.sweep is not None
    assert found.sustained is not None
    assert found.per_op is not None
    assert found.threads == found.sweep.recommended.threads
    assert [each.op for each in found.ops] == ["FULLY_CONNECTED", ""]
    assert any(note.startswith("Recommended") for note in found.notes)
    document = json.loads(json.dumps(to_json(found)))
    assert from_json(Profile, document, "the profile") == found
    assert {"index", "op", "kernel", "ms", "share"} <= set(document["ops"][0])


def test_operators_of_several_models_are_measured_one_after_the_other(
    tmp_path: Path, model: Path
) -> None:
    other = tiny.write_colors(tmp_path / "int8.tflite", quantized=True)
    found = measure([model, other], operators=True, runs=5, threads=1, warmup_s=0.05)
    assert [len(each.ops) for each in found] == [2, 2]


@pytest.mark.parametrize("more", [{"settings": True}, {"seconds": 1.0}])
def test_a_sweep_and_a_long_run_take_one_model(model: Path, more: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="takes one model; found 2"):
        measure([model, model], **more)


def test_a_keras_file_has_no_operators_yet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \.tflite"):
        measure([tmp_path / "m.keras"], operators=True)


def row(index: int, name: str, ms: float = 1.0) -> OpTime:
    return OpTime(index=index, op="ADD", kernel="", ms=ms, share=0.1, name=name)


def test_node_data_find_operators_by_the_name_of_their_tensor() -> None:
    rows = [row(0, "a", 0.25), row(1, "twice"), row(2, "twice"), row(3, ""), row(-1, "x")]
    found = node_data(rows)
    assert found["results"] == {"a": {"value": 0.25}}
    assert [each["stop"] for each in found["gradient"]] == [0, 0.2, 1]


def test_node_data_need_the_operators_of_one_model(model: Path) -> None:
    with pytest.raises(UsageError, match="found 0 models"):
        node_data_text([])
    with pytest.raises(UsageError, match="without times of its operators"):
        node_data_text([profile(model, runs=3, warmup_s=0.05)])

"""What is told about a .tflite file without running it."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny

from edgekit.errors import InputError, UnknownName
from edgekit.inspection import inspect
from edgekit.manifest import Manifest
from edgekit.records import to_json


def test_an_integer_model_is_described(tmp_path: Path) -> None:
    manifest = Manifest(labels=("blue", "green", "red"), task="classify")
    model = tiny.write_colors(tmp_path / "m.tflite", quantized=True, manifest=manifest)
    found = inspect(model)
    assert (found.fully_integer, found.float_islands) == (True, ())
    assert [(each.name, each.shape, each.dtype) for each in found.inputs] == [
        ("image", (1, 4, 4, 3), "int8")
    ]
    assert found.inputs[0].scale == pytest.approx(1 / 255)
    assert found.inputs[0].zero_point == -128
    assert [(op.index, op.op, op.version) for op in found.ops] == [(0, "FULLY_CONNECTED", 4)]
    assert found.macs == 3 * 48
    assert found.weight_bytes == 3 * 48 + 3 * 4
    assert found.bytes == model.stat().st_size
    assert found.manifest is not None
    assert found.manifest["labels"] == ["blue", "green", "red"]
    assert (found.summary, found.ops[0].placement) == ({}, None)


def test_a_float_model_is_not_integer_and_is_not_scolded_for_it(tmp_path: Path) -> None:
    found = inspect(tiny.write_colors(tmp_path / "m.tflite"))
    assert not found.fully_integer
    assert [op.op for op in found.float_islands] == ["FULLY_CONNECTED"]
    assert found.inputs[0].scale is None
    assert found.manifest is None
    assert found.warnings == ()


@pytest.mark.parametrize("target", ["coral-usb", "raspberry-pi-4", "android"])
def test_a_target_says_where_each_operator_runs_and_why(tmp_path: Path, target: str) -> None:
    found = inspect(tiny.write_colors(tmp_path / "m.tflite", quantized=True), target=target)
    assert found.target == target
    assert sum(found.summary.values()) == len(found.ops) == 1
    assert {"edgetpu", "cpu", "uncertain"} <= found.summary.keys()
    assert all(op.placement and op.reason for op in found.ops)


def test_an_edge_tpu_is_warned_of_a_float_model_and_a_cpu_is_not(tmp_path: Path) -> None:
    model = tiny.write_colors(tmp_path / "m.tflite")
    (warning,) = inspect(model, target="coral-usb").warnings
    assert "computes with integers only" in warning
    assert "edgekit convert --target coral-usb" in warning
    assert inspect(model, target="raspberry-pi-4").warnings == ()


def test_the_document_has_every_key_of_the_contract(tmp_path: Path) -> None:
    document = to_json(inspect(tiny.write_colors(tmp_path / "m.tflite")))
    wanted = {
        "inputs",
        "outputs",
        "fully_integer",
        "float_islands",
        "ops",
        "summary",
        "manifest",
    }
    assert wanted <= document.keys()
    assert {"index", "op", "version", "placement", "reason"} <= document["ops"][0].keys()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(np.random.default_rng(0).bytes(300))
    with pytest.raises(InputError, match=r"x\.tflite"):
        inspect(tmp_path / "x.tflite")
    with pytest.raises(InputError, match=r"nothing\.tflite"):
        inspect(tmp_path / "nothing.tflite")


def test_an_unknown_target_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="coral-usb"):
        inspect(tiny.write_colors(tmp_path / "m.tflite"), target="toaster")


@pytest.mark.data
def test_a_compiled_edge_tpu_file_is_named_as_such(data_dir: Path) -> None:
    name = "edgetpu/test_data/mobilenet_v1_0.25_128_quant_edgetpu.tflite"
    found = inspect(data_dir / name)
    assert [op.op for op in found.ops] == ["edgetpu-custom-op"]
    assert "compiled for the Edge TPU" in found.warnings[0]


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "visual_wake_words/trained_models/vww_96_int8",
        "keyword_spotting/trained_models/kws_ref_model",
    ],
)
def test_an_open_batch_is_told(data_dir: Path, name: str) -> None:
    (warning,) = inspect(data_dir / f"models/tflite/mlperf_tiny/{name}.tflite").warnings
    assert "batch is left open" in warning


@pytest.mark.data
def test_a_float_island_in_an_integer_model_is_named(data_dir: Path) -> None:
    (path,) = (data_dir / "models/tflite").rglob("coco_ssd*.tflite")
    found = inspect(path)
    assert "1 operator of this integer model in float: TFLite_Detection" in found.warnings[0]
    assert [op.op for op in found.float_islands] == ["TFLite_Detection_PostProcess"]


@pytest.mark.data
def test_every_real_file_is_described(data_dir: Path) -> None:
    files = sorted((data_dir / "models/tflite").rglob("*.tflite"))
    assert files
    for path in files:
        found = inspect(path)
        assert found.ops
        assert found.weight_bytes <= found.bytes

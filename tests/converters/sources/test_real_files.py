"""Every Keras file that others trained is imported, and computes the same as a .tflite."""

from pathlib import Path

import pytest

from edgekit.errors import SourceError
from edgekit_converters.sources import check_import, fix_batch, load_source, write_float

pytestmark = [pytest.mark.tf, pytest.mark.data]

REBUILT = "rebuilt from tf_keras"
EXPECTED = {
    "fer2013_mini_XCEPTION.102-0.66.hdf5": "keras",
    "ad01.h5": "keras",
    "pretrainedResnet.h5": "keras",
    "kws_ref_model": REBUILT,
    "str_ww_ref_model.h5": REBUILT,
    "vww_96.h5": REBUILT,
    "mobilenet_v1_0.25_224.h5": REBUILT,
}


def find(data_dir: Path, name: str) -> Path:
    return next((data_dir / "models").rglob(name))


def test_no_file_is_left_out(data_dir: Path) -> None:
    folder = data_dir / "models" / "keras"
    files = {
        path.name for path in folder.rglob("*") if path.suffix in {".h5", ".hdf5", ".keras"}
    }
    saved = {path.parent.name for path in folder.rglob("saved_model.pb")}
    assert files | saved == EXPECTED.keys()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "loaded_by"), EXPECTED.items(), ids=EXPECTED.keys())
def test_import_is_exact(name: str, loaded_by: str, data_dir: Path, tmp_path: Path) -> None:
    source = load_source(find(data_dir, name))
    assert (source.kind, source.loaded_by) == ("keras", loaded_by)
    assert source.difference is not None
    assert source.difference <= 1e-4
    fixed = fix_batch(source)
    assert all(spec.batch == 1 for spec in fixed.inputs)
    write_float(fixed, tmp_path / "float.tflite")
    assert check_import(fixed, tmp_path / "float.tflite").max_relative_difference <= 1e-4


@pytest.mark.parametrize(
    "name", ["ad01_fp32.tflite", "vww_96_float.tflite", "trained_lstm.tflite"]
)
def test_a_float_tflite_is_a_source(name: str, data_dir: Path) -> None:
    source = load_source(find(data_dir, name))
    assert source.kind == "tflite"
    assert source.inputs[0].batch in {1, None}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("ad01_int8.tflite", "quantized already", id="int8"),
        pytest.param("kws_ref_model_float32.tflite", "quantized already", id="dynamic range"),
        pytest.param("face_detection_back.tflite", "float16 weights", id="float16"),
    ],
)
def test_a_quantized_tflite_is_refused(name: str, words: str, data_dir: Path) -> None:
    with pytest.raises(SourceError, match=words):
        load_source(find(data_dir, name))

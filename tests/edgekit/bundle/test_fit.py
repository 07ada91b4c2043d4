"""Which models may go into a bundle, and what is said about them."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny

from edgekit.bundle.fit import (
    Candidate,
    common_target,
    doubts,
    open_candidates,
    reasons_against,
)
from edgekit.errors import InputError, UsageError
from edgekit.flatbuffer.tables import pack, read_model
from edgekit.manifest import Manifest
from edgekit.targets import load_target

PI = load_target("raspberry-pi-4")


def made_for(path: Path, target: str | None) -> Candidate:
    tiny.write_colors(path, quantized=True, manifest=Manifest(target=target))
    return open_candidates([path])[0]


def of_the_future(path: Path) -> Path:
    model = read_model(tiny.write_colors(path)).model
    model.operator_codes[0].version = 99
    path.write_bytes(pack(model))
    return path


def test_a_model_made_for_the_target_raises_no_doubts(tmp_path: Path) -> None:
    candidate = made_for(tmp_path / "m.tflite", PI.name)
    assert reasons_against(candidate, PI) == doubts(candidate, PI) == []


def test_a_model_for_a_sister_board_raises_no_doubts(tmp_path: Path) -> None:
    assert doubts(made_for(tmp_path / "m.tflite", "raspberry-pi-5"), PI) == []


def test_a_model_for_something_else_is_taken_with_a_word(tmp_path: Path) -> None:
    candidate = made_for(tmp_path / "m.tflite", "android")
    assert reasons_against(candidate, PI) == []
    (said,) = doubts(candidate, PI)
    assert "made for android" in said
    assert "--target raspberry-pi-4" in said


def test_a_model_for_the_edge_tpu_needs_one(tmp_path: Path) -> None:
    path = tiny.write_colors(tmp_path / "m.tflite", quantized=True)
    model = read_model(path).model
    code = model.operator_codes[0]
    code.builtin_code, code.deprecated_builtin_code = 32, 32  # CUSTOM
    code.custom_code = "edgetpu-custom-op"
    path.write_bytes(pack(model))
    (candidate,) = open_candidates([path])
    assert reasons_against(candidate, PI) == []
    assert "libedgetpu" in doubts(candidate, PI)[0]


def test_every_reason_is_given(tmp_path: Path) -> None:
    path = of_the_future(tmp_path / "m.tflite")
    path.write_bytes(path.read_bytes() + bytes(int(PI.memory_mb or 0) * 2**20))
    operator, size = reasons_against(open_candidates([path])[0], PI)
    assert "FULLY_CONNECTED version 99" in operator
    assert "512 MiB" in size


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    paths = [tiny.write_colors(folder / "m.tflite") for folder in (tmp_path, tmp_path / "a")]
    with pytest.raises(UsageError, match=r"m\.tflite is given twice"):
        open_candidates(paths)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"m\.npy is not a \.tflite file"):
        open_candidates([tmp_path / "m.npy"])


def test_the_target_is_what_all_models_were_made_for(tmp_path: Path) -> None:
    one = made_for(tmp_path / "1.tflite", "raspberry-pi-5")
    two = made_for(tmp_path / "2.tflite", "raspberry-pi-5")
    assert common_target([one, two]) == "raspberry-pi-5"


@pytest.mark.parametrize("other", ["android", None])
def test_models_that_do_not_agree_on_a_target_need_one_named(
    tmp_path: Path, other: str | None
) -> None:
    one = made_for(tmp_path / "1.tflite", "raspberry-pi-5")
    two = made_for(tmp_path / "2.tflite", other)
    with pytest.raises(UsageError, match=r"1\.tflite: raspberry-pi-5"):
        common_target([one, two])

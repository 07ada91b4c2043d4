"""What the graph of a file tells about its pictures."""

from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny

from edgekit.data.foreign import Foreign, is_picture, read_foreign

SHAPE = (1, 8, 8, 3)


def test_a_quantized_input_tells_its_range(tmp_path: Path) -> None:
    found = read_foreign(tiny.write_colors(tmp_path / "m.tflite", quantized=True))
    assert found.preprocessing is not None
    assert found.preprocessing.input_range == pytest.approx((0.0, 1.0))
    assert "quantized input" in found.origin


def test_a_float_input_tells_nothing(tmp_path: Path) -> None:
    assert read_foreign(tiny.write_colors(tmp_path / "m.tflite")) == Foreign()


@pytest.mark.parametrize(
    ("op", "constant", "scales"),
    [
        pytest.param("MUL", 1 / 255, True, id="to 0..1"),
        pytest.param("MUL", 1 / 127.5, True, id="to -1..1"),
        pytest.param("MUL", 1.5, False, id="a gain"),
        pytest.param("DIV", 255.0, True, id="divided"),
        pytest.param("SUB", 127.5, True, id="centred"),
        pytest.param("ADD", 0.5, False, id="a small shift"),
        pytest.param("MAXIMUM", 0.0, False, id="something else"),
    ],
)
def test_a_graph_that_scales_its_input_is_known_by_its_constant(
    tmp_path: Path, op: str, constant: float, scales: bool
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.elementwise(op, SHAPE, constant))
    assert read_foreign(path).normalizes_itself is scales


def test_vectors_are_not_scaled_pictures(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.elementwise("MUL", (1, 640), 1 / 255))
    assert read_foreign(path) == Foreign()


def test_a_damaged_file_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(np.random.default_rng(0).bytes(99))
    assert read_foreign(tmp_path / "m.tflite") == Foreign()


@pytest.mark.parametrize(
    ("shape", "picture"),
    [
        pytest.param((1, 224, 224, 3), True, id="colour"),
        pytest.param((28, 28, 1), True, id="gray, no batch"),
        pytest.param((1, 240, 320, 1), True, id="gray, wide"),
        pytest.param((1, 49, 10, 1), False, id="spectrogram"),
        pytest.param((1, 96, 96, 8), False, id="features"),
        pytest.param((1, 16000), False, id="sound"),
        pytest.param((1, 1, 640, 3), False, id="a row"),
        pytest.param((), False, id="scalar"),
    ],
)
def test_which_shapes_are_pictures(shape: tuple[int, ...], picture: bool) -> None:
    assert is_picture(shape) is picture

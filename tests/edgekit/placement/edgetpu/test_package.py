"""What compiled files hold: made ones, real ones, damaged ones."""

from pathlib import Path
from typing import Any

import pytest
from edgetpu_packages import executable, package
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import InputError
from edgekit.flatbuffer import Graph, OpView
from edgekit.placement.edgetpu.package import read_compiled, read_package

OP = OpView(3, "CUSTOM", 1, (0,), (1,), custom_code="edgetpu-custom-op")
TWO = package(executable(640, 1), executable(96, 2))


def test_parameters_of_the_caching_program_stay_and_the_others_are_streamed() -> None:
    found = read_package(TWO, OP, "a.tflite")
    assert found.min_runtime == 14
    assert found.compiler == "cl/1"
    assert [each.kind for each in found.executables] == ["caching", "execution"]
    assert (found.cached_bytes, found.streamed_bytes) == (640, 96)
    assert found.executables[0].chip == "beagle"
    assert found.executables[0].scratch_bytes == 64


def test_a_program_that_stands_alone_streams_its_parameters() -> None:
    found = read_package(package(executable(32, 0)), OP, "a.tflite")
    assert (found.cached_bytes, found.streamed_bytes) == (0, 32)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "carries no package", id="nothing"),
        pytest.param(b"DWN1", "carries no package", id="no root"),
        pytest.param(TWO[:40], "ends too early", id="cut"),
        pytest.param(TWO[:-64], "ends too early", id="cut at the end"),
        pytest.param(package(), "holds no program", id="empty"),
        pytest.param(package(executable(0, 7)), "unknown kind 7", id="kind"),
    ],
)
def test_a_damaged_package_is_one_clear_message(content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=rf"a\.tflite, operator 3.*{words}"):
        read_package(content, OP, "a.tflite")


@given(start=st.integers(0, len(TWO) - 1), noise=st.binary(min_size=1, max_size=12))
def test_whatever_is_damaged_is_read_or_refused(start: int, noise: bytes) -> None:
    content = TWO[:start] + noise + TWO[start + len(noise) :]
    try:
        found = read_package(content, OP, "a.tflite")
    except InputError:
        return
    assert found.cached_bytes <= len(content) * len(found.executables)


def test_a_file_that_was_not_compiled_has_none(graph: Any, op: Any) -> None:
    assert read_compiled(graph([op(op="RELU", inputs="x", outputs="y")])) is None


def test_a_custom_operator_without_a_package_is_refused(graph: Any, op: Any) -> None:
    made = graph([op(op="edgetpu-custom-op", inputs="x", outputs="y")])
    with pytest.raises(InputError, match="carries no package of the Edge TPU compiler"):
        read_compiled(made)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "runtime", "cached", "streamed", "left"),
    [
        pytest.param("mobilenet_v1_0.25_128_quant", 12, 566_912, 0, 0, id="mobilenet"),
        pytest.param("deeplabv3_mnv2_dm05_pascal_quant", 12, 766_720, 0, 8, id="deeplab"),
        pytest.param("movenet_single_pose_lightning_ptq", 12, 2_862_656, 2_368, 59, id="pose"),
        pytest.param("keras_lstm_mnist_ptq", 12, 43_968, 576, 0, id="lstm"),
        pytest.param("split_concat", 13, 192, 0, 0, id="layout"),
    ],
)
def test_real_files_tell_what_was_compiled_in(
    data_dir: Path, name: str, runtime: int, cached: int, streamed: int, left: int
) -> None:
    found = read_compiled(Graph(data_dir / f"edgetpu/test_data/{name}_edgetpu.tflite"))
    assert found is not None
    assert found.min_runtime == runtime
    assert (found.cached_bytes, found.streamed_bytes) == (cached, streamed)
    assert len(found.cpu_ops) == left
    assert found.chip == "beagle"
    assert found.packages[0].executables[0].inputs
    assert found.instruction_bytes > 0


@pytest.mark.data
def test_a_real_file_with_a_damaged_package_is_refused(data_dir: Path) -> None:
    path = data_dir / "edgetpu/test_data/split_concat_edgetpu.tflite"
    content = bytearray(path.read_bytes())
    place = content.find(b"DWN1")
    content[place - 4 : place] = b"\xff\xff\xff\x7f"
    with pytest.raises(InputError, match=r"operator 0: its package .* ends too early"):
        read_compiled(Graph(bytes(content)))

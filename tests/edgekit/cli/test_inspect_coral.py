"""`edgekit inspect` with an Edge TPU in mind: what is shown, and what the JSON holds."""

import json
import sys
from pathlib import Path
from typing import Any

import edgetpu_packages
import numpy as np
import pytest
import tiny_models as tiny
from click.testing import CliRunner, Result
from edgetpu_stand_in import HEAD, stand_in

from edgekit.cli.main import cli
from edgekit.errors import InputError
from edgekit.flatbuffer import Graph, pack


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(each) for each in arguments])


def document(*arguments: str | Path) -> Any:
    done = call(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return an int8 model of one FULLY_CONNECTED."""
    return tiny.write_colors(tmp_path / "m.tflite", quantized=True)


@pytest.fixture
def compiled(tmp_path: Path, model: Path) -> Path:
    """Return it as the compiler would write it: one custom operator with a package."""
    file = Graph(model).file.model
    code, op = file.operator_codes[0], file.subgraphs[0].operators[0]
    code.builtin_code, code.deprecated_builtin_code, code.version = 32, 32, 1
    code.custom_code = "edgetpu-custom-op"
    package = edgetpu_packages.package(
        edgetpu_packages.executable(640, 1), edgetpu_packages.executable(96, 2), runtime=13
    )
    op.custom_options = np.frombuffer(package, np.uint8)
    op.builtin_options = None
    op.inputs = op.inputs[:1]
    path = tmp_path / "m_edgetpu.tflite"
    path.write_bytes(pack(file))
    return path


def test_a_target_with_an_edge_tpu_says_what_becomes_of_the_parameters(model: Path) -> None:
    shown = " ".join(call("inspect", model, "--target", "coral-usb").stdout.split())
    assert "on coral-usb 1 edgetpu, as predicted" in shown
    assert "packed, fits on the chip" in shown
    found = document("inspect", model, "--target", "coral-usb")
    assert found["memory"]["verdict"] == "fits"
    assert [layer["memory"] for layer in found["memory"]["layers"]] == ["cached"]
    assert (found["compiled"], found["compiler"]) == (None, None)
    assert document("inspect", model, "--target", "raspberry-pi-4")["memory"] is None


def test_a_compiled_file_tells_what_was_compiled_in(compiled: Path) -> None:
    shown = " ".join(call("inspect", compiled).stdout.split())
    assert "Edge TPU runtime 13 or later" in shown
    assert "640 B of parameters" in shown
    assert "left on the CPU nothing" in shown
    assert "predicted" not in call("inspect", compiled, "--target", "coral-usb").stdout
    found = document("inspect", compiled)
    assert found["compiled"]["min_runtime"] == 13
    assert (found["compiled"]["cached_bytes"], found["compiled"]["streamed_bytes"]) == (640, 96)
    assert found["compiled"]["cpu_ops"] == []


def test_a_damaged_package_is_one_message(compiled: Path) -> None:
    content = compiled.read_bytes()
    compiled.write_bytes(content.replace(b"DWN1", b"DWN2"))
    done = call("inspect", compiled)
    assert isinstance(done.exception, InputError)
    assert "carries no package of the Edge TPU compiler" in str(done.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_the_real_compiler_is_shown_beside_the_prediction(tmp_path: Path, model: Path) -> None:
    said = f"{HEAD}\nCompilation failed: too large.\nCompilation failed!"
    program = stand_in(tmp_path / "compiler", said)
    wish = ("inspect", model, "--target", "coral-usb", "--edgetpu-compiler", program)
    shown = " ".join(call(*wish).stdout.split())
    assert "16.0.384591198: too large." in shown
    assert "0 of 1 operators predicted, 0 left open, 1 wrong" in shown
    assert "Predicted otherwise than the compiler did it:" in shown
    found = document(*wish)
    assert found["compiler"]["failure"] == "too large."
    assert found["summary"]["cpu"] == 1
    (wrong,) = found["compiler"]["comparison"]["mismatches"]
    assert (wrong["predicted"], wrong["found"]) == ("edgetpu", "cpu")

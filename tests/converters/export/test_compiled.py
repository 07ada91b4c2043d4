"""Artifacts that the compiler of an accelerator makes, with a program in its place."""

import logging
import sys
from pathlib import Path

import pytest
import tiny_models as tiny
from edgetpu_stand_in import HEAD, SUCCESS, stand_in

from edgekit.artifact import read_manifest
from edgekit.errors import TargetError, UsageError
from edgekit.manifest import Manifest
from edgekit.targets import load_target
from edgekit_converters.export.compiled import compile_artifact, need_compiler

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")

CORAL = load_target("coral-usb")
MANIFEST = Manifest(name="colors", labels=("blue", "green", "red"), task="classify")


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    """Return an int8 model of one operator."""
    return tiny.write_colors(tmp_path / "colors.coral-usb.tflite", quantized=True)


def test_the_compiled_file_stands_beside_and_carries_the_manifest(
    tmp_path: Path, artifact: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = stand_in(tmp_path / "compiler", SUCCESS, writes=artifact)
    with caplog.at_level(logging.WARNING):
        made = compile_artifact(artifact.read_bytes(), artifact, CORAL, MANIFEST, str(program))
    assert made is not None
    assert Path(made.path) == tmp_path / "colors.coral-usb_edgetpu.tflite"
    assert made.compiler == "edgetpu_compiler 16.0.384591198"
    assert made.bytes == Path(made.path).stat().st_size
    assert read_manifest(Path(made.path)) == MANIFEST
    assert made.report is not None
    assert made.summary == {"cpu": 1}  # what it gives out is the model itself
    assert [each.found for each in made.report.comparison.mismatches] == ["cpu"]
    assert "was predicted on edgetpu and is on cpu" in caplog.text


def test_without_the_compiler_there_is_only_the_artifact(artifact: Path) -> None:
    content = artifact.read_bytes()
    assert compile_artifact(content, artifact, CORAL, MANIFEST, "none") is None
    pi = load_target("raspberry-pi-4")
    assert compile_artifact(content, artifact, pi, MANIFEST) is None


def test_a_compiler_that_is_named_and_not_there_is_refused_beforehand() -> None:
    need_compiler(CORAL, "none")
    need_compiler(load_target("raspberry-pi-4"), "/no/such")
    with pytest.raises(UsageError, match="there is no such program"):
        need_compiler(CORAL, "/no/such")


def test_a_refusal_of_the_compiler_is_one_of_the_target(tmp_path: Path, artifact: Path) -> None:
    program = stand_in(tmp_path / "compiler", f"{HEAD}\nInternal compiler error. Aborting!")
    with pytest.raises(TargetError, match=r"Internal compiler error.*\n.*compiler none"):
        compile_artifact(artifact.read_bytes(), artifact, CORAL, MANIFEST, str(program))

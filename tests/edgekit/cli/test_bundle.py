"""`edgekit bundle` on the command line: its table, its JSON, its exit codes."""

import json
from pathlib import Path

import pytest
import tiny_models as tiny
from click.testing import CliRunner, Result

from edgekit import errors
from edgekit.cli.main import cli


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["bundle", *map(str, arguments)])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.write_colors(tmp_path / "colors.tflite", quantized=True)


def test_it_says_what_to_do_on_the_device(model: Path, tmp_path: Path) -> None:
    done = call(model, "--target", "raspberry-pi-4", "-o", tmp_path / "pi.zip")
    assert done.exit_code == 0
    assert "python3 -m zipfile -e pi.zip ." in done.stdout
    assert "sh pi/run.sh" in done.stdout


def test_its_json_names_what_is_in_it(model: Path, tmp_path: Path) -> None:
    place = tmp_path / "pi.zip"
    wished = ("--target", "raspberry-pi-5", "--python", "3.13", "-o", place)
    found = json.loads(call(model, *wished, "--json").stdout)
    assert found["bundle"] == str(place)
    assert (found["target"], found["machine"]) == ("raspberry-pi-5", "aarch64")
    assert found["python"] == ["3.13"]
    assert [each["file"] for each in found["models"]] == ["models/colors.tflite"]
    assert "ai-edge-litert==2.3.*" in found["requirements"]
    assert (found["apt"], found["warnings"]) == ([], [])


def test_the_packages_of_the_system_are_shown(model: Path, tmp_path: Path) -> None:
    done = call(model, "--target", "raspberry-pi-32bit", "-o", tmp_path / "pi.zip")
    assert "sudo apt install python3-numpy" in " ".join(done.stdout.split())


@pytest.mark.parametrize("version", ["3", "3.x", "new"])
def test_what_is_no_python_version_is_refused(version: str, model: Path) -> None:
    done = call(model, "--target", "raspberry-pi-4", "--python", version)
    assert done.exit_code == 2
    assert "is no Python version like 3.13" in done.output


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        pytest.param(["--target", "raspberry-pi-9"], errors.UnknownName, id="unknown target"),
        pytest.param([], errors.UsageError, id="no target"),
        pytest.param(["--target", "ios"], errors.UsageError, id="no Python there"),
        pytest.param(
            ["--target", "raspberry-pi-4", "--python", "3.9"], errors.TargetError, id="Python"
        ),
    ],
)
def test_what_cannot_be_bundled_is_refused(
    arguments: list[str], kind: type[errors.EdgekitError], model: Path
) -> None:
    assert type(call(model, *arguments).exception) is kind

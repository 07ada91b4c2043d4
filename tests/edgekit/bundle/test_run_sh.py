"""The program of a bundle, on this machine: what it checks before it installs anything."""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tiny_models as tiny

from edgekit.bundle import bundle

pytestmark = pytest.mark.skipif(os.name != "posix", reason="it is for Linux")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a folder")  # with a blank in its name
    model = tiny.write_colors(folder / "colors.tflite", quantized=True)
    bundle([model], target="raspberry-pi-4", output=folder / "pi.zip")
    with zipfile.ZipFile(folder / "pi.zip") as archive:
        archive.extractall(folder)
    return folder / "pi"


def run(
    unpacked: Path, tmp_path: Path, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a copy of the program with other settings."""
    folder = tmp_path / "a copy"
    shutil.copytree(unpacked, folder)
    text = (folder / "settings.sh").read_text()
    more = "".join(f"{name}='{value}'\n" for name, value in settings.items())
    (folder / "settings.sh").write_text(text + more)
    return subprocess.run(
        ["sh", str(folder / "run.sh"), *arguments],
        cwd=tmp_path,
        env=os.environ | {"EDGEKIT_VENV": str(tmp_path / "venv")},
        capture_output=True,
        text=True,
        check=False,
    )


def installed(unpacked: Path, tmp_path: Path) -> None:
    """Make a folder that looks as if the bundle had been installed into it."""
    (tmp_path / "venv/bin").mkdir(parents=True)
    python = tmp_path / "venv/bin/python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    shutil.copy(unpacked / "bundle.json", tmp_path / "venv/.edgekit-bundle")


def test_another_machine_is_named(unpacked: Path, tmp_path: Path) -> None:
    done = run(unpacked, tmp_path, machine="riscv64")
    assert done.returncode == 4
    assert f"(riscv64); this machine is {platform.machine()}" in done.stderr


def test_a_python_that_the_bundle_is_not_for_is_named(unpacked: Path, tmp_path: Path) -> None:
    done = run(unpacked, tmp_path, machine=platform.machine(), pythons="2.7")
    assert done.returncode == 4
    assert "for Python 2.7; found: python3 is" in done.stderr
    assert "--python VERSION" in done.stderr


def test_another_word_size_is_named(unpacked: Path, tmp_path: Path) -> None:
    done = run(unpacked, tmp_path, machine=platform.machine(), bits="32")
    assert done.returncode == 4
    assert "programs of 32 bits; the Python here has 64" in done.stderr


def test_what_apt_must_bring_is_named(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')  # sees no packages
    python.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
        done = run(
            unpacked,
            tmp_path,
            machine=platform.machine(),
            pythons=PYTHON,
            apt="python3-numpy",
        )
    assert done.returncode == 6
    assert "sudo apt install python3-numpy" in done.stderr


def test_what_is_installed_is_not_installed_again(unpacked: Path, tmp_path: Path) -> None:
    installed(unpacked, tmp_path)
    done = run(unpacked, tmp_path, "inspect", "a b.tflite", "*")
    assert done.stdout.splitlines() == ["-P", "-m", "edgekit", "inspect", "a b.tflite", "*"]
    assert done.stderr == ""


def test_without_arguments_it_measures_the_models(unpacked: Path, tmp_path: Path) -> None:
    installed(unpacked, tmp_path)
    done = run(unpacked, tmp_path)
    assert done.stdout.splitlines()[2:4] == ["edgekit", "profile"]
    assert done.stdout.splitlines()[4].endswith("a copy/models/colors.tflite")

"""The wheel of the light half: what a wheel must be, from any kind of installation."""

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgekit.bundle.installation import Installation, light_files, running_installation
from edgekit.bundle.own_wheel import write_wheel

MAKE = (
    "import sys; from pathlib import Path\n"
    "from edgekit.bundle.installation import light_files, running_installation\n"
    "from edgekit.bundle.own_wheel import write_wheel\n"
    "print(write_wheel(running_installation(), light_files(), Path(sys.argv[1])))"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return write_wheel(running_installation(), light_files(), folder)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that pip installed the wheel into."""
    if find_spec("pip") is None:
        pytest.skip("pip is not installed")
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    where = ["--no-deps", "--no-index", "--no-compile", "--target", str(folder)]
    subprocess.run([*pip, *where, str(wheel)], check=True)
    return folder


def there(installed: Path, *arguments: str) -> str:
    """Run Python with what pip installed, away from any source tree."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_the_light_half_and_not_the_heavy_one(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {
        "edgekit",
        "edgekit_demos",
        "edgekit-" + wheel.name.split("-")[1] + ".dist-info",
    }
    assert {
        "edgekit/cli/main.py",
        "edgekit/_targets/raspberry-pi-4.toml",
        "edgekit/bundle/run.sh",
        "edgekit/py.typed",
        "edgekit_demos/models/shapes.raspberry-pi-4.tflite",
    } <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".keras")]


def test_its_record_names_every_file_with_its_digest(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    (record,) = (name for name in contents if name.endswith(".dist-info/RECORD"))
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(contents[record].decode()))}
    assert rows.keys() == contents.keys()
    assert rows.pop(record) == ["", ""]
    for name, (digest, size) in rows.items():
        expected = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest())
        assert digest == "sha256=" + expected.decode().rstrip("=")
        assert int(size) == len(contents[name])


def test_pip_installs_it_and_it_runs(installed: Path) -> None:
    version = there(installed, "-m", "edgekit", "--version")
    assert version == f"edgekit, version {running_installation().version}\n"
    assert "raspberry-pi-4" in there(installed, "-m", "edgekit", "targets")
    assert (installed / "bin/edgekit").is_file() or sys.platform == "win32"


def test_what_it_installs_makes_the_same_wheel(
    wheel: Path, installed: Path, tmp_path: Path
) -> None:
    made = there(installed, "-c", MAKE, str(tmp_path)).strip()
    assert Path(made).name == wheel.name
    assert Path(made).read_bytes() == wheel.read_bytes()


def test_markers_and_extras_are_written_as_pip_reads_them(tmp_path: Path) -> None:
    about = Installation(
        version="1.2",
        summary="",
        requires_python=">=3.11",
        dependencies=("a>=1", 'b; python_version < "3.12"'),
        extras={"x": ("c", 'd; python_version < "3.12"')},
        scripts=(),
        license="",
    )
    with zipfile.ZipFile(write_wheel(about, {}, tmp_path)) as archive:
        text = archive.read("edgekit-1.2.dist-info/METADATA").decode()
    needs = [line for line in text.splitlines() if line.startswith("Requires-Dist")]
    assert needs == [
        "Requires-Dist: a>=1",
        'Requires-Dist: b; python_version < "3.12"',
        'Requires-Dist: c; extra == "x"',
        'Requires-Dist: d; python_version < "3.12" and extra == "x"',
    ]

"""A floor imports only the floors below it, and the light half never the heavy one."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECK = "from importlinter.cli import lint_imports_command as check; check()"


@pytest.mark.skipif(find_spec("importlinter") is None, reason="import-linter is not installed")
def test_the_contracts_of_the_floors_are_kept() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path[:0] = ['.', 'converters', 'demos']; " + CHECK,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", ["edgekit", "edgekit_converters", "edgekit_demos"])
def test_nothing_heavy_is_imported_with_a_package(package: str) -> None:
    code = (
        f"import {package}, sys\n"
        "print([each for each in ('tensorflow', 'keras', 'cv2') if each in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"

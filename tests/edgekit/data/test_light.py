"""Opening a data set loads no more than it needs."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["edgekit.data", "edgekit.data.lint"])
def test_importing_loads_neither_opencv_nor_libsndfile(module: str) -> None:
    code = f"import {module}, sys; print([m for m in ('cv2', 'soundfile') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

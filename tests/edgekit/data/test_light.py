"""Opening a data set loads no more than it needs."""

import subprocess
import sys

import pytest

MODULES = [
    "edgekit.data",
    "edgekit.data.annotations",
    "edgekit.data.lint",
    "edgekit.evaluation.evaluate",
    "edgekit.vision.detector",
]


@pytest.mark.parametrize("module", MODULES)
def test_importing_loads_neither_opencv_nor_libsndfile(module: str) -> None:
    heavy = ("cv2", "soundfile", "tensorflow")
    code = f"import {module}, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

"""Small data sets, made in a temporary folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

MakePictures = Callable[[list[str]], Path]


@pytest.fixture
def pictures(tmp_path: Path) -> MakePictures:
    """Return a function that writes small PNG pictures, each with other pixels."""
    cv2 = pytest.importorskip("cv2")

    def make(names: list[str]) -> Path:
        root = tmp_path / "pictures"
        for number, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng(number)
            cv2.imwrite(str(path), rng.integers(0, 256, (8, 12, 3), np.uint8))
        return root

    return make

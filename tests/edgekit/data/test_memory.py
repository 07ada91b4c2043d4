"""Memory does not grow with the size of a set."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from edgekit.data import Dataset, digest, open_dataset
from edgekit.manifest import Preprocessing


def peak_mb(dataset: Dataset) -> float:
    """Return the most memory that Python and numpy held while the set was read."""
    tracemalloc.start()
    digest(dataset)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


@pytest.mark.parametrize("packed", [True, False], ids=["compressed", "stored"])
def test_a_large_archive_is_streamed(packed: bool, tmp_path: Path) -> None:
    x = np.zeros((2000, 64, 64), np.float32)
    (np.savez_compressed if packed else np.savez)(tmp_path / "d.npz", x=x)
    dataset = open_dataset(
        tmp_path / "d.npz", shapes={"x": (64, 64, 1)}, preprocessing=None, labelled=False
    )
    assert len(dataset) == 2000
    assert x.nbytes > 31 * 2**20
    assert peak_mb(dataset) < 2


def test_ten_thousand_pictures_are_streamed(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    (tmp_path / "a").mkdir()
    cv2.imwrite(str(tmp_path / "a/0.png"), np.zeros((64, 64, 3), np.uint8))
    for number in range(1, 10_000):
        os.link(tmp_path / "a/0.png", tmp_path / f"a/{number}.png")
    dataset = open_dataset(
        tmp_path, shapes={"x": (32, 32, 3)}, preprocessing=Preprocessing(), labelled=True
    )
    assert len(dataset) == 10_000
    assert peak_mb(dataset.subset(2000, seed=0)) < 4

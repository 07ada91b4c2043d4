"""The carried artifacts are what their card says, also for a phone."""

from pathlib import Path

import numpy as np
import pytest
from phone import classify

from edgekit.evaluation.evaluate import evaluate
from edgekit.flatbuffer.graph import Graph
from edgekit.runtime import load
from edgekit_demos import shapes
from edgekit_demos.models import model_path

TARGETS = {"raspberry-pi-4": "float32", "coral-usb": "int8", "android": "uint8"}


@pytest.mark.parametrize("target", TARGETS)
def test_a_carried_artifact_is_integer_small_and_right(target: str, tmp_path: Path) -> None:
    path = model_path(f"shapes.{target}")
    shapes.write_npz(tmp_path / "held-out.npz", 300, seed=4)
    assert Graph(path).fully_integer
    assert load(path).inputs[0].dtype == TARGETS[target]
    assert path.stat().st_size < 60_000
    found = evaluate(path, tmp_path / "held-out.npz")
    assert found.value is not None
    assert found.value >= 0.96


def test_mediapipe_sees_what_edgekit_sees(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    pictures, _ = shapes.draw(20, seed=5)
    paths = [tmp_path / f"{index}.png" for index in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        cv2.imwrite(str(path), picture[..., ::-1])
    (best,) = classify([model_path("shapes.android")], paths)
    found = np.asarray(load(model_path("shapes.android"))(pictures / np.float32(255)))
    assert [name for _, name, _ in best] == [shapes.CLASSES[i] for i in found.argmax(axis=1)]

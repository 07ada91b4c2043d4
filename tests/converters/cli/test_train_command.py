"""`edgekit train` as a real process: a classifier from folders, refusals, one document."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import read_manifest
from edgekit.data import opencv
from edgekit.files import atomic_write

pytest.importorskip("cv2")
pytestmark = pytest.mark.tf

ROOT = Path(__file__).resolve().parents[3]
PATHS = [str(ROOT / name) for name in (".", "converters", "demos")]
PROGRAM = f"import sys; sys.path[:0] = {PATHS}; from edgekit.cli.main import main; main()"


def edgekit(
    *options: object, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *map(str, options)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=550, check=False, env=environment
    )


@pytest.fixture(scope="module")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of reddish and of bluish pictures."""
    root = tmp_path_factory.mktemp("data") / "colors"
    rng = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (root / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 90, (40, 40, 3), np.uint8)
            pixels[..., channel] += 150
            jpeg = opencv.encode_jpeg(pixels, order="rgb", quality=90)
            (root / name / f"{number}.jpg").write_bytes(jpeg)
    return root


@pytest.mark.slow
def test_a_classifier_learns_colours_and_prints_one_document(
    colors: Path, tmp_path: Path
) -> None:
    out = tmp_path / "colors.keras"
    wishes = ("--size", 32, "--batch", 8, "--epochs", 60, "--rate", 0.01, "--json")
    ended = edgekit("train", "classify", colors, "-o", out, *wishes)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document["metric"] == "accuracy"
    assert document["value"] == 1.0
    assert document["labels"] == ["blue", "red"]
    assert document["epochs"] == 60
    assert document["seconds"] > 0
    manifest = read_manifest(out)
    assert manifest is not None
    assert manifest.task == "classify"
    assert manifest.labels == ("blue", "red")
    assert [each.name for each in tmp_path.iterdir()] == ["colors.keras"]


def test_what_is_no_folder_of_classes_is_refused(tmp_path: Path) -> None:
    ended = edgekit("train", "classify", tmp_path, "-o", tmp_path / "m.keras")
    assert ended.returncode == 3
    assert "one folder of pictures for each class" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_another_ending_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    ended = edgekit("train", "detect", tmp_path, "-o", tmp_path / "m.h5")
    assert ended.returncode == 2
    assert "-o m.keras" in ended.stderr


def test_only_the_same_request_goes_on_with_a_checkpoint() -> None:
    from edgekit_converters.train.command import _digest
    from edgekit_converters.train.request import TrainRequest

    one, same, other = (
        TrainRequest(kind="detect", data="cards", epochs=epochs) for epochs in (5, 5, 6)
    )
    assert _digest(one) == _digest(same) != _digest(other)


def test_weights_are_found_by_the_name_of_a_downloaded_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgekit.known import table
    from edgekit_converters.cli.train import _request

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    known = table.known_model("mobilenet-v1-0.25")
    content = b"weights"
    model = replace(known, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(table, "known_models", lambda: {model.name: model})
    atomic_write(model.place, content)
    for named, found in ((model.name, str(model.place)), ("mine.h5", "mine.h5")):
        wishes = {"data": tmp_path, "weights": Path(named)}
        assert _request("classify", wishes).weights == found


def test_weights_that_were_not_downloaded_say_how_to(tmp_path: Path) -> None:
    wishes = ("--weights", "mobilenet-v1-0.25", "-o", tmp_path / "m.keras")
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    ended = edgekit("train", "classify", tmp_path, *wishes, environment=environment)
    assert ended.returncode == 3
    assert "edgekit models mobilenet-v1-0.25 --download" in ended.stderr

"""`edgekit train classify` on drawn pictures: from folders to a file that says what it is."""

from pathlib import Path

import numpy as np
import pytest

from edgekit.artifact import read_manifest
from edgekit.data import opencv
from edgekit.errors import DataError
from edgekit.evaluation.evaluate import evaluate
from edgekit_converters.train.command import train_file
from edgekit_converters.train.request import TrainRequest

pytestmark = pytest.mark.tf

COLORS = {"blue": (20, 20, 200), "red": (200, 20, 20)}
EACH = 16


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy red and blue pictures in folders."""
    root = tmp_path_factory.mktemp("drawn") / "colors"
    rng = np.random.default_rng(0)
    for name, color in COLORS.items():
        (root / name).mkdir(parents=True)
        for number in range(EACH):
            noise = rng.integers(-20, 20, (40, 48, 3))
            pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
            picture = opencv.encode_jpeg(pixels, order="rgb", quality=95)
            (root / name / f"{number}.jpg").write_bytes(picture)
    return root


def request(data: Path, **rest: object) -> TrainRequest:
    return TrainRequest(kind="classify", data=str(data), **{"size": 32, "batch": 8, **rest})  # type: ignore[arg-type] # any wishes


@pytest.mark.slow
def test_folders_of_pictures_become_a_classifier(data: Path, tmp_path: Path) -> None:
    made = train_file(request(data, epochs=60, rate=0.005), tmp_path / "colors.keras")
    assert made.labels == ("blue", "red")
    assert made.trained_on + len(made.held_out) == 2 * EACH
    assert made.value == 1.0
    manifest = read_manifest(tmp_path / "colors.keras")
    assert manifest is not None
    assert (manifest.task, manifest.labels) == ("classify", made.labels)
    assert evaluate(tmp_path / "colors.keras", data).value == 1.0


def test_a_damaged_picture_is_named_and_left_out(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from edgekit_converters.train.classify import job

    root = tmp_path / "colors"
    for file in data.rglob("*.jpg"):
        copy = root / file.relative_to(data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    (root / "red" / "damaged.jpg").write_bytes(b"no picture")
    _, training, held = job._sides(request(root))
    assert len(training.items) + len(held.items) == 2 * EACH
    assert "damaged.jpg" in caplog.text


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        pytest.param(("one",), "one folder of pictures for each class", id="one class"),
        pytest.param((), "one folder of pictures for each class", id="none"),
    ],
)
def test_less_than_two_classes_are_refused(
    tmp_path: Path, data: Path, folders: tuple[str, ...], said: str
) -> None:
    from edgekit_converters.train.classify import job

    for name in folders:
        (tmp_path / name).mkdir()
        picture = (data / "red" / "0.jpg").read_bytes()
        (tmp_path / name / "0.jpg").write_bytes(picture)
    with pytest.raises(DataError, match=said):
        job._sides(request(tmp_path))

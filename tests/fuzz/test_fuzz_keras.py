"""However a Keras file is damaged: it is refused in words, or it is imported."""

import json
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mutations import damage_h5, damage_zip

from edgekit import guard
from edgekit.errors import CrashError

REAL = (
    "models/keras/mlperf_tiny/visual_wake_words/trained_models/vww_96.h5",
    "models/keras/mlperf_tiny/anomaly_detection/trained_models/ad01.h5",
    (
        "models/keras/face_classification/trained_models/emotion_models/"
        "fer2013_mini_XCEPTION.102-0.66.hdf5"
    ),
)

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return Keras files by name."""
    folder = str(tmp_path_factory.mktemp("keras"))
    made = guard.call("fuzz_jobs:write_keras_models", doing="writing models", folder=folder)
    data = os.environ.get("EDGEKIT_DATA")
    paths = [Path(each) for each in made] + [Path(data, name) for name in REAL if data]
    return {path.name: path.read_bytes() for path in paths}


def cases(seeds: dict[str, bytes], count: int, folder: Path) -> Iterator[str]:
    for i in range(count):
        name = list(seeds)[i % len(seeds)]
        way = damage_zip if name.endswith(".keras") else damage_h5
        path = folder / f"{i}-{name}"
        path.write_bytes(way(seeds[name], random.Random(f"{name} {i}")))
        yield str(path)


def test_seeds_are_imported(seeds: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in seeds.items():
        (tmp_path / name).write_bytes(content)
    log = tmp_path / "log"
    paths = [str(tmp_path / name) for name in seeds]
    guard.call("fuzz_jobs:import_each", doing="importing", paths=paths, log=str(log))
    assert [each["outcome"] for each in outcomes(log)] == ["fine"] * len(seeds)


def test_damaged_files_are_refused_in_words(
    seeds: dict[str, bytes], tmp_path: Path, fuzz_rounds: int
) -> None:
    """A file that kills the child is one crash report; the next child takes the rest."""
    left = list(cases(seeds, fuzz_rounds // 2, tmp_path))
    log = tmp_path / "log"
    while left:
        with suppress(CrashError):
            guard.call("fuzz_jobs:import_each", doing="importing", paths=left, log=str(log))
        left = left[left.index(begun(log)[-1]) + 1 :]
    complaints = [each for each in outcomes(log) if each["complaint"]]
    assert not complaints, "\n".join(
        f"{each['path']}: {each['complaint']}" for each in complaints
    )


def begun(log: Path) -> list[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [each["begun"] for each in lines if "begun" in each]


def outcomes(log: Path) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [each for each in lines if "outcome" in each]

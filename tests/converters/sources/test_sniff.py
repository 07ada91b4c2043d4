"""What a file is, whatever it is called; each refusal says why and what to do."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgekit.errors import InputError, SourceError
from edgekit.manifest import Manifest
from edgekit_converters.sources.sniff import sniff

h5py = pytest.importorskip("h5py")

CONFIG = {"class_name": "Sequential", "config": {"layers": []}}


def keras_zip(path: Path, *, without: tuple[str, ...] = (), manifest: str = "") -> Path:
    entries = {
        "config.json": json.dumps(CONFIG),
        "metadata.json": json.dumps({"keras_version": "3.9.0"}),
        "model.weights.h5": "x" * 5000,
    }
    if manifest:
        entries["edgekit.json"] = manifest
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in entries.items():
            if name not in without:
                archive.writestr(name, text)
    return path


def hdf5(path: Path, *, config: str = json.dumps(CONFIG), weights: bool = True) -> Path:
    with h5py.File(path, "w") as file:
        if config:
            file.attrs["model_config"] = config
        file.attrs["keras_version"] = "2.4.0"
        group = file.create_group("model_weights" if weights else "other")
        group.create_dataset("kernel", data=np.zeros(5000, "float32"))
    return path


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:3000])
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def bomb(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (80 * 2**20))
    return path


def folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(b"\x08\x01")
    return path


def test_architecture_version_and_manifest_of_an_archive(tmp_path: Path) -> None:
    carried = Manifest(name="mine", labels=("cat", "dog"))
    found = sniff(keras_zip(tmp_path / "m.keras", manifest=carried.dumps()))
    assert found.format == "keras zip"
    assert found.config == CONFIG
    assert found.by_keras_3
    assert found.manifest == carried


def test_architecture_version_and_manifest_of_an_hdf5(tmp_path: Path) -> None:
    carried = Manifest(name="mine")
    path = hdf5(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file.attrs["edgekit"] = carried.dumps()
    found = sniff(path)
    assert found.format == "hdf5"
    assert found.keras_version == "2.4.0"
    assert not found.by_keras_3
    assert found.manifest == carried


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
REFUSED: list[tuple[str, Callable[[Path], Path], str]] = [
    ("missing", lambda d: d / "m.keras", "Cannot read .*No such file"),
    ("empty", lambda d: written(d / "m.h5", b""), "empty.*\n.*downloaded"),
    ("git-lfs", lambda d: written(d / "m.h5", LFS), "git-lfs pointer.*\n.*git lfs pull"),
    ("page", lambda d: written(d / "m.h5", b"\n<!DOCTYPE html>"), "web page"),
    ("json", lambda d: written(d / "m.json", b'{"a": 1}'), "architecture without weights"),
    ("pickle", lambda d: written(d / "m.pkl", b"\x80\x04"), "pickle"),
    ("gzip", lambda d: written(d / "m.h5.gz", b"\x1f\x8b\x08"), "gzip.*\n.*[Uu]npack"),
    ("random", lambda d: written(d / "m.keras", b"\x01\x02random"), "not a model that edgekit"),
    ("zip as h5", lambda d: keras_zip(d / "m.h5"), r"another name.\nRename it to m\.keras"),
    ("hdf5 as keras", lambda d: hdf5(d / "m.keras"), r"another name.\nRename it to m\.h5"),
    ("no suffix", lambda d: hdf5(d / "model"), r"Rename it to model\.h5"),
    ("truncated zip", lambda d: truncated(keras_zip(d / "m.keras")), "truncated or damaged"),
    ("truncated hdf5", lambda d: truncated(hdf5(d / "m.h5")), "truncated or damaged"),
    (
        "weights zip",
        lambda d: keras_zip(d / "m.keras", without=("config.json",)),
        "weights only",
    ),
    ("weights hdf5", lambda d: hdf5(d / "m.h5", config=""), "weights only.*\n.*model.save"),
    ("no weights", lambda d: hdf5(d / "m.h5", weights=False), "without weights"),
    (
        "no weights zip",
        lambda d: keras_zip(d / "m.keras", without=("model.weights.h5",)),
        "without weights",
    ),
    (
        "other zip",
        lambda d: keras_zip(d / "m.keras", without=("config.json", "model.weights.h5")),
        "no Keras model: it holds metadata.json",
    ),
    ("bomb", lambda d: bomb(d / "m.keras"), "unpacks from .* it is not opened"),
    ("broken config", lambda d: hdf5(d / "m.h5", config="{"), "not readable JSON"),
    ("config is a list", lambda d: hdf5(d / "m.h5", config="[1]"), "is list, not a table"),
    ("folder", lambda d: folder(d / "m", "readme"), "folder without saved_model.pb"),
    (
        "unpacked archive",
        lambda d: folder(d / "m", "config.json", "model.weights.h5"),
        "unpacked .keras",
    ),
    ("no variables", lambda d: folder(d / "m", "saved_model.pb"), "without its variables"),
    (
        "one part",
        lambda d: folder(d / "m", "saved_model.pb") / "saved_model.pb",
        "one part of a SavedModel",
    ),
]


@pytest.mark.parametrize(
    ("make", "words"), [pytest.param(make, words, id=name) for name, make, words in REFUSED]
)
def test_refusals(make: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    with pytest.raises(SourceError, match=words):
        sniff(path)


@given(place=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 10**6))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutated_file_is_refused_in_words_or_read(
    place: int, value: int, cut: int, tmp_path: Path
) -> None:
    for path in (keras_zip(tmp_path / "m.keras"), hdf5(tmp_path / "m.h5")):
        content = bytearray(path.read_bytes())
        content[place % len(content)] = value
        path.write_bytes(content[: 1 + cut % len(content)] if cut % 2 else content)
        try:
            sniff(path)
        except InputError as error:
            assert "\n" in str(error) or "manifest" in str(error)  # noqa: PT017 (either way)

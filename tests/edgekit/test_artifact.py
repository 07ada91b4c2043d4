"""A model carries its manifest, in a .tflite and in a .keras, and others can read it."""

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from phone import classify

from edgekit.artifact import (
    KERAS_ENTRY,
    graph_manifest,
    read_manifest,
    write_keras_manifest,
    write_manifest,
)
from edgekit.errors import InputError, RecordError
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.metadata import associated_files, write_metadata
from edgekit.flatbuffer.tables import Table, pack, read_model
from edgekit.manifest import Manifest, Output, Preprocessing

MANIFEST = Manifest(
    name="pets",
    task="classify",
    labels=("cat", "dog"),
    preprocessing=Preprocessing(mean=(127.5,), std=(127.5,)),
    outputs=(Output(name="scores", role="probabilities"),),
    target="android",
    scheme="int8",
    evidence={"verify": {"agreement": 0.97}},
)
COCO = "models/tflite/tflite_support/cc/test/testdata/task/vision"


def tflite() -> bytes:
    """Make a model without operators: a picture in, two scores out."""
    tensors = [
        Table("Tensor", name="image", shape=np.array([1, 8, 8, 3], np.int32)),
        Table("Tensor", name="scores", shape=np.array([1, 2], np.int32)),
    ]
    graph = Table(
        "SubGraph",
        tensors=tensors,
        inputs=np.array([0], np.int32),
        outputs=np.array([1], np.int32),
    )
    return pack(Table("Model", version=3, subgraphs=[graph], buffers=[Table("Buffer")]))


def test_a_tflite_gives_back_its_manifest(tmp_path: Path) -> None:
    path = tmp_path / "pets.tflite"
    path.write_bytes(write_manifest(tflite(), MANIFEST))
    assert read_manifest(path) == MANIFEST


def test_writing_again_replaces_and_never_grows() -> None:
    once = write_manifest(tflite(), MANIFEST)
    assert write_manifest(once, MANIFEST) == once
    other = write_manifest(once, Manifest(name="other"))
    assert graph_manifest(Graph(other)) == Manifest(name="other")
    assert associated_files(read_model(other)) == {}
    assert write_manifest(other, MANIFEST) == once


def test_metadata_of_others_are_kept() -> None:
    data = write_metadata(tflite(), {"theirs": b"1"}, {"theirs.txt": b"2"})
    data = write_manifest(data, MANIFEST)
    assert Graph(data).metadata["theirs"] == b"1"
    assert set(associated_files(read_model(data))) == {"theirs.txt", "labels.txt"}


def test_a_model_that_says_nothing_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "pets.tflite"
    path.write_bytes(tflite())
    assert read_manifest(path) is None


def test_a_manifest_that_is_damaged_is_an_error_in_words() -> None:
    data = write_metadata(tflite(), {"EDGEKIT": b'{"schema": 1, "nmae": "x"}'})
    with pytest.raises(RecordError, match="unknown nmae"):
        graph_manifest(Graph(data))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(content=st.binary(max_size=100))
def test_any_bytes_in_its_place_are_an_error_in_words(content: bytes) -> None:
    data = write_metadata(tflite(), {"EDGEKIT": content})
    with pytest.raises(RecordError):
        graph_manifest(Graph(data))


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "task", "classes"),
    [
        ("mobilenet_v1_0.25_224_quant", "classify", 1001),
        ("coco_ssd_mobilenet_v1_1.0_quant_2018_06_29", "detect", 90),
    ],
)
def test_a_file_of_others_says_what_its_standard_metadata_say(
    data_dir: Path, file: str, task: str, classes: int
) -> None:
    found = read_manifest(data_dir / COCO / f"{file}.tflite")
    assert found is not None
    assert (found.task, len(found.labels)) == (task, classes)
    assert found.preprocessing == Preprocessing(mean=(127.5,), std=(127.5,))


def keras_file(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", bytes(1000))
    return path


def test_a_keras_file_gives_back_its_manifest(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "pets.keras")
    assert read_manifest(path) is None
    write_keras_manifest(path, Manifest(name="first"))
    write_keras_manifest(path, MANIFEST)
    assert read_manifest(path) == MANIFEST
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["metadata.json", "model.weights.h5", KERAS_ENTRY]
        assert archive.read("model.weights.h5") == bytes(1000)
    assert [each.name for each in tmp_path.iterdir()] == ["pets.keras"]


def test_a_damaged_keras_file_stays_as_it_is(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "pets.keras")
    damaged = path.read_bytes()[:-40]
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"not a \.keras file, or it is damaged"):
        write_keras_manifest(path, MANIFEST)
    with pytest.raises(InputError, match="damaged archive"):
        read_manifest(path)
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("name", ["no.keras", "no.tflite"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: No such file"):
        read_manifest(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: No such file"):
        write_keras_manifest(tmp_path / name, MANIFEST)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6
    )
)
def test_a_mutated_keras_file_is_an_error_in_words(
    tmp_path: Path, edits: list[tuple[int, int]]
) -> None:
    path = keras_file(tmp_path / "pets.keras")
    write_keras_manifest(path, MANIFEST)
    data = bytearray(path.read_bytes())
    for place, value in edits:
        data[place % len(data)] = value
    path.write_bytes(data)
    try:
        read_manifest(path)
        write_keras_manifest(path, MANIFEST)
    except InputError as error:
        if len(str(error)) < 20:
            pytest.fail(f"no words: {error}")


@pytest.mark.tf
def test_keras_still_loads_a_file_with_a_manifest(tmp_path: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    keras = pytest.importorskip("keras")
    path = tmp_path / "pets.keras"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save(path)
    write_keras_manifest(path, MANIFEST)
    loaded = keras.saving.load_model(path)
    x = np.ones((1, 4), np.float32)
    assert np.array_equal(model(x), loaded(x))
    assert read_manifest(path) == MANIFEST


@pytest.mark.data
@pytest.mark.parametrize(
    "file",
    [
        "models/tflite/tflite_support/cc/test/testdata/task/vision/mobilenet_v1_0.25_224_quant",
        "edgetpu/test_data/mobilenet_v1_0.25_128_quant",
    ],
)
def test_mediapipe_reads_our_metadata_as_it_reads_theirs(
    data_dir: Path, tmp_path: Path, file: str
) -> None:
    theirs = data_dir / f"{file}.tflite"
    manifest = read_manifest(theirs)
    assert manifest is not None
    files = dict.fromkeys(associated_files(read_model(theirs)))
    bare = write_metadata(theirs.read_bytes(), {"TFLITE_METADATA": None}, files)
    assert graph_manifest(Graph(bare)) is None
    ours = tmp_path / "ours.tflite"
    ours.write_bytes(write_manifest(bare, manifest))
    pictures = sorted((data_dir / "classification/flowers").rglob("*.jpg"))[::150][:4]
    raw = tmp_path / "raw.tflite"
    as_is = replace(manifest, preprocessing=Preprocessing(mean=(0.0,), std=(1.0,)))
    raw.write_bytes(write_manifest(bare, as_is))
    expected, found, unheeded = classify([theirs, ours, raw], pictures)
    assert found == expected
    assert len(found) == 4
    assert unheeded == expected  # it feeds uint8 models raw pixels, whatever is said


@pytest.mark.data
def test_mediapipe_normalizes_float_pictures_as_our_metadata_say(
    data_dir: Path, tmp_path: Path
) -> None:
    labels = read_manifest(data_dir / COCO / "mobilenet_v1_0.25_224_quant.tflite")
    assert labels is not None
    bare = (data_dir / COCO / "mobilenet_v1_0.25_224_1_default_1.tflite").read_bytes()
    model = tmp_path / "float.tflite"
    model.write_bytes(write_manifest(bare, labels))
    pictures = sorted((data_dir / "classification/flowers/daisy").glob("*.jpg"))[:8]
    (best,) = classify([model], pictures)
    assert sum(name == "daisy" for _, name, _ in best) >= 6

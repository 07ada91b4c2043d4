"""Metadata of any name, the standard metadata and associated files come back as written."""

import io
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_models import dense

from edgekit.artifact import write_manifest
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.metadata import (
    MANIFEST,
    STANDARD,
    StandardMetadata,
    associated_files,
    read_standard_metadata,
    standard_metadata,
    write_metadata,
)
from edgekit.flatbuffer.tables import Table, pack, read_model
from edgekit.manifest import Manifest, Output, Preprocessing

COCO = "models/tflite/tflite_support/cc/test/testdata/task/vision"
LABELS = ("cat", "dog", "shrew")
PHOTOS = Preprocessing(mean=(127.5,), std=(127.5,))


def described(model: Table, manifest: Manifest) -> bytes:
    data = pack(model)
    buffer, files = standard_metadata(manifest, Graph(data))
    return write_metadata(data, {STANDARD: buffer}, files)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(content=st.binary(max_size=200), name=st.text(max_size=20))
def test_a_buffer_comes_back_as_written(model: Table, content: bytes, name: str) -> None:
    data = write_metadata(pack(model), {name: content})
    assert Graph(data).metadata[name] == content


def test_writing_twice_replaces(model: Table) -> None:
    once = write_metadata(pack(model), {"A": b"1"}, {"a.txt": b"1"})
    twice = write_metadata(once, {"A": b"2"}, {"a.txt": b"2"})
    assert len(twice) == len(once)
    assert Graph(twice).metadata["A"] == b"2"
    assert associated_files(read_model(twice)) == {"a.txt": b"2"}


def test_others_are_kept_and_none_removes(model: Table) -> None:
    data = write_metadata(pack(model), {"A": b"1", "B": b"2"}, {"a.txt": b"1", "b.txt": b"2"})
    data = write_metadata(data, {"A": None}, {"b.txt": None})
    assert set(Graph(data).metadata) == {"min_runtime_version", "B"}
    assert associated_files(read_model(data)) == {"a.txt": b"1"}


def test_a_buffer_that_a_tensor_shares_is_not_overwritten(model: Table) -> None:
    model.metadata.append(Table("Metadata", name="A", buffer=1))
    graph = Graph(write_metadata(pack(model), {"A": b"changed"}))
    assert graph.metadata["A"] == b"changed"
    assert graph.constant(graph.main.tensors[2]).size == 24


def test_the_archive_is_readable_by_others_and_not_compressed(model: Table) -> None:
    data = write_metadata(pack(model), {}, {"labels.txt": b"cat\n" * 100})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED


def test_standard_metadata_say_normalization_and_labels(model: Table) -> None:
    found = read_standard_metadata(
        described(model, Manifest(name="pets", labels=LABELS, preprocessing=PHOTOS))
    )
    assert found == StandardMetadata(
        name="pets", preprocessing=PHOTOS, labels=LABELS, labels_output=0
    )


def test_labels_go_to_the_output_whose_role_says_so(model: Table) -> None:
    graph = model.subgraphs[0]
    graph.outputs = np.array([4, 5], np.int32)
    manifest = Manifest(labels=LABELS, outputs=(Output(name="scores", role="probabilities"),))
    assert read_standard_metadata(described(model, manifest)).labels_output == 1


def test_labels_that_fit_no_output_are_left_out(model: Table) -> None:
    data = described(model, Manifest(labels=("only", "two")))
    assert read_standard_metadata(data).labels == ()
    assert associated_files(read_model(data)) == {}


def test_line_breaks_in_labels_do_not_shift_the_classes(model: Table) -> None:
    data = described(model, Manifest(labels=("a\nb", "c", "d")))
    assert read_standard_metadata(data).labels == ("a b", "c", "d")


def test_what_others_said_is_kept(model: Table) -> None:
    root = Table("ModelMetadata", name="theirs", author="somebody", description="words")
    data = write_metadata(pack(model), {STANDARD: pack(root, b"M001")})
    buffer, _ = standard_metadata(Manifest(name="ours"), Graph(data))
    found = read_standard_metadata(write_metadata(data, {STANDARD: buffer}))
    assert (found.name, found.description) == ("ours", "words")
    assert b"somebody" in buffer


def test_what_an_earlier_manifest_said_is_taken_back(model: Table) -> None:
    data = described(model, Manifest(labels=LABELS, preprocessing=PHOTOS))
    data = write_metadata(data, {MANIFEST: b"{}"})
    buffer, files = standard_metadata(Manifest(), Graph(data))
    data = write_metadata(data, {STANDARD: buffer}, files)
    assert read_standard_metadata(data) == StandardMetadata()
    assert associated_files(read_model(data)) == {}


def test_label_files_of_others_are_replaced(model: Table) -> None:
    names = [Table("AssociatedFile", name="theirs.txt", type=2)]
    scores = Table("TensorMetadata", associated_files=names)
    graph = Table("SubGraphMetadata", output_tensor_metadata=[scores])
    root = Table("ModelMetadata", subgraph_metadata=[graph])
    data = write_metadata(
        pack(model), {STANDARD: pack(root, b"M001")}, {"theirs.txt": b"x\ny\nz\n"}
    )
    assert read_standard_metadata(data).labels == ("x", "y", "z")
    buffer, files = standard_metadata(Manifest(labels=LABELS), Graph(data))
    data = write_metadata(data, {STANDARD: buffer}, files)
    assert list(associated_files(read_model(data))) == ["labels.txt"]


def test_a_damaged_archive_is_a_warning(model: Table, caplog: pytest.LogCaptureFixture) -> None:
    data = bytearray(write_metadata(pack(model), {}, {"labels.txt": b"cat\n"}))
    place = data.rfind(b"PK\x01\x02")
    data[place : place + 4] = b"XXXX"
    with caplog.at_level(logging.WARNING):
        assert associated_files(read_model(bytes(data))) == {}
    assert "cannot be read" in caplog.text


def test_an_archive_that_unpacks_without_end_is_a_warning(
    model: Table, caplog: pytest.LogCaptureFixture
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(2**27))
    with caplog.at_level(logging.WARNING):
        assert associated_files(read_model(pack(model) + stream.getvalue())) == {}
    assert "more than 64 MiB" in caplog.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8
    )
)
def test_damaged_metadata_never_hurt(model: Table, edits: list[tuple[int, int]]) -> None:
    data = bytearray(described(model, Manifest(labels=LABELS, preprocessing=PHOTOS)))
    start = len(pack(model))
    for place, value in edits:
        data[start + place % (len(data) - start)] = value
    buffer = Graph(described(model, Manifest(labels=LABELS, preprocessing=PHOTOS))).metadata
    raw = bytearray(buffer[STANDARD])
    for place, value in edits:
        raw[place % len(raw)] = value
    broken = write_metadata(pack(model), {STANDARD: bytes(raw)})
    read_standard_metadata(broken)
    standard_metadata(Manifest(labels=LABELS), Graph(broken))
    associated_files(read_model(bytes(pack(model)) + bytes(data[start:])))


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "name", "classes", "first", "boxes"),
    [
        ("mobilenet_v1_0.25_224_quant", "MobileNetV1", 1001, "background", False),
        ("coco_ssd_mobilenet_v1_1.0_quant_2018_06_29", "Coco SSD", 90, "person", True),
    ],
)
def test_files_of_others_bring_labels_and_normalization(
    data_dir: Path, file: str, name: str, classes: int, first: str, boxes: Any
) -> None:
    found = read_standard_metadata(data_dir / COCO / f"{file}.tflite")
    assert found.name.startswith(name)
    assert (len(found.labels), found.labels[0], found.boxes) == (classes, first, boxes)
    assert found.preprocessing == PHOTOS


@pytest.mark.parametrize(
    ("front_end", "rate"),
    [
        pytest.param({"sample_rate_hz": 16000}, 16000, id="the wave itself"),
        pytest.param({"kind": "log-mel", "sample_rate_hz": 16000}, None, id="features"),
    ],
)
def test_only_an_input_of_waves_is_called_sound(
    front_end: dict[str, Any], rate: int | None
) -> None:
    content = dense(np.eye(2, 8, dtype=np.float32), (1, 8))
    manifest = Manifest(task="keywords", labels=("yes", "no"), front_end=front_end)
    found = read_standard_metadata(write_manifest(content, manifest))
    assert found.sample_rate_hz == rate

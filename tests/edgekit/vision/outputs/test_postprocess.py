"""Detectors whose graph gives finished boxes."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import tiny_detectors as tiny

from edgekit import runtime
from edgekit.data.boxes import Detections
from edgekit.errors import TargetError
from edgekit.flatbuffer.graph import Graph
from edgekit.flatbuffer.metadata import STANDARD, write_metadata
from edgekit.flatbuffer.tables import Table, pack
from edgekit.manifest import Manifest, Output
from edgekit.runtime import TensorSpec
from edgekit.vision.outputs.decoder import Decoder
from edgekit.vision.outputs.find import open_decoder

# Two anchors in a picture of 32 x 32: the left half is class 1, the lower right is class 0.
ANCHORS = np.array([[0.5, 0.25, 1.0, 0.5], [0.75, 0.75, 0.5, 0.5]], np.float32)
SCORES = np.array([[[0, 0.1, 0.9], [0, 0.75, 0.2]]], np.float32)
CODES = np.zeros((1, 2, 4), np.float32)


def found_in(path: Path, manifest: Manifest | None = None) -> tuple[Decoder, Detections]:
    model = runtime.load(path, probe=False, threads=1)
    decoder = open_decoder(model.outputs, (32, 32), manifest, graph=Graph(path))
    given = model(np.zeros((1, 32, 32, 3), np.float32))
    assert isinstance(given, dict)
    return decoder, decoder.decode(given)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_operator_says_which_output_is_which_in_any_order(
    order: tuple[int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny.postprocess(CODES, SCORES, ANCHORS, order=order))
    decoder, found = found_in(path)
    np.testing.assert_allclose(found.boxes, [[0, 0, 16, 32], [16, 16, 32, 32]], atol=1e-4)
    assert found.classes.tolist() == [1, 0]
    assert found.scores.tolist() == pytest.approx([0.9, 0.75])
    assert {role.role: role.name for role in decoder.roles} == {
        "boxes": "out0",
        "classes": "out1",
        "scores": "out2",
        "count": "out3",
    }
    assert {role.how for role in decoder.roles} == {"graph"}
    assert decoder.classes == 2


OUTPUTS = {
    "d": np.array([[[0, 0, 1, 0.5], [0.5, 0.5, 1, 1], [0, 0, 9, 9]]], np.float32),
    "a": np.array([[1, 0, 3]], np.float32),
    "c": np.array([[0.9, 0.75, 0.8]], np.float32),
    "b": np.array([2], np.float32),
}
ROLES = {"d": "boxes", "a": "classes", "c": "scores", "b": "count"}
SPECS = [TensorSpec(name, values.shape, "float32") for name, values in OUTPUTS.items()]


def test_a_manifest_says_it_where_there_is_no_such_operator() -> None:
    manifest = Manifest(outputs=tuple(Output(name=n, role=r) for n, r in ROLES.items()))
    decoder = open_decoder(SPECS, (32, 32), manifest)
    found = decoder.decode(OUTPUTS)
    assert found.boxes.tolist() == [[0, 0, 16, 32], [16, 16, 32, 32]]
    assert found.classes.tolist() == [1, 0]
    assert {role.how for role in decoder.roles} == {"manifest"}


NAMES = {"d": "location", "a": "category", "c": "score", "b": "number of detections"}


@pytest.mark.parametrize("pixels", [False, True])
def test_standard_metadata_say_it_too(pixels: bool, tmp_path: Path) -> None:
    boxes = Table(
        "BoundingBoxProperties",
        index=np.array([1, 0, 3, 2], np.uint32),
        type=1,
        coordinate_type=int(pixels),
    )
    tables = [Table("TensorMetadata", name=NAMES[name]) for name in OUTPUTS]
    tables[0].content = Table("Content", content_properties=boxes)
    root = Table(
        "ModelMetadata",
        subgraph_metadata=[Table("SubGraphMetadata", output_tensor_metadata=tables)],
    )
    path = tmp_path / "m.tflite"
    plain = tiny.fixed(OUTPUTS)
    path.write_bytes(write_metadata(plain, {STANDARD: pack(root, b"M001")}))
    decoder, found = found_in(path)
    unit = 1 if pixels else 32
    np.testing.assert_allclose(found.boxes[0], np.array([0, 0, 0.5, 1]) * unit)
    assert {role.how for role in decoder.roles} == {"metadata"}


def test_four_outputs_without_a_word_are_not_guessed() -> None:
    with pytest.raises(TargetError, match=r"(?s)found:\n  d \[1, 3, 4\]\n  a \[1, 3\].*Known"):
        open_decoder(SPECS, (32, 32))


def test_outputs_of_other_shapes_than_their_roles_are_none() -> None:
    manifest = Manifest(outputs=tuple(Output(name=n, role=r) for n, r in ROLES.items()))
    for place, shape in ((0, (1, 3, 5)), (1, (1, 4)), (3, (0,))):
        wrong = list(SPECS)
        wrong[place] = TensorSpec(SPECS[place].name, shape, "float32")
        with pytest.raises(TargetError):
            open_decoder(wrong, (32, 32), manifest)


def test_a_threshold_that_is_no_number_is_the_usual_one() -> None:
    outputs = tuple(Output(name=n, role=r) for n, r in ROLES.items())
    for said, taken in (("high", 0.5), (0.25, 0.25)):
        manifest = Manifest(outputs=outputs, decoding={"threshold": said})
        assert open_decoder(SPECS, (32, 32), manifest).threshold == taken


def test_a_count_and_classes_that_make_no_sense_do_no_harm() -> None:
    manifest = Manifest(outputs=tuple(Output(name=n, role=r) for n, r in ROLES.items()))
    decoder = open_decoder(SPECS, (32, 32), manifest)
    for count in (np.nan, np.inf, -1.0, 1e9):
        decoder.decode({**OUTPUTS, "b": np.array([count], np.float32)})
    classes = np.array([[np.nan, -1, 2]], np.float32)
    found = decoder.decode({**OUTPUTS, "a": classes, "b": np.array([3], np.float32)})
    assert found.classes.tolist() == [2]

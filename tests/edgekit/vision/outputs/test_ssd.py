"""Laws of anchors and box codes, and what a raw SSD head gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_detectors as tiny
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit import runtime
from edgekit.data.boxes import as_boxes
from edgekit.errors import RecordError, TargetError
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest, Output
from edgekit.runtime import TensorSpec
from edgekit.vision.outputs.find import open_decoder
from edgekit.vision.outputs.ssd import Level, anchors, decode, encode

SCALES = (10.0, 10.0, 5.0, 5.0)
lengths = st.floats(2, 200, width=32)
places = st.floats(0, 300, width=32)


@given(
    box=st.tuples(places, places, lengths, lengths),
    anchor=st.tuples(places, places, lengths, lengths),
)
def test_decoding_undoes_encoding(box: tuple[float, ...], anchor: tuple[float, ...]) -> None:
    x, y, width, height = box
    boxes = as_boxes([x, y, x + width, y + height])
    place = np.array([anchor], np.float32)
    found = decode(encode(boxes, place, SCALES), place, SCALES)
    np.testing.assert_allclose(found, boxes, rtol=1e-4, atol=1e-2)


def test_anchors_stand_level_by_level_row_by_row_size_by_size() -> None:
    levels = [Level(stride=16, sizes=((8, 10), (20, 10))), Level(stride=32, sizes=((30, 30),))]
    found = anchors(levels, (32, 40))
    assert found.tolist() == [
        *([8, 8, 8, 10], [8, 8, 20, 10], [24, 8, 8, 10], [24, 8, 20, 10]),
        *([40, 8, 8, 10], [40, 8, 20, 10]),
        *([8, 24, 8, 10], [8, 24, 20, 10], [24, 24, 8, 10], [24, 24, 20, 10]),
        *([40, 24, 8, 10], [40, 24, 20, 10]),
        *([16, 16, 30, 30], [48, 16, 30, 30]),
    ]


def specs(
    *shapes: tuple[int, ...], names: tuple[str, ...] = ("boxes", "scores")
) -> list[TensorSpec]:
    return [
        TensorSpec(name, shape, "float32") for name, shape in zip(names, shapes, strict=True)
    ]


def manifest(**decoding: Any) -> Manifest:
    known = tiny.spots_manifest()
    return Manifest(
        task="detect", outputs=known.outputs, decoding={**(known.decoding or {}), **decoding}
    )


def outputs(scores: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    return {
        "boxes": np.zeros((1, len(scores), 4), np.float32),
        "scores": np.asarray(scores, np.float32)[np.newaxis],
    }


def test_only_scores_that_reach_the_threshold_are_found() -> None:
    decoder = open_decoder(specs((1, 6, 4), (1, 6, 2)), (16, 24), manifest())
    scores = np.full((6, 2), -9.0)
    scores[4] = [0.1, 2.0]
    scores[1] = [-1.0, -2.0]
    found = decoder.decode(outputs(scores))
    assert found.boxes.tolist() == [[8, 8, 16, 16]]
    assert found.classes.tolist() == [1]
    assert found.scores[0] == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert len(decoder.decode(outputs(scores), threshold=0.2)) == 2
    assert decoder.classes == 2


def test_an_anchor_gives_one_class_unless_each_class_counts() -> None:
    scores = np.full((6, 3), -9.0)
    scores[2] = [3, 2, -9]
    both = {"scores": outputs(scores)["scores"], "boxes": outputs(scores)["boxes"]}
    one = open_decoder(specs((1, 6, 4), (1, 6, 3)), (16, 24), manifest())
    assert one.decode(both).classes.tolist() == [0]
    each = open_decoder(specs((1, 6, 4), (1, 6, 3)), (16, 24), manifest(per_class=True))
    assert each.decode(both).classes.tolist() == [0, 1]


def test_probabilities_and_a_background_are_read_as_the_manifest_says() -> None:
    wanted = manifest(score="none", background=True)
    decoder = open_decoder(specs((1, 6, 4), (1, 6, 3)), (16, 24), wanted)
    scores = np.zeros((6, 3))
    scores[0] = [0.9, 0.1, 0.7]
    found = decoder.decode(outputs(scores))
    assert found.classes.tolist() == [1]
    assert found.scores.tolist() == pytest.approx([0.7])
    assert decoder.classes == 2


def test_values_that_are_no_numbers_are_no_boxes() -> None:
    decoder = open_decoder(specs((1, 6, 4), (1, 6, 2)), (16, 24), manifest(iou=1.0))
    given = outputs(np.full((6, 2), 5.0))
    given["boxes"][0, 0] = 1e9
    given["boxes"][0, 1] = np.nan
    given["scores"][0, 2] = np.nan
    assert len(decoder.decode(given)) == 3


def test_most_boxes_and_overlap_are_those_of_the_manifest() -> None:
    levels = [{"stride": 8, "sizes": [[8, 8], [8, 9]]}]
    shapes = specs((1, 12, 4), (1, 12, 1))
    given = outputs(np.arange(12.0).reshape(12, 1))
    few = open_decoder(shapes, (16, 24), manifest(levels=levels, max_detections=4))
    assert len(few.decode(given)) == 4
    strict = open_decoder(shapes, (16, 24), manifest(levels=levels))
    assert len(strict.decode(given)) == 6
    lax = open_decoder(shapes, (16, 24), manifest(levels=levels, iou=0.95))
    assert len(lax.decode(given)) == 12


def test_roles_come_from_the_manifest_whatever_the_order() -> None:
    shapes = specs((1, 6, 4), (1, 6, 4), names=("scores", "boxes"))
    decoder = open_decoder(shapes, (16, 24), manifest())
    assert {role.role: (role.name, role.how) for role in decoder.roles} == {
        "boxes": ("boxes", "manifest"),
        "scores": ("scores", "manifest"),
    }


def test_roles_that_names_do_not_tell_are_told_by_shapes_and_said() -> None:
    shapes = specs((1, 6, 3), (1, 6, 4), names=("output_1", "output_0"))
    decoder = open_decoder(shapes, (16, 24), manifest())
    assert [str(role) for role in decoder.roles] == [
        "output_0 holds boxes (inferred from the shapes)",
        "output_1 holds scores (inferred from the shapes)",
    ]


MISFITS = [
    pytest.param(((1, 6, 4), (1, 6, 4)), ("output_0", "output_1"), id="two alike"),
    pytest.param(((1, 7, 4), (1, 7, 3)), ("boxes", "scores"), id="other anchors"),
    pytest.param(((1, 6, 5), (1, 6, 3)), ("boxes", "scores"), id="five to a box"),
]


@pytest.mark.parametrize(("shapes", "names"), MISFITS)
def test_outputs_that_are_not_those_of_the_anchors_are_named(
    shapes: tuple[tuple[int, ...], ...], names: tuple[str, ...]
) -> None:
    with pytest.raises(TargetError, match=r"detector with 6 anchors.*found .*\(1, "):
        open_decoder(specs(*shapes, names=names), (16, 24), manifest())


DAMAGES = [
    pytest.param({"levels": [{"stride": 0, "sizes": [[8, 8]]}]}, id="no stride"),
    pytest.param({"levels": [{"stride": 8, "sizes": [[0, 8]]}]}, id="no width"),
    pytest.param({"levels": [{"stride": 8, "sizes": []}]}, id="no sizes"),
    pytest.param({"levels": []}, id="no levels"),
    pytest.param({"levels": [{"stride": 1, "sizes": [[1, 1]] * 9999}]}, id="too many"),
    pytest.param({"scales": [0, 1, 1, 1]}, id="no scale"),
    pytest.param({"score": "softplus"}, id="unknown score"),
    pytest.param({"max_detections": 0}, id="no detections"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_decoding_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        open_decoder(specs((1, 6, 4), (1, 6, 2)), (16, 24), manifest(**damage))


@pytest.mark.parametrize("regular", [False, True])
def test_raw_heads_and_the_operator_in_the_graph_give_the_same_boxes(
    regular: bool, tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    levels = [Level(stride=8, sizes=((10.0, 8.0), (14.0, 16.0)))]
    size = (32, 32)
    spots = anchors(levels, size)
    codes = rng.normal(0, 3, (1, len(spots), 4)).astype(np.float32)
    logits = rng.normal(-1, 2, (1, len(spots), 3)).astype(np.float32)
    probabilities = 1 / (1 + np.exp(-np.pad(logits, [(0, 0), (0, 0), (1, 0)])))
    in_graph = tmp_path / "m.tflite"
    in_graph.write_bytes(
        tiny.postprocess(
            codes,
            probabilities.astype(np.float32),
            (spots / np.float32(32))[:, [1, 0, 3, 2]],
            max_detections=20,
            use_regular_nms=regular,
            detections_per_class=20,
        )
    )
    # With several threads the regular suppression loses classes (LiteRT 2.3).
    model = runtime.load(in_graph, probe=False, threads=1)
    given = model(np.zeros((1, *size, 3), np.float32))
    assert isinstance(given, dict)
    graph = Graph(in_graph)
    expected = open_decoder(model.outputs, size, graph=graph).decode(given, 0.3)
    wanted = Manifest(
        outputs=(Output(name="boxes", role="boxes"), Output(name="scores", role="scores")),
        decoding={
            "kind": "ssd",
            "levels": [{"stride": 8, "sizes": [[10, 8], [14, 16]]}],
            "per_class": regular,
        },
    )
    decoder = open_decoder(specs(codes.shape, logits.shape), size, wanted)
    found = decoder.decode({"boxes": codes, "scores": logits}, 0.3)
    assert len(found) > 5
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_array_equal(found.classes, expected.classes)

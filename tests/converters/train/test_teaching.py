"""What a detector is taught: anchors for objects, and how far off they are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.vision.outputs.ssd import Level, anchors, encode

tf = pytest.importorskip("tensorflow")
teaching = pytest.importorskip("edgekit_converters.train.detect.teaching")
pytestmark = pytest.mark.tf

SCALES = (10.0, 10.0, 5.0, 5.0)
SIZE = (64, 64)
PLACES = anchors(
    (Level(stride=16, sizes=((20, 20), (12, 30))), Level(stride=32, sizes=((44, 40),))), SIZE
)
CLASSES = 3
SURE = 8.0  # a logit


def targets(*boxes: list[float], doubtful: tuple[list[float], ...] = ()) -> dict[str, Any]:
    """Objects of the classes 0, 1, ... in one picture, and a place that stands for none."""
    none = [[0.0] * 4]
    return {
        "boxes": np.array([[*boxes, *none]], np.float32),
        "classes": np.array([[*range(len(boxes)), -1]], np.int32),
        "doubtful": np.array([[*doubtful, *none]], np.float32),
    }


def outputs(codes: Any = None, logits: Any = None) -> dict[str, Any]:
    shape = (1, len(PLACES))
    return {
        "boxes": tf.constant(np.zeros((*shape, 4), np.float32) if codes is None else codes),
        "scores": tf.constant(
            np.full((*shape, CLASSES), -SURE, np.float32) if logits is None else logits
        ),
    }


def loss(found: dict[str, Any], wanted: dict[str, Any]) -> float:
    return float(teaching.detection_loss(PLACES, SCALES)(found, wanted))


def finding(box: list[float], number: int, logit: float = SURE) -> dict[str, Any]:
    """Outputs in which every anchor inside a box finds just that box."""
    codes = encode(np.array([box] * len(PLACES), np.float32), PLACES, SCALES)
    x, y = PLACES[:, 0], PLACES[:, 1]
    inside = (x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])
    logits = np.full((1, len(PLACES), CLASSES), -SURE, np.float32)
    logits[0, inside, number] = logit
    return outputs(codes[np.newaxis].astype(np.float32), logits)


BOX = [10.0, 12.0, 44.0, 50.0]


def test_what_is_found_rightly_costs_least() -> None:
    right = loss(finding(BOX, 0), targets(BOX))
    assert right < 0.05
    assert right < loss(finding(BOX, 1), targets(BOX))
    assert right < loss(finding(BOX, 0, -SURE), targets(BOX))
    assert right < loss(finding([4.0, 4.0, 44.0, 50.0], 0), targets(BOX))


def test_nothing_found_where_nothing_is_costs_nothing() -> None:
    assert loss(outputs(), targets()) == pytest.approx(0, abs=1e-3)


def test_something_found_where_nothing_is_costs() -> None:
    assert loss(finding(BOX, 0), targets()) > 1


def test_what_is_in_doubt_costs_nothing() -> None:
    assert loss(finding(BOX, 0), targets(doubtful=(BOX,))) == pytest.approx(0, abs=1e-3)


def test_boxes_are_decoded_as_devices_decode_them() -> None:
    """The better code for a box is the one that `ssd.encode` gives."""
    exact = finding(BOX, 0)
    moved = dict(exact, boxes=exact["boxes"] + 0.5)
    assert loss(exact, targets(BOX)) < loss(moved, targets(BOX))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_the_loss_of_anything_is_finite_and_has_finite_slopes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 44, (3, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(4, 20, (3, 2))], axis=1)
    codes = tf.Variable(rng.normal(0, 8, (1, len(PLACES), 4)).astype(np.float32))
    logits = tf.Variable(rng.normal(0, 8, (1, len(PLACES), CLASSES)).astype(np.float32))
    with tf.GradientTape() as tape:
        value = teaching.detection_loss(PLACES, SCALES)(
            {"boxes": codes, "scores": logits}, targets(*boxes.tolist())
        )
    slopes = tape.gradient(value, [codes, logits])
    assert np.isfinite(float(value))
    assert float(value) >= 0
    assert all(np.isfinite(each.numpy()).all() for each in slopes)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_each_object_is_asked_of_an_anchor_even_between_their_centres(seed: int) -> None:
    """Pulling up the scores of its class lowers the loss, for anchors as they begin."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 40, 2)
    box = [*corner, *(corner + rng.uniform(6, 24, 2))]
    logits = tf.Variable(np.full((1, len(PLACES), CLASSES), -4.6, np.float32))
    with tf.GradientTape() as tape:
        found = {"boxes": outputs()["boxes"], "scores": logits}
        value = teaching.detection_loss(PLACES, SCALES)(found, targets(box))
    slope = tape.gradient(value, logits).numpy()[0]
    assert slope[:, 0].min() < 0
    assert slope[:, 1:].min() >= 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_decoding_is_that_of_the_light_half(seed: int) -> None:
    from edgekit.vision.outputs.ssd import decode

    codes = np.random.default_rng(seed).normal(0, 3, (len(PLACES), 4)).astype(np.float32)
    found = teaching._decoded(
        tf.constant(codes / np.asarray(SCALES, np.float32)), tf.constant(PLACES)
    )
    np.testing.assert_allclose(found.numpy(), decode(codes, PLACES, SCALES), atol=1e-2)

"""Mean average precision equals that of pycocotools; agreement is the F1 of boxes."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.data.annotations import Annotated
from edgekit.data.boxes import Detections, as_boxes
from edgekit.evaluation.boxes import BoxAgreement, MeanPrecision, MeanPrecision50

Box = tuple[int, int, int, int]
corners = st.tuples(
    st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), st.integers(1, 20)
)


@st.composite
def pictures(draw: st.DrawFn) -> tuple[Annotated, Detections]:
    """Draw objects, and detections of which most lie near an object."""
    there = draw(st.lists(st.tuples(corners, st.integers(0, 2), st.booleans()), max_size=6))
    shifts = st.tuples(*[st.integers(-3, 3)] * 4)
    found = [
        (tuple(max(side + by, 1) for side, by in zip(box, draw(shifts), strict=True)), number)
        for box, number, _ in there
        if draw(st.booleans())
    ]
    found += draw(st.lists(st.tuples(corners, st.integers(0, 3)), max_size=4))
    scores = draw(st.lists(st.integers(1, 9), min_size=len(found), max_size=len(found)))
    detections = Detections(
        boxes_of([box for box, _ in found]),
        np.array(scores, np.float32) / np.float32(10),
        np.array([number for _, number in found], np.intp),
    )
    crowd = [is_crowd and draw(st.booleans()) for _, _, is_crowd in there]
    return truth([(box, number) for box, number, _ in there], crowd), detections


def boxes_of(rows: Sequence[tuple[int, ...]]) -> np.ndarray:
    return as_boxes([[x, y, x + width, y + height] for x, y, width, height in rows])


def truth(
    objects: Sequence[tuple[Box, int]],
    crowd: Sequence[bool] = (),
    difficult: Sequence[bool] = (),
) -> Annotated:
    nothing = [False] * len(objects)
    return Annotated(
        name="p",
        path=Path("p"),
        boxes=boxes_of([box for box, _ in objects]),
        classes=np.array([number for _, number in objects], np.intp),
        difficult=np.array(difficult or nothing, np.bool_),
        crowd=np.array(crowd or nothing, np.bool_),
        size=(64, 64),
    )


def by_coco(pairs: Sequence[tuple[Annotated, Detections]]) -> tuple[float, float]:
    """Return map and map50 as pycocotools finds them."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    record: dict[str, list[dict[str, object]]] = {
        "images": [{"id": number} for number in range(len(pairs))],
        "categories": [{"id": number + 1} for number in range(4)],
        "annotations": [],
    }
    found = []
    for number, (there, detections) in enumerate(pairs):
        for box, kind, crowd in zip(there.boxes, there.classes, there.crowd, strict=True):
            sides = as_row(box)
            record["annotations"].append(
                {
                    "id": len(record["annotations"]) + 1,
                    "image_id": number,
                    "category_id": int(kind) + 1,
                    "bbox": sides,
                    "area": sides[2] * sides[3],
                    "iscrowd": int(crowd),
                }
            )
        found += [
            {
                "image_id": number,
                "category_id": kind + 1,
                "bbox": as_row(box),
                "score": score,
            }
            for box, score, kind in detections
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco.COCO()
        known.dataset = record
        known.createIndex()
        results = known.loadRes(found) if found else coco.COCO()
        judge = cocoeval.COCOeval(known, results, "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0]), float(judge.stats[1])


def as_row(box: np.ndarray) -> list[float]:
    x_min, y_min, x_max, y_max = map(float, box)
    return [x_min, y_min, x_max - x_min, y_max - y_min]


@settings(max_examples=150)
@given(pairs=st.lists(pictures(), min_size=1, max_size=4))
def test_mean_average_precision_is_that_of_coco(
    pairs: list[tuple[Annotated, Detections]],
) -> None:
    assert_as_coco(pairs)


def assert_as_coco(pairs: Sequence[tuple[Annotated, Detections]]) -> None:
    whole, half = MeanPrecision("abcd"), MeanPrecision50("abcd")
    for there, found in pairs:
        whole.add(found, there)
        half.add(found, there)
    expected = by_coco(pairs) if any(len(found) for _, found in pairs) else (0.0, 0.0)
    if whole.score().value is None:
        assert half.score().value is None
        return
    assert whole.score().value == pytest.approx(expected[0], abs=1e-9)
    assert half.score().value == pytest.approx(expected[1], abs=1e-9)
    assert whole.score().others == {"map50": half.score().value}


def test_it_is_that_of_coco_on_a_crowded_set() -> None:
    rng = np.random.default_rng(3)
    pairs = []
    for _ in range(40):
        objects = np.concatenate(
            [rng.integers(0, 400, (12, 2)), rng.integers(8, 90, (12, 2))], 1
        )
        kinds = rng.integers(0, 3, 12)
        near = objects + rng.normal(0, 3, objects.shape)
        near[:, 2:] = np.maximum(near[:, 2:], 1)
        wild = np.concatenate([rng.uniform(0, 400, (6, 2)), rng.uniform(8, 90, (6, 2))], 1)
        rows = np.concatenate([near, wild])
        boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], 1).round(2)
        found = Detections(
            boxes.astype(np.float32),
            rng.uniform(0, 1, 18).astype(np.float32),
            np.concatenate([kinds, rng.integers(0, 3, 6)]),
        )
        pairs.append(
            (
                truth(
                    [
                        ((int(x), int(y), int(w), int(h)), int(k))
                        for (x, y, w, h), k in zip(objects, kinds, strict=True)
                    ]
                ),
                found,
            )
        )
    assert_as_coco(pairs)
    best = MeanPrecision("abc")
    for there, found in pairs:
        best.add(found, there)
    value = best.score().value
    assert value is not None
    assert 0.1 < value < 0.9


def found(*rows: tuple[Box, int, float]) -> Detections:
    return Detections(
        boxes_of([box for box, _, _ in rows]),
        np.array([score for _, _, score in rows], np.float32),
        np.array([number for _, number, _ in rows], np.intp),
    )


def test_what_finds_a_difficult_object_does_not_count() -> None:
    there = truth([((0, 0, 10, 10), 0), ((20, 20, 10, 10), 0)], difficult=[True, False])
    judge = MeanPrecision50(["cat"])
    judge.add(
        found(((0, 0, 10, 10), 0, 0.9), ((0, 1, 10, 10), 0, 0.8), ((20, 20, 10, 10), 0, 0.5)),
        there,
    )
    assert judge.score().value == pytest.approx(1.0)


def test_each_class_that_has_objects_has_its_value() -> None:
    judge = MeanPrecision50(["cat", "dog", "owl"])
    judge.add(
        found(((0, 0, 10, 10), 0, 0.9), ((0, 0, 10, 10), 2, 0.9)),
        truth([((0, 0, 10, 10), 0), ((30, 30, 5, 5), 1)]),
    )
    score = judge.score()
    assert score.per_class == {"cat": pytest.approx(1.0), "dog": 0.0}
    assert score.value == pytest.approx(0.5)


def test_without_objects_there_is_no_value() -> None:
    judge = MeanPrecision50(["cat"])
    judge.add(found(((0, 0, 10, 10), 0, 0.9)), truth([]))
    assert judge.score().value is None
    assert judge.score().per_class == {}


@pytest.mark.parametrize(
    ("precision", "score"),
    [
        pytest.param(1.0, 0.9, id="all right"),
        pytest.param(0.75, 0.5, id="three of four right"),
        pytest.param(0.1, 0.25, id="all count"),
    ],
)
def test_the_lowest_score_is_that_from_which_on_enough_is_right(
    precision: float, score: float
) -> None:
    judge = MeanPrecision(["cat"])
    objects: list[Box] = [(0, 0, 10, 10), (20, 0, 10, 10), (40, 0, 10, 10)]
    judge.add(
        found(
            (objects[0], 0, 0.9),
            ((60, 60, 10, 10), 0, 0.75),
            (objects[1], 0, 0.6),
            (objects[2], 0, 0.5),
            ((70, 60, 10, 10), 0, 0.25),
        ),
        truth([(each, 0) for each in objects]),
    )
    assert judge.lowest_score(precision) == pytest.approx(score)


def test_no_score_is_enough_where_nothing_is_right() -> None:
    judge = MeanPrecision(["cat"])
    assert judge.lowest_score(0.5) is None
    judge.add(found(((50, 50, 10, 10), 0, 0.9)), truth([((0, 0, 10, 10), 0)]))
    assert judge.lowest_score(0.5) is None


@given(pair=pictures())
def test_a_detector_agrees_with_itself(pair: tuple[Annotated, Detections]) -> None:
    agreement = BoxAgreement()
    _, places = np.unique(pair[1].boxes, axis=0, return_index=True)
    unlike = pair[1].take(places)
    agreement.add(unlike, unlike)
    assert agreement.value == 1.0
    assert agreement.largest in {0.0, None}


def test_agreement_is_twice_the_pairs_over_all_boxes() -> None:
    one = found(((0, 0, 10, 10), 0, 0.9), ((20, 20, 10, 10), 1, 0.8), ((40, 0, 9, 9), 0, 0.7))
    other = found(((1, 0, 10, 10), 0, 0.6), ((20, 20, 10, 10), 0, 0.8))
    agreement = BoxAgreement()
    agreement.add(one, other)
    assert agreement.value == pytest.approx(2 * 1 / 5)
    assert agreement.largest == 1.0
    agreement.add(Detections.none(), found(((0, 0, 3, 3), 0, 0.9)))
    assert agreement.value == pytest.approx(2 * 1 / 6)


def test_one_box_is_the_pair_of_one_other_only() -> None:
    one = found(((0, 0, 10, 10), 0, 0.9), ((0, 1, 10, 10), 0, 0.8))
    agreement = BoxAgreement()
    agreement.add(one, found(((0, 0, 10, 10), 0, 0.9)))
    assert agreement.value == pytest.approx(2 / 3)


def test_two_that_find_nothing_agree() -> None:
    agreement = BoxAgreement()
    assert agreement.value is None
    agreement.add(Detections.none(), Detections.none())
    assert agreement.value == 1.0

"""The newest of everything: encoded on demand, once, at a pace; nobody waits for a viewer."""

import json
import math
import threading
import time
from typing import Any

import numpy as np
import pytest

from edgekit.data import opencv
from edgekit.preview.scene import Scene

pytest.importorskip("cv2")

BLACK = np.zeros((48, 64, 3), np.uint8)


def scene() -> Scene:
    return Scene({"title": "t", "model": "m", "source": "s"}, ["ace"])


def show(to: Scene, pixels: Any = BLACK, *found: dict[str, Any]) -> None:
    to.show(pixels, "bgr", found, {"inference": 5.0}, {"dropped": 0})


def encodings(monkeypatch: pytest.MonkeyPatch, *, take_s: float = 0.0) -> list[int]:
    """Count what is encoded, and let it take longer."""
    done: list[int] = []
    real = opencv.encode_jpeg

    def encode(pixels: Any, **settings: Any) -> bytes:
        done.append(1)
        time.sleep(take_s)
        return real(pixels, **settings)

    monkeypatch.setattr(opencv, "encode_jpeg", encode)
    return done


def test_nothing_is_encoded_while_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    done = encodings(monkeypatch)
    shown = scene()
    for _ in range(20):
        show(shown)
    assert done == []


def test_a_frame_is_encoded_once_for_all_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    done = encodings(monkeypatch)
    shown, pictures = scene(), []

    def look() -> None:
        view = shown.next("", 5.0)
        pictures.append(view.picture.encoded() if view else b"")

    viewers = [threading.Thread(target=look) for _ in range(8)]
    for each in viewers:
        each.start()
    show(shown)
    for each in viewers:
        each.join()
    assert done == [1]
    assert len(set(pictures)) == 1
    assert pictures[0].startswith(b"\xff\xd8")


def test_a_viewer_gets_the_newest_and_waits_for_what_it_has_not_seen() -> None:
    shown = scene()
    for _ in range(3):
        show(shown)
    view = shown.next("", 0.0)
    assert view is not None
    assert view.mark.endswith(".3")
    assert shown.next(view.mark, 0.05) is None
    show(shown)
    after = shown.next(view.mark, 1.0)
    assert after is not None
    assert after.mark.endswith(".4")


def test_the_marks_of_another_run_are_not_taken_for_this_ones() -> None:
    first, second = scene(), scene()
    show(first)
    show(second)
    seen = first.next("", 0.0)
    assert seen is not None
    assert second.next(seen.mark, 0.0) is not None


def test_pictures_go_out_at_a_pace_that_leaves_the_processor_to_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = encodings(monkeypatch, take_s=0.05)
    shown, ends, seen = scene(), time.monotonic() + 1.0, ""
    feeding = threading.Event()

    def feed() -> None:
        while not feeding.wait(0.002):
            show(shown)

    feeder = threading.Thread(target=feed)
    feeder.start()
    while time.monotonic() < ends:
        view = shown.next(seen, 0.1)
        if view is not None:
            view.picture.encoded()
            seen = view.mark
    feeding.set()
    feeder.join()
    assert 2 <= len(done) <= 7, (
        "50 ms each may take a quarter of a second: 5 pictures, or a few"
    )


@pytest.mark.parametrize(
    "pixels",
    [
        pytest.param(np.zeros((0, 0, 3), np.uint8), id="no size"),
        pytest.param(np.zeros((0, 64, 3), np.uint8), id="no height"),
        pytest.param(np.zeros((48, 64), np.uint8), id="no channels"),
        pytest.param(np.zeros((48, 64, 4), np.uint8), id="four channels"),
    ],
)
def test_a_frame_that_is_no_picture_is_shown_as_none(pixels: Any) -> None:
    shown = scene()
    show(shown, pixels)
    view = shown.next("", 0.0)
    assert view is not None
    assert view.picture.encoded() == b""
    json.dumps(shown.state(view), allow_nan=False)


@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_colours_stay_what_they_are_and_large_frames_shrink(order: Any) -> None:
    pixels = np.zeros((1500, 3000, 3), np.uint8)
    pixels[..., 2 if order == "bgr" else 0] = 250
    shown = scene()
    shown.show(pixels, order, [], {}, {})
    view = shown.next("", 0.0)
    assert view is not None
    back = opencv.decode(view.picture.encoded())
    assert back is not None
    assert back.shape == (640, 1280, 3)
    np.testing.assert_allclose(back[320, 640], [250, 0, 0], atol=6)
    assert view.told()["size"] == (3000, 1500), "boxes refer to the frame"


def test_numbers_of_numpy_and_boxes_that_are_none_become_plain_json() -> None:
    shown = scene()
    box = np.array([1.23, 2.0, 30.0, 40.0], np.float32)
    good = {"label": "ace", "score": np.float32(0.5), "box": box, "id": np.int64(7)}
    bad = {"label": "odd", "score": math.nan, "box": [math.inf, 0, 1, 1]}
    show(shown, BLACK, good, bad, {"label": "no box", "score": 1, "box": None})
    state = json.loads(json.dumps(shown.state(shown.next("", 0.0)), allow_nan=False))
    colors = [each.pop("color") for each in state["boxes"]]
    assert all(color.startswith("#") for color in colors)
    assert state["boxes"] == [
        {"label": "ace", "score": 0.5, "box": [1.2, 2.0, 30.0, 40.0], "id": 7},
        {"label": "odd", "score": 0.0},
        {"label": "no box", "score": 1.0},
    ]


def test_an_id_is_an_event_when_it_comes_and_not_again() -> None:
    shown = scene()
    for number in (1, 1, 2, 1):
        show(shown, BLACK, {"label": "ace", "score": 0.9, "id": number})
    shown.tell("The camera is back.")
    events = shown.state(None)["events"]
    assert [each["text"] for each in events] == ["The camera is back.", "ace #2", "ace #1"]
    assert [each["number"] for each in events] == [3, 2, 1]


def test_events_and_ids_do_not_pile_up() -> None:
    shown = scene()
    for number in range(3000):
        show(shown, BLACK, {"label": "ace", "score": 0.9, "id": number})
    assert len(shown.state(None)["events"]) == 50
    assert len(shown._ids) == 1000


def test_showing_costs_little_while_nobody_looks() -> None:
    shown = scene()
    found = [
        {"label": "ace", "score": 0.9, "box": [0, 0, 9, 9], "id": number}
        for number in range(10)
    ]
    begun = time.perf_counter()
    for _ in range(300):
        show(shown, BLACK, *found)
    assert (time.perf_counter() - begun) / 300 < 2e-3, "seconds a frame"

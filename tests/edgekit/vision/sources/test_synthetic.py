"""Drawn cards: the same every time, within the frame, cheap."""

import itertools
import time

import numpy as np
import pytest

from edgekit.vision.sources import open_source
from edgekit.vision.sources.cards import RANKS, SUITS, draw_card
from edgekit.vision.sources.synthetic import FPS, Synthetic

pytest.importorskip("cv2")


def test_frames_come_without_end_in_the_size_asked_for() -> None:
    with open_source("synthetic:320x240") as source:
        frames = list(itertools.islice(source.frames(), 5))
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.t for frame in frames] == [each / FPS for each in range(5)]
    assert {frame.size for frame in frames} == {(240, 320)} == {source.size}
    assert not source.live


def test_a_seed_gives_the_same_frames_and_another_gives_others() -> None:
    def tenth(seed: int) -> bytes:
        *_, frame = itertools.islice(Synthetic((96, 128), seed).frames(), 10)
        return frame.pixels.tobytes()

    assert tenth(1) == tenth(1) != tenth(2)


def test_cards_stay_in_the_frame_and_apart_from_each_other() -> None:
    source = Synthetic((360, 640), seed=3)
    for t in np.linspace(0, 20, 300):
        boxes = [card.box(float(t)) for card in source.cards]
        for left, top, right, bottom in boxes:
            assert 0 <= left < right <= 640
            assert 0 <= top < bottom <= 360
        for one, other in itertools.pairwise(sorted(boxes)):
            assert one[2] <= other[0]


def test_cards_move() -> None:
    source = Synthetic((360, 640))
    first, later = (source.cards[0].box(t) for t in (0.0, 0.5))
    assert first != later


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("suit", SUITS)
def test_every_card_can_be_drawn(rank: str, suit: str) -> None:
    picture, mask = draw_card(rank, suit, 90, 10.0)
    assert picture.shape == (*mask.shape, 3)
    assert set(np.unique(mask)) == {0, 255}
    white = (picture[mask == 255].min(axis=1) > 200).mean()
    assert 0.25 < white < 0.98


def test_closing_ends_the_frames() -> None:
    source = Synthetic((96, 128))
    frames = source.frames()
    next(frames)
    source.close()
    assert list(frames) == []


def test_a_large_frame_is_cheap() -> None:
    frames = Synthetic().frames()
    next(frames)
    begun = time.process_time()
    for _ in range(50):
        next(frames)
    assert (time.process_time() - begun) / 50 < 0.006  # about 1 ms where nobody else works

"""The detector that is carried, on the cards that the synthetic source draws."""

import itertools

import numpy as np
import pytest

from edgekit.data.boxes import iou

pytest.importorskip("cv2")
from edgekit.vision.detector import open_detector
from edgekit.vision.sources.synthetic import Synthetic
from edgekit_demos.models import model_path

FRAMES = 60


def test_it_finds_drawn_cards_and_little_else() -> None:
    detector, source = open_detector(model_path("cards")), Synthetic()
    right = found = 0
    for frame in itertools.islice(source.frames(), FRAMES):
        given, placing = detector.prepare(frame.pixels, frame.order)
        seen = detector.finish(detector.infer(given), placing)
        boxes = np.array([card.box(frame.t) for card in source.cards], np.float32)
        for number, overlaps in zip(seen.classes, iou(seen.boxes, boxes), strict=True):
            best = int(overlaps.argmax())
            same = detector.labels[number] == source.cards[best].rank
            right += bool(overlaps[best] >= 0.5 and same)
        found += len(seen)
    assert right >= 0.8 * len(source.cards) * FRAMES
    assert right >= 0.95 * found

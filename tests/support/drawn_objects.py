"""Drawn pictures of squares and discs, to train a small detector on within seconds."""

import json
from pathlib import Path

import numpy as np

from edgekit.data import opencv

LABELS = ("disc", "square")
SIZE = 96
_COLORS = ((230, 60, 40), (50, 90, 240))


def write_objects(root: Path, count: int, seed: int = 0) -> Path:
    """Write pictures with one or two objects each, as COCO."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    boxes: list[dict[str, object]] = []
    for number in range(count):
        pixels = rng.integers(90, 130, (SIZE, SIZE, 3), np.uint8)
        for left in (4, SIZE // 2 + 2)[: rng.integers(1, 3)]:
            side = int(rng.integers(24, 42))
            x, y = left + int(rng.integers(0, 44 - side)), int(rng.integers(2, 94 - side))
            kind = int(rng.integers(2))
            _draw(pixels, (x, y, side), kind)
            boxes.append({"image_id": number, "category_id": kind, "bbox": [x, y, side, side]})
        jpeg = opencv.encode_jpeg(pixels, order="rgb", quality=95)
        (root / f"img_{17 * number}.jpg").write_bytes(jpeg)
    names = [f"img_{17 * number}.jpg" for number in range(count)]
    record = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(LABELS)],
        "annotations": boxes,
    }
    (root / "annotations.json").write_text(json.dumps(record))
    return root


def _draw(pixels: opencv.Pixels, place: tuple[int, int, int], kind: int) -> None:
    x, y, side = place
    part = pixels[y : y + side, x : x + side]
    across = (np.arange(side) + 0.5 - side / 2) / (side / 2)
    inside = (across**2 + across[:, np.newaxis] ** 2 <= 1) | bool(kind)
    part[inside] = _COLORS[kind]

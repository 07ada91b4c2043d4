"""Claim: from published times, the same model's time on a Raspberry Pi 4 is told within 5 %.

Each model that was measured on Raspberry Pi 3 and on Raspberry Pi 4 is told for the Pi 4 from
its own time on the Pi 3 and the ratio of the two boards in the other models, that of the same
type of values, program, number of threads, board and page; its own time on the Pi 4 is not
used.

    python benchmarks/anchors.py [--json FILE]

The anchors are written anew from a table of published latencies, of which rows are taken
whose licence allows it:

    python benchmarks/anchors.py --write PUBLISHED.csv
"""

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from edgekit.files import atomic_write
from edgekit.profiling.anchors import Anchor, folder, read_anchors
from edgekit.records import from_json, to_json

LICENCES = {"MIT", "Apache-2.0", "BSD-3-Clause"}
PI_3, PI_4 = "raspberry-pi-3", "raspberry-pi-4"

# Device as published, and what its delegate's name begins with -> target and delegate.
TARGETS: tuple[tuple[str, str, str, str], ...] = (
    ("RPi 4 64bit", "TFLite 2.5", "raspberry-pi-4", "cpu"),
    ("RPi 4 (BCM2711, 64-bit)", "", "raspberry-pi-4", "cpu"),
    ("RPi 4", "TFLite CPU", "raspberry-pi-4", "cpu"),
    ("RPi 3 64bit", "TFLite 2.5", "raspberry-pi-3", "cpu"),
    ("RPi 3 B+ 64bit", "TFLite 2.5", "raspberry-pi-3", "cpu"),
    ("RPi 3 V1.2 64bit", "TFLite 2.5", "raspberry-pi-3", "cpu"),
    ("RPi 3B+", "TFLite CPU", "raspberry-pi-3", "cpu"),
    ("RPi 5", "TFLite CPU", "raspberry-pi-5", "cpu"),
    ("RPi 2 V1.2 32bit", "TFLite 2.5", "raspberry-pi-32bit", "cpu"),
    ("RPi 3 V1.2 32bit", "TFLite 2.5", "raspberry-pi-32bit", "cpu"),
    ("RPi 3 B+ 32bit", "TFLite 2.5", "raspberry-pi-32bit", "cpu"),
    ("RPi 4 32bit", "TFLite 2.5", "raspberry-pi-32bit", "cpu"),
    ("RPi 2 (BCM2836)", "", "raspberry-pi-32bit", "cpu"),
    ("RPi 3B+ (BCM2837B0)", "", "raspberry-pi-32bit", "cpu"),
    ("RPi 4 (BCM2711, 32-bit)", "", "raspberry-pi-32bit", "cpu"),
    ("Pixel 3", "TFLite CPU", "android", "cpu"),
    ("Pixel 4", "TFLite CPU", "android", "cpu"),
    ("Pixel 3", "TFLite GPU", "android-gpu", "gpu"),
    ("Pixel 4", "TFLite GPU", "android-gpu", "gpu"),
    ("iPhone XS", "TFLite CPU", "ios", "cpu"),
    ("RPi 4 64bit", "Edge TPU", "coral-usb", "edgetpu"),
    ("RPi 4 + Coral USB (USB3)", "", "coral-usb", "edgetpu"),
    ("Coral Dev Board", "Edge TPU", "coral-dev-board", "edgetpu"),
    ("Coral Dev Board 1GB", "TFLite 2.5 Edge TPU", "coral-dev-board", "edgetpu"),
)

# Beginning of a source's name -> its address and date.
_GITHUB = "https://github.com"
SOURCES: tuple[tuple[str, str, str], ...] = (
    (
        "NobuoTsukamoto/benchmarks tensorflow/lite/efficentdet",
        f"{_GITHUB}/NobuoTsukamoto/benchmarks/blob/main/tensorflow/lite/efficentdet/efficientdet.md",
        "2021-05 or later (TensorFlow 2.5)",
    ),
    (
        "NobuoTsukamoto/benchmarks tensorflow/lite/tf1_detection_model_zoo",
        f"{_GITHUB}/NobuoTsukamoto/benchmarks/tree/main/tensorflow/lite/tf1_detection_model_zoo",
        "2021-05 or later (TensorFlow 2.5)",
    ),
    (
        "aallan/benchmarking-ml-on-the-edge",
        f"{_GITHUB}/aallan/benchmarking-ml-on-the-edge",
        "2023-10 or later (Raspberry Pi 5)",
    ),
    ("google/XNNPACK README (Feb 2022", f"{_GITHUB}/google/XNNPACK", "2022-02"),
    ("google/XNNPACK README (Mar 2020", f"{_GITHUB}/google/XNNPACK", "2020-03"),
    (
        "tensorflow/models research/slim/nets/mobilenet",
        f"{_GITHUB}/tensorflow/models/blob/master/research/slim/nets/mobilenet/README.md",
        "2019-11 or later (MobileNetV3)",
    ),
    (
        "tensorflow/models research/object_detection",
        f"{_GITHUB}/tensorflow/models/blob/master/research/object_detection/g3doc/tf1_detection_zoo.md",
        "2020 or later (MobileDet)",
    ),
    (
        "tensorflow/tensorflow tensorflow/lite/g3doc/guide/hosted_models",
        f"{_GITHUB}/tensorflow/tensorflow/tree/v2.3.0/tensorflow/lite/g3doc/guide",
        "2019-09 or later (Android 10)",
    ),
    (
        "tensorflow/tensorflow tensorflow/lite/g3doc/performance/measurement",
        f"{_GITHUB}/tensorflow/tensorflow/blob/master/tensorflow/lite/g3doc/performance/measurement.md",
        "2019-10 or later (Pixel 4)",
    ),
)

# Millions of MACs: of MobileNetV3 as the README of its authors gives them, of SSDLite as the
# paper on MobileNetV2 does (arXiv 1801.04381, table 6); V1 and V2 are counted below.
MILLIONS = {
    "mobilenetv3large": 217.0,
    "mobilenetv3large1.0": 217.0,
    "mobilenetv3large0.75": 155.0,
    "mobilenetv3largeminimalistic": 209.0,
    "mobilenetv3small": 66.0,
    "mobilenetv3small1.0": 66.0,
    "mobilenetv3small0.75": 44.0,
    "mobilenetv3smallminimalistic": 65.0,
    "ssdlitemobilenetv2": 800.0,
    "ssdlitemobilenetv1": 1300.0,
}
# Channels and stride of each block after the first layer.
_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5)
_V1_BLOCKS = (*_V1, (1024, 2), (1024, 1))
# Expansion, channels, repeats, stride.
_V2_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v1(width: float, size: int) -> float:
    """Count the MACs of MobileNetV1 with 1000 classes."""
    side, channels = -(-size // 2), int(32 * width)
    total = side * side * channels * 27
    for out, stride in _V1_BLOCKS:
        made, side = int(out * width), -(-side // stride)
        total += side * side * channels * (9 + made)
        channels = made
    return float(total + channels * 1000)


def mobilenet_v2(width: float, size: int) -> float:
    """Count the MACs of MobileNetV2 with 1000 classes."""
    side, channels = -(-size // 2), _rounded(32 * width)
    total = side * side * channels * 27
    for expansion, out, repeats, first in _V2_BLOCKS:
        made = _rounded(out * width)
        for turn in range(repeats):
            wide = channels * expansion
            total += side * side * channels * wide * (expansion > 1)
            side = -(-side // (first if turn == 0 else 1))
            total += side * side * wide * (9 + made)
            channels = made
    last = max(1280, _rounded(1280 * width))
    return float(total + side * side * channels * last + last * 1000)


def _rounded(channels: float) -> int:
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def macs(model: str, size: str) -> float | None:
    """Return the MACs of a published model where they are known."""
    plain = model.lower().replace(" ", "")
    side = int(size.partition("x")[0] or 224)
    for name, count in (("mobilenetv1", mobilenet_v1), ("mobilenetv2", mobilenet_v2)):
        if plain.startswith(name):
            return count(float(plain.removeprefix(name) or 1), side)
    if plain in MILLIONS and side in {224, 300}:
        return MILLIONS[plain] * 1e6
    return None


def rows(path: Path) -> Iterator[tuple[str, Anchor]]:
    """Read a table of published latencies: target and anchor."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            place = _place(row)
            source = next((each for each in SOURCES if row["source"].startswith(each[0])), None)
            if place is None or source is None or row["source_licence"] not in LICENCES:
                continue
            threads = {"all cores": "4", "big cores": ""}.get(row["threads"], row["threads"])
            values = {
                "model": row["model"],
                "input": row["input_size"].partition("x")[0],
                "device": row["device"],
                "scheme": row["precision"],
                "threads": int(threads) if threads else None,
                "delegate": place[1],
                "runtime": row["runtime_delegate"],
                "latency_ms": float(row["latency_ms"]),
                "macs": macs(row["model"], row["input_size"]),
                "source": source[1],
                "date": source[2],
                "licence": row["source_licence"],
            }
            yield place[0], from_json(Anchor, values, str(path))


def _place(row: dict[str, str]) -> tuple[str, str] | None:
    found = (
        (target, delegate)
        for device, begin, target, delegate in TARGETS
        if row["device"] == device and row["runtime_delegate"].startswith(begin)
    )
    return next(found, None)


def write(path: Path) -> None:
    """Write the anchors of all targets."""
    by_target: dict[str, list[Anchor]] = defaultdict(list)
    for target, anchor in rows(path):
        by_target[target].append(anchor)
    for target, anchors in by_target.items():
        kept = [
            {key: value for key, value in to_json(each).items() if value is not None}
            for each in anchors
        ]
        head = "# Published latencies. Written by benchmarks/anchors.py; do not edit.\n\n"
        text = head + tomli_w.dumps({"anchors": kept})
        atomic_write(folder() / f"{target}.toml", text)
        print(f"{target}: {len(kept)}")


_Key = tuple[str, str, str, int | None, str]


def left_out(one: Sequence[Anchor], other: Sequence[Anchor]) -> list[dict[str, Any]]:
    """Tell each model on the other board from its time on the one and other models' ratios."""
    groups: dict[_Key, list[tuple[str, float, float]]] = defaultdict(list)
    for first in one:
        for second in other:
            same_program = first.runtime == second.runtime
            if first.what == second.what and same_program:
                key: _Key
                key = (first.device, first.scheme, first.runtime, first.threads, first.source)
                groups[key].append((first.model, first.latency_ms, second.latency_ms))
    found: list[dict[str, Any]] = []
    for key, pairs in groups.items():
        for i, (model, before, truth) in enumerate(pairs):
            others = [b / a for j, (_, a, b) in enumerate(pairs) if j != i]
            if len(others) < 2:
                continue
            told = before * float(np.median(others))
            how = dict(
                zip(("board", "scheme", "runtime", "threads", "source"), key, strict=True)
            )
            found.append(
                {**how, "model": model, "told_ms": told, "truth_ms": truth}
                | {"error": told / truth - 1}
            )
    return found


def main() -> None:
    """Write anchors, or judge by them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PUBLISHED.csv")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.write:
        write(options.write)
        return
    found = left_out(read_anchors(PI_3), read_anchors(PI_4))
    boards: dict[str, list[float]] = defaultdict(list)
    for each in found:
        boards[f"{each['board']}, {each['scheme']}, {each['threads']} threads"].append(
            abs(each["error"])
        )
    for name, errors in sorted(boards.items()):
        print(f"{name:44} {len(errors):3} models, median error {np.median(errors):.1%}")
    every = [abs(each["error"]) for each in found]
    print(f"All {len(every)}: median {np.median(every):.1%}, within 10 %: ", end="")
    print(f"{np.mean(np.array(every) <= 0.1):.0%}")
    print(f"Boards: {dict(Counter(each['board'] for each in found))}")
    if options.json:
        document = {"schema": 1, "median_error": float(np.median(every)), "models": found}
        options.json.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()

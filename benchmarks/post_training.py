"""What the steps after the conversion recover of an int8 ImageNet classifier.

MobileNetV1 0.25 (224 x 224), quantized with photographs of flowers; agreement is the share
of photographs that no row has seen where the emitted file and the float model choose the
same class (of a tie the first), divergence that of their class probabilities in nats. The
plain rows are TFLiteConverter's own files; the other rows are what `edgekit convert` makes
of those, with its defaults and with `--round`. Seconds are those of the chain behind the
converter: wall time, time of all cores together, and wall time relative to that of the
conversion just before.

    EDGEKIT_DATA=... python benchmarks/post_training.py [--splits 3] [--samples 200 ...]
        [--rows NAME ...] [--json FILE]

With several numbers of samples, the smaller choices are parts of the largest one, and all are
judged by the same photographs.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data import open_dataset
from edgekit.manifest import Preprocessing
from edgekit.runtime import load
from edgekit_converters.quantize.chain.improve import Wishes, improve
from edgekit_converters.quantize.chain.judge import divergence
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.sources import Source, fix_batch, load_source, write_float

MODEL = (
    "models/keras/st_modelzoo/image_classification/pretrained_models/mobilenetv1/"
    "Public_pretrainedmodel_public_dataset/ImageNet/mobilenet_v1_0.25_224/"
    "mobilenet_v1_0.25_224.h5"
)
PICTURES = "classification/flowers"
SHAPE = (224, 224, 3)
SAMPLES = 200
NUMBERS = ("agreement", "divergence", "seconds", "core_seconds", "conversion_seconds")

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A way to make the integer model.

    Attributes:
        wishes: Of the chain behind the converter; None without one.
        per_tensor: Whether a weight tensor has one scale.
        wanted: Agreement to reach with `SAMPLES` samples, or None.
    """

    wishes: Wishes | None
    per_tensor: bool = False
    wanted: float | None = None


ROWS = {
    "plain TFLiteConverter": Row(None),
    "default": Row(Wishes(), wanted=0.90),
    "with --round": Row(Wishes(rounding=True), wanted=0.93),
    "with --estimator auto": Row(Wishes(estimator="auto")),
    "plain TFLiteConverter, per tensor": Row(None, per_tensor=True),
    "default, per tensor": Row(Wishes(per_tensor=True), per_tensor=True),
    "with --round, per tensor": Row(
        Wishes(rounding=True, per_tensor=True), per_tensor=True, wanted=0.84
    ),
}
DEFAULT = [name for name in ROWS if name != "with --estimator auto"]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A choice of photographs.

    Attributes:
        taught: Numbers of those that calibrate, by how many they are.
        unseen: Numbers of those that judge.
    """

    taught: dict[int, Array]
    unseen: Array


def pictures(folder: Path, splits: int, counts: Sequence[int]) -> tuple[Array, list[Split]]:
    """Return all photographs, and how they are split."""
    data = open_dataset(
        folder,
        shapes={"image": SHAPE},
        preprocessing=Preprocessing.from_range(-1, 1),
        labelled=False,
    )
    names = [data.name_of(index) for index in range(len(data))]
    chosen = []
    for seed in range(splits):
        subset = data.subset(max(counts), seed)
        taken = {subset.name_of(index) for index in range(len(subset))}
        inside = np.array([name in taken for name in names])
        order = np.random.default_rng(seed).permutation(np.flatnonzero(inside))
        parts = {count: np.sort(order[:count]) for count in counts}
        chosen.append(Split(parts, np.flatnonzero(~inside)))
    return np.stack([sample.inputs["image"] for sample in data]), chosen


def probabilities(path: Path, samples: Array) -> Array:
    """Return what a model gives for each sample."""
    model: Any = load(path, probe=False)
    return np.stack([model(sample[np.newaxis]).ravel() for sample in samples])


class Bench:
    """Makes the files and judges them.

    Args:
        source: The classifier.
        samples: All photographs.
        folder: Working folder.
    """

    def __init__(self, source: Source, samples: Array, folder: Path) -> None:
        self._source, self._samples, self._folder = source, samples, folder
        self._float, self._made = folder / "float.tflite", folder / "made.tflite"
        write_float(source, self._float)
        self._wanted = probabilities(self._float, samples)

    def measured(self, split: Split, count: int, names: Sequence[str]) -> Iterator[Any]:
        """Yield the numbers of each row."""
        plain: dict[bool, tuple[bytes, float]] = {}
        for name in names:
            row = ROWS[name]
            if row.per_tensor not in plain:
                plain[row.per_tensor] = self._converted(split, count, row)
            content, converting = plain[row.per_tensor]
            start, cores = time.perf_counter(), time.process_time()
            steps: tuple[str, ...] = ()
            if row.wishes is not None:
                named = [{"image": sample} for sample in self._samples[split.taught[count]]]
                original = self._float.read_bytes()
                made = improve(original, content, named, self._folder, row.wishes)
                content, steps = made.model, tuple(s.name for s in made.steps if s.kept)
            seconds, cores = time.perf_counter() - start, time.process_time() - cores
            agreement, away = self._judged(content, split.unseen)
            yield {
                "row": name,
                "samples": count,
                "agreement": agreement,
                "divergence": away,
                "seconds": seconds,
                "core_seconds": cores,
                "conversion_seconds": converting,
                "kept": steps,
            }

    def _converted(self, split: Split, count: int, row: Row) -> tuple[bytes, float]:
        """Convert with TFLiteConverter; return the file and its seconds."""
        taught, start = self._samples[split.taught[count]], time.perf_counter()
        name = self._source.inputs[0].name
        content = convert_keras(
            self._source.model,
            "int8",
            lambda: ({name: sample[np.newaxis]} for sample in taught),
            per_tensor=row.per_tensor,
        )
        return content, time.perf_counter() - start

    def _judged(self, content: bytes, unseen: Array) -> tuple[float, float]:
        """Return agreement and divergence on photographs that taught nothing."""
        self._made.write_bytes(content)
        found, wanted = probabilities(self._made, self._samples[unseen]), self._wanted[unseen]
        same = found.argmax(axis=1) == wanted.argmax(axis=1)
        away = [divergence(p, q) for p, q in zip(wanted, found, strict=True)]
        return float(same.mean()), float(np.mean(away))


def table(found: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table."""
    lines = [
        "| row | samples | agreement, each | mean | divergence | s | core s | x conversion |"
    ]
    lines.append("|---|---:|---|---:|---:|---:|---:|---:|")
    for name, count in dict.fromkeys((each["row"], each["samples"]) for each in found):
        rows = [each for each in found if (each["row"], each["samples"]) == (name, count)]
        each = "  ".join(f"{row['agreement']:.3f}" for row in rows)
        mean, away, seconds, cores, conversion = (
            float(np.mean([row[key] for row in rows])) for key in NUMBERS
        )
        wanted = ROWS[name].wanted if count == SAMPLES else None
        goal = f" (wanted {wanted:.2f})" if wanted else ""
        lines.append(
            f"| {name} | {count} | {each} | {mean:.3f}{goal} | {away:.4f} | {seconds:.1f} "
            f"| {cores:.1f} | {seconds / conversion:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--samples", type=int, nargs="+", default=[SAMPLES])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=DEFAULT)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    data = Path(os.environ["EDGEKIT_DATA"])
    samples, splits = pictures(data / PICTURES, args.splits, args.samples)
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        source = fix_batch(load_source(data / MODEL))
        bench = Bench(source, samples, Path(scratch))
        for split in splits:
            for count in args.samples:
                for result in bench.measured(split, count, args.rows):
                    found.append(result)
                    if args.json:
                        args.json.write_text(json.dumps(found, indent=2))
    print(table(found))


if __name__ == "__main__":
    main()

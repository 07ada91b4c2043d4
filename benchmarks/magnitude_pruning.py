"""Claim: with 80 % of the weights gone, gzip takes <= 0.4 x, and at most a point is lost.

The carried model `shapes` is pruned by magnitude while it is fine-tuned on drawn pictures,
labels and its own outputs teaching it; with --control a second time without pruning, to
tell what fine-tuning alone does. Accuracy is that of the float and int8 .tflite on
pictures that neither training nor calibration saw.

    python benchmarks/magnitude_pruning.py [--amount magnitude:0.8] [--seeds 1] [--control]
"""

import argparse
import dataclasses
import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.data import open_dataset
from edgekit.evaluation.evaluate import evaluate
from edgekit.manifest import Overrides, Preprocessing
from edgekit.profiling.profile import profile_many
from edgekit_converters.prune import finetune, prune
from edgekit_converters.prune.bought import download
from edgekit_converters.prune.graph import Graph
from edgekit_converters.prune.rebuild import rebuild
from edgekit_converters.prune.rules import read
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.sources import fix_batch, load_source, write_float
from edgekit_demos import shapes
from edgekit_demos.models import model_path

SHAPES = {"image": (shapes.SIZE, shapes.SIZE, 3)}
HELD_OUT, TYPICAL = 2000, 200

_RATE = 4e-3
_AS_TRAINED = Overrides(input_range=(0.0, 1.0))


class Bench:
    """The data, and what is measured on them.

    Args:
        folder: Working folder.
        pictures: How many to fine-tune on.
        epochs: Times through them.
        seed: Which pictures, and their order.
    """

    def __init__(self, folder: Path, pictures: int, epochs: int, seed: int) -> None:
        self._folder, self._epochs, self._seed = folder, epochs, seed
        self.source = load_source(model_path("shapes"))
        counts = {"train": pictures, "test": HELD_OUT, "typical": TYPICAL}
        for place, (name, count) in enumerate(counts.items()):
            shapes.write_npz(folder / f"{name}.npz", count, seed=100 + 10 * seed + place)

    def pruned(self, amount: str) -> Any:
        """Prune while fine-tuning."""
        return prune(
            self.source.model,
            amount,
            data=self._data("train"),
            epochs=self._epochs,
            distill=True,
            learning_rate=_RATE,
            seed=self._seed,
        ).model

    def tuned(self) -> Any:
        """Only fine-tune."""
        book = read(Graph(self.source.model))
        model = rebuild(book, book.everything())
        data, teacher = self._data("train"), self.source.model
        finetune(
            model, data, self._epochs, teacher=teacher, learning_rate=_RATE, seed=self._seed
        )
        return model

    def files(self, name: str, model: Any) -> list[Path]:
        """Write the float and the int8 file of a model."""
        source = fix_batch(dataclasses.replace(self.source, model=model))
        paths = [self._folder / f"{name}.{kind}.tflite" for kind in ("float", "int8")]
        write_float(source, paths[0])
        paths[1].write_bytes(convert_keras(source.model, "int8", self._batches))
        return paths

    def accuracy(self, path: Path) -> float:
        """Accuracy on the held-out pictures."""
        data = self._folder / "test.npz"
        found = evaluate(path, data, overrides=_AS_TRAINED, labels=shapes.CLASSES)
        assert found.value is not None, "there are labels"
        return found.value

    def _data(self, name: str) -> Any:
        return open_dataset(
            self._folder / f"{name}.npz",
            shapes=SHAPES,
            preprocessing=Preprocessing.from_range(0.0, 1.0),
            labelled=True,
            labels=shapes.CLASSES,
        )

    def _batches(self) -> Iterator[dict[str, Any]]:
        for sample in self._data("typical"):
            yield {name: value[None] for name, value in sample.inputs.items()}


def measured(bench: Bench, amount: str, *, control: bool) -> dict[str, dict[str, Any]]:
    """Measure the original, the pruned one, and the one that was only fine-tuned."""
    models = {"original": bench.source.model, "pruned": bench.pruned(amount)}
    if control:
        models["fine-tuned"] = bench.tuned()
    files = {name: bench.files(name, model) for name, model in models.items()}
    flat = [path for paths in files.values() for path in paths]
    times = dict(zip(flat, profile_many(flat), strict=True))
    return {
        name: {
            kind: {
                "gzip_bytes": download(path),
                "accuracy": bench.accuracy(path),
                "latency_ms": times[path].latency_ms.median,
            }
            for kind, path in zip(("float", "int8"), paths, strict=True)
        }
        for name, paths in files.items()
    }


def summary(rounds: list[dict[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Average over the seeds; change is relative to the original of the same seed."""
    rows = []
    for name in rounds[0]:
        for kind in ("float", "int8"):
            pairs = [(each[name][kind], each["original"][kind]) for each in rounds]
            rows.append(
                {
                    "model": name,
                    "type": kind,
                    "gzip_bytes": statistics.mean(one["gzip_bytes"] for one, _ in pairs),
                    "gzip_ratio": statistics.mean(
                        one["gzip_bytes"] / other["gzip_bytes"] for one, other in pairs
                    ),
                    "accuracy": statistics.mean(one["accuracy"] for one, _ in pairs),
                    "points_lost": [
                        round(100 * (other["accuracy"] - one["accuracy"]), 2)
                        for one, other in pairs
                    ],
                    "latency_ratio": statistics.mean(
                        one["latency_ms"] / other["latency_ms"] for one, other in pairs
                    ),
                }
            )
    return rows


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--amount", default="magnitude:0.8")
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(Path(folder), options.pictures, options.epochs, seed)
            rounds.append(measured(bench, options.amount, control=options.control))
    rows = summary(rounds)
    print(f"shapes, {options.amount}, {options.epochs} epochs of {options.pictures} pictures")
    print("model       type   gzip kB  ratio  accuracy  lost  latency x")
    for row in rows:
        print(
            f"{row['model']:<11} {row['type']:<5} {row['gzip_bytes'] / 1e3:8.1f}  "
            f"{row['gzip_ratio']:5.2f}  {row['accuracy']:8.4f}  "
            f"{statistics.mean(row['points_lost']):4.1f}  {row['latency_ratio']:9.2f}"
        )
    if options.json:
        found = {"schema": 1, "options": vars(options) | {"json": None}, "rows": rows}
        options.json.write_text(json.dumps(found, indent=2, default=str))


if __name__ == "__main__":
    main()

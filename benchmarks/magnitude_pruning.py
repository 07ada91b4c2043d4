"""Claim: with 80 % of the weights gone, gzip takes <= 0.4 x, and at most a point is lost.

A net is pruned by magnitude while it is fine-tuned, labels and its own outputs teaching it;
with --control a second time without pruning, to tell what fine-tuning alone does. Accuracy is
that of the float and int8 .tflite on pictures that neither training nor calibration saw.

Clusters make the download of what was pruned smaller still: a third row, 64 values a kernel.

* `shapes`: the small carried net (38,000 weights) on drawn pictures.
* `flowers`: MobileNetV1 0.75 (1.8 million weights) on photographs; needs EDGEKIT_DATA.
  Without epochs, as by default, nothing is trained: the weights that stay make up for
  those that go.

    python benchmarks/magnitude_pruning.py [--net flowers] [--amount magnitude:0.8]
        [--seeds 1] [--control] [--work FOLDER] [--json FILE]
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from flowers import KINDS, Flowers, interval, write_files

from edgekit.data import open_dataset
from edgekit.evaluation.evaluate import evaluate
from edgekit.manifest import Overrides, Preprocessing
from edgekit.profiling.profile import profile_many
from edgekit_converters.prune import finetune, prune
from edgekit_converters.prune.bought import download
from edgekit_converters.prune.graph import Graph
from edgekit_converters.prune.rebuild import rebuild
from edgekit_converters.prune.rules import read
from edgekit_converters.sources import load_source
from edgekit_demos import shapes
from edgekit_demos.models import model_path

SCHEMA = 2
POINTS, RATIO = 1.0, 0.4
CLUSTERS = "clusters:64"
CLAIMED = ("pruned", "clustered")
SHAPES = {"image": (shapes.SIZE, shapes.SIZE, 3)}
HELD_OUT, TYPICAL, PICTURES = 2000, 200, 6000

_AS_TRAINED = Overrides(input_range=(0.0, 1.0))


class Net(Protocol):
    """A net with its data, for one seed."""

    def original(self) -> Any:
        """Return the trained net."""

    def pruned(self, amount: str, epochs: int) -> Any:
        """Prune it while fine-tuning."""

    def tuned(self, epochs: int) -> Any:
        """Only fine-tune it."""

    def files(self, name: str, model: Any) -> dict[str, Path]:
        """Write the float and the int8 file of a model."""

    def accuracy(self, path: Path) -> float:
        """Return the accuracy of a file on pictures held out."""


class Shapes:
    """The carried net, on drawn pictures.

    Args:
        work: Working folder.
        seed: Which pictures, and their order.
    """

    rate = 4e-3

    def __init__(self, work: Path, seed: int) -> None:
        self._folder, self._seed = work / f"shapes-{seed}", seed
        self._folder.mkdir(parents=True, exist_ok=True)
        self._model = load_source(model_path("shapes")).model
        counts = {"train": PICTURES, "test": HELD_OUT, "typical": TYPICAL}
        for place, (name, count) in enumerate(counts.items()):
            shapes.write_npz(self._folder / f"{name}.npz", count, seed=100 + 10 * seed + place)

    def original(self) -> Any:
        """Return the trained net."""
        return self._model

    def pruned(self, amount: str, epochs: int) -> Any:
        """Prune it while fine-tuning."""
        return prune(
            self._model,
            amount,
            data=self._data("train"),
            epochs=epochs,
            distill=True,
            learning_rate=self.rate,
            seed=self._seed,
        ).model

    def tuned(self, epochs: int) -> Any:
        """Only fine-tune it."""
        model = copy(self._model)
        finetune(
            model,
            self._data("train"),
            epochs,
            teacher=self._model,
            learning_rate=self.rate,
            seed=self._seed,
        )
        return model

    def files(self, name: str, model: Any) -> dict[str, Path]:
        """Write the float and the int8 file of a model."""
        paths = {kind: self._folder / f"{name}.{kind}.tflite" for kind in KINDS}
        write_files(model, paths, self._batches)
        return paths

    def accuracy(self, path: Path) -> float:
        """Return the accuracy of a file on pictures held out."""
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


class Blossoms(Flowers):
    """The wider net, on photographs; what was made is kept in the working folder."""

    rate = 5e-4

    def pruned(self, amount: str, epochs: int) -> Any:
        """Prune it while fine-tuning."""
        return self.kept(f"{amount}-{epochs}", partial(self._pruned, amount, epochs))

    def tuned(self, epochs: int) -> Any:
        """Only fine-tune it."""
        return self.kept(f"tuned-{epochs}", partial(self._tuned, epochs))

    def _pruned(self, amount: str, epochs: int) -> Any:
        return prune(
            self.original(),
            amount,
            data=self.training,
            epochs=epochs,
            distill=True,
            augment=True,
            learning_rate=self.rate,
            seed=self.seed,
        ).model

    def _tuned(self, epochs: int) -> Any:
        original = self.original()
        model = copy(original)
        finetune(
            model,
            self.training,
            epochs,
            teacher=original,
            augment=True,
            learning_rate=self.rate,
            seed=self.seed,
        )
        return model


NETS: dict[str, tuple[type[Shapes] | type[Blossoms], int]] = {
    "shapes": (Shapes, 8),
    "flowers": (Blossoms, 0),
}


def copy(model: Any) -> Any:
    """Copy a model with its weights."""
    book = read(Graph(model))
    return rebuild(book, book.everything())


@dataclass(frozen=True)
class Row:
    """One file of one model of one seed."""

    model: str
    kind: str
    seed: int
    gzip_bytes: int
    accuracy: float
    latency_ms: float


def measured(net: Net, seed: int, amount: str, epochs: int, *, control: bool) -> list[Row]:
    """Measure the original, the pruned one, and what is made of these."""
    models = {"original": net.original(), "pruned": net.pruned(amount, epochs)}
    models["clustered"] = prune(models["pruned"], CLUSTERS).model
    if control and epochs:
        models["fine-tuned"] = net.tuned(epochs)
    stems = {name: f"{name}-{amount}-{epochs}" for name in models} | {"original": "original"}
    paths = {
        (name, kind): path
        for name, model in models.items()
        for kind, path in net.files(stems[name], model).items()
    }
    times = profile_many(list(paths.values()), threads=1)
    return [
        Row(
            model=name,
            kind=kind,
            seed=seed,
            gzip_bytes=download(path),
            accuracy=net.accuracy(path),
            latency_ms=profile.latency_ms.median,
        )
        for ((name, kind), path), profile in zip(paths.items(), times, strict=True)
    ]


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Average over the seeds; change is relative to the original of the same seed."""
    found = []
    for name in dict.fromkeys(row.model for row in rows):
        for kind in KINDS:
            pairs = [
                (row, _original(rows, row))
                for row in rows
                if (row.model, row.kind) == (name, kind)
            ]
            lost = [100 * (other.accuracy - one.accuracy) for one, other in pairs]
            mean, low, high = interval(lost)
            found.append(
                {
                    "model": name,
                    "kind": kind,
                    "gzip_bytes": statistics.mean(one.gzip_bytes for one, _ in pairs),
                    "gzip_ratio": statistics.mean(
                        one.gzip_bytes / other.gzip_bytes for one, other in pairs
                    ),
                    "accuracy": statistics.mean(one.accuracy for one, _ in pairs),
                    "lost": mean,
                    "lost_from": low,
                    "lost_to": high,
                    "latency_ratio": statistics.mean(
                        one.latency_ms / other.latency_ms for one, other in pairs
                    ),
                }
            )
    return found


def _original(rows: Sequence[Row], row: Row) -> Row:
    wanted = ("original", row.kind, row.seed)
    return next(each for each in rows if (each.model, each.kind, each.seed) == wanted)


def main() -> int:
    """Measure, print a table, and say whether the claim holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--net", choices=NETS, default="shapes")
    parser.add_argument("--amount", default="magnitude:0.8")
    parser.add_argument("--epochs", type=int, help="by the net")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--work", type=Path, help="keep nets of flowers here, and go on")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    make, usual = NETS[options.net]
    epochs = usual if options.epochs is None else options.epochs
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="edgekit-") as spare:
        for seed in range(options.seeds):
            net = make(options.work or Path(spare), seed)
            rows += measured(net, seed, options.amount, epochs, control=options.control)
    found = summary(rows)
    print(f"{options.net}, {options.amount}, {epochs} epochs, {options.seeds} seeds")
    print("model       type   gzip kB  ratio  accuracy  lost (95 %)           latency x")
    for row in found:
        print(
            f"{row['model']:<11} {row['kind']:<5} {row['gzip_bytes'] / 1e3:8.1f}  "
            f"{row['gzip_ratio']:5.2f}  {row['accuracy']:8.4f}  {row['lost']:4.1f} "
            f"({row['lost_from']:.1f} to {row['lost_to']:.1f})  {row['latency_ratio']:9.2f}"
        )
    if options.json:
        wishes = vars(options) | {"json": None}
        document = {"schema": SCHEMA, "options": wishes, "summary": found}
        document["rows"] = [asdict(each) for each in rows]
        options.json.write_text(json.dumps(document, indent=2, default=str))
    short = [
        f"{row['model']} {row['kind']}"
        for row in found
        if row["model"] in CLAIMED and (row["lost"] > POINTS or row["gzip_ratio"] > RATIO)
    ]
    print(f"The claim does not hold for {', '.join(short)}." if short else "The claim holds.")
    return int(bool(short))


if __name__ == "__main__":
    raise SystemExit(main())

"""Claim: without half the MACs at most a point is lost, and int8 takes at most 0.6 x the time.

And without half the channels of every layer the int8 file takes at most 0.4 x. The net
(MobileNetV1 0.75 at 64 x 64) tells five flowers apart; a third of the pictures, others for
each seed, is held out, and both models of a pair see the same. Channels are ranked by
whichever way leaves the repaired model nearer to the original, on training pictures set
aside, and the rest is fine-tuned for 20 epochs on views of the pictures, with the original
as a teacher. Accuracy is that of the files on the pictures held out, latency that of the
int8 files with one thread, in turns. A run that was stopped goes on where it was, with
--work.

    EDGEKIT_DATA=... python benchmarks/channel_pruning.py [--seeds 3] [--work D] [--json F]
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flowers import KINDS, Flowers, interval

from edgekit.profiling.profile import profile_many
from edgekit_converters.prune import prune
from edgekit_converters.prune.job import cost

SCHEMA = 1
RUNS = 2000  # of each file
POINTS = 1.0  # that half the MACs may cost
HALF_MACS, HALF_CHANNELS = 0.6, 0.4  # of the latency

TUNED: dict[str, Any] = {
    "epochs": 20,
    "distill": True,
    "augment": True,
    "learning_rate": 2e-4,
}
HALF, CHANNELS = "half the MACs", "half the channels"
ROWS = {HALF: "macs:0.5", CHANNELS: "channels:0.5"}


@dataclass(frozen=True)
class Row:
    """One model of one split.

    Attributes:
        model: `original`, or one of `ROWS`.
        seed: The split.
        accuracy: Share of the pictures held out, by kind of file.
        latency_ms: Median time of the int8 file.
        macs: Multiply-accumulates.
    """

    model: str
    seed: int
    accuracy: dict[str, float]
    latency_ms: float
    macs: int


def measured(flowers: Flowers) -> list[Row]:
    """Measure the original and every pruned net of one split."""
    original = flowers.original()
    models = {"original": original}
    for name, amount in ROWS.items():
        models[name] = flowers.kept(name.replace(" ", "-"), partial(pruned, flowers, amount))
    files = {
        name: flowers.files(name.replace(" ", "-"), model) for name, model in models.items()
    }
    times = profile_many([found["int8"] for found in files.values()], threads=1, runs=RUNS)
    return [
        Row(
            model=name,
            seed=flowers.seed,
            accuracy={kind: flowers.accuracy(path) for kind, path in files[name].items()},
            latency_ms=profile.latency_ms.median,
            macs=cost(model).macs,
        )
        for (name, model), profile in zip(models.items(), times, strict=True)
    ]


def pruned(flowers: Flowers, amount: str) -> Any:
    """Prune the original of a split."""
    found = prune(flowers.original(), amount, data=flowers.training, seed=flowers.seed, **TUNED)
    return found.model


@dataclass(frozen=True)
class Summary:
    """One row of the table, over all splits; each pruned net beside its original.

    Attributes:
        model: `original`, or one of `ROWS`.
        macs: Mean share of the MACs.
        accuracy: Mean accuracy by kind of file.
        lost: Points lost by kind of file: mean and bounds of 95 %.
        latency: Mean share of the int8 latency, and its bounds.
    """

    model: str
    macs: float
    accuracy: dict[str, float]
    lost: dict[str, tuple[float, float, float]]
    latency: tuple[float, float, float]


def summary(rows: Sequence[Row], model: str) -> Summary:
    """Average one model over the splits."""
    ones = [row for row in rows if row.model == model]
    originals = {row.seed: row for row in rows if row.model == "original"}
    pairs = [(one, originals[one.seed]) for one in ones]
    return Summary(
        model=model,
        macs=statistics.mean(one.macs / other.macs for one, other in pairs),
        accuracy={kind: statistics.mean(one.accuracy[kind] for one in ones) for kind in KINDS},
        lost={
            kind: interval(
                [100 * (other.accuracy[kind] - one.accuracy[kind]) for one, other in pairs]
            )
            for kind in KINDS
        },
        latency=interval([one.latency_ms / other.latency_ms for one, other in pairs]),
    )


def table(rows: Sequence[Row]) -> list[Summary]:
    """Print a table."""
    found = [summary(rows, name) for name in ("original", *ROWS)]
    print(
        f"{'':28}  MACs  accuracy float, int8  points lost in float, int8          int8 time x"
    )
    for each in found:
        lost = ["{:4.1f} ({:.1f} to {:.1f})".format(*each.lost[kind]) for kind in KINDS]
        print(
            f"{each.model:28}  {each.macs:4.2f}  {each.accuracy['float']:.3f}, "
            f"{each.accuracy['int8']:.3f}  {lost[0]:>22} {lost[1]:>22}  {each.latency[0]:.2f}"
        )
    return found


def main() -> int:
    """Measure, print, and say whether the claim holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    wishes = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="edgekit-") as spare:
        for seed in range(wishes.seeds):
            rows += measured(Flowers(wishes.work or Path(spare), seed))
    found = table(rows)
    if wishes.json:
        document = {"schema": SCHEMA, "rows": [asdict(each) for each in rows]}
        document["summary"] = [asdict(each) for each in found]
        wishes.json.write_text(json.dumps(document, indent=2))
    half, channels = (next(each for each in found if each.model == name) for name in ROWS)
    held = (
        half.lost["int8"][0] <= POINTS
        and half.latency[0] <= HALF_MACS
        and channels.latency[0] <= HALF_CHANNELS
    )
    print("The claim holds." if held else "The claim does not hold.")
    return int(not held)


if __name__ == "__main__":
    raise SystemExit(main())

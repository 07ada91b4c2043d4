"""Choose between a model trained for integers and the one quantized after training.

Samples that training has not seen decide: how many classes are right, where they have labels;
else how often a model says what the float one says, or how near it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.data import Dataset, Sample
from edgekit.evaluation.metrics import top1
from edgekit.evaluation.models import class_output, forward
from edgekit.files import atomic_write
from edgekit.runtime import load
from edgekit_converters.quantize.chain.judge import Judge

SHARE = 10  # every tenth sample is held out,
MOST = 1000  # but no more than this


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which of two models is kept.

    Attributes:
        trained: Whether it is the one that was trained for integers.
        text: What was found, as a sentence.
    """

    trained: bool
    text: str


def hold_out(dataset: Dataset, seed: int) -> tuple[Dataset, tuple[Sample, ...]]:
    """Return the samples to train on, and those that judge; none judge if there is but one."""
    if len(dataset) < 2:
        return dataset, ()
    held = dataset.subset(max(1, min(MOST, len(dataset) // SHARE)), seed)
    return dataset.without(held), tuple(held)


def choose(
    original: bytes, trained: bytes, default: bytes, held: Sequence[Sample], folder: Path
) -> Verdict:
    """Keep the trained model where it is better on samples that it has not seen.

    Where both are equally good the default stays: few samples find no small harm.

    Args:
        original: The float model before training.
        trained: What was trained for integers.
        default: What was quantized after training.
        held: The samples.
        folder: Working folder.
    """
    mine, other = (_right(content, held, folder) for content in (trained, default))
    what = "{:.1%} right"
    if mine is None or other is None:
        judge = Judge(original, [each.inputs for each in held], folder)
        near, far = judge.nearness(trained), judge.nearness(default)
        mine, other, what = near.agreement, far.agreement, "{:.1%} as the float model"
        if mine is None or other is None:
            mine, other, what = near.sqnr_db, far.sqnr_db, "{:.1f} dB above the noise"
    kept = mine > other
    return Verdict(
        kept,
        f"On {len(held)} samples held out from training, the model trained for integers is "
        f"{what.format(mine)}, the one quantized after training {what.format(other)}: "
        f"the {'first' if kept else 'second'} was kept.",
    )


def _right(content: bytes, held: Sequence[Sample], folder: Path) -> float | None:
    """Share of the samples whose class a model finds; None without labels that fit."""
    path = folder / "held_out.tflite"
    atomic_write(path, content)
    model = load(path, probe=False)
    scores = class_output(model)
    labels = [each.label for each in held]
    if scores is None or None in labels:
        return None
    alone = model.inputs[0].name if len(model.inputs) == 1 else None
    found = []
    for each in held:
        fed = {alone: next(iter(each.inputs.values()))} if alone else each.inputs
        found.append(top1(forward(model, fed)[scores]))
    return float(np.mean([one == label for one, label in zip(found, labels, strict=True)]))

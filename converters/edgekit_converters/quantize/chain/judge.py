"""How near a model is to the float original, on samples that no step learned from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.evaluation.metrics import Agreement, Sqnr
from edgekit.evaluation.models import Arrays, class_output, forward
from edgekit.runtime import load

Inputs = dict[str, NDArray[Any]]  # one sample of each input by name, without the batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearness:
    """How near a model is to the float original.

    Attributes:
        agreement: Share of the samples where both choose the same class; None for outputs
            that are no class scores.
        divergence: Mean Kullback-Leibler divergence of its class probabilities from the
            original's, in nats; None for outputs that are no class scores.
        sqnr_db: Signal to quantization noise of the worst output.
        samples: How many samples this is over.
    """

    agreement: float | None
    divergence: float | None
    sqnr_db: float
    samples: int

    def beats(self, other: "Nearness") -> bool:
        """Whether this is better: more agree by more than noise, else by what is finer.

        One standard error of a share p over n samples is sqrt(p (1 - p) / n). Within it the
        divergence decides, which every class of every sample has a part in; where both are
        `NEGLIGIBLE`, the classes are settled, and the noise decides.
        """
        if self.agreement is None or other.agreement is None:
            return self.sqnr_db > other.sqnr_db
        error = float(np.sqrt(other.agreement * (1 - other.agreement) / max(self.samples, 1)))
        gain = self.agreement - other.agreement
        if abs(gain) > error:
            return gain > 0
        mine, theirs = self.divergence or 0.0, other.divergence or 0.0
        if max(mine, theirs) < NEGLIGIBLE:
            return self.sqnr_db > other.sqnr_db
        return mine < theirs


class Judge:
    """Compares models with the float original on the same samples.

    Args:
        original: The float model.
        samples: What is fed; held out from every step.
        folder: Working folder.
    """

    def __init__(self, original: bytes, samples: Sequence[Inputs], folder: Path) -> None:
        self._samples = samples
        self._file = folder / "candidate.tflite"
        self._wanted, self._scores = self._run(original)

    def nearness(self, model: bytes) -> Nearness:
        """Run a model with the original's inputs and outputs, in the same order."""
        agreement, sqnr, divergences = Agreement(), Sqnr(), []
        found, _ = self._run(model)
        for mine, theirs in zip(self._wanted, found, strict=True):
            named = dict(zip(mine, theirs.values(), strict=True))
            sqnr.add(named, mine)
            if self._scores is not None:
                agreement.add(mine[self._scores], named[self._scores])
                divergences.append(divergence(mine[self._scores], named[self._scores]))
        noise = sqnr.score().value
        return Nearness(
            agreement=agreement.value,
            divergence=float(np.mean(divergences)) if divergences else None,
            sqnr_db=0.0 if noise is None else noise,
            samples=len(self._samples),
        )

    def _run(self, content: bytes) -> tuple[list[Arrays], str | None]:
        self._file.write_bytes(content)
        model = load(self._file, probe=False)
        alone = len(model.inputs) == 1
        fed = (
            {model.inputs[0].name: next(iter(sample.values()))} if alone else sample
            for sample in self._samples
        )
        return [forward(model, each) for each in fed], class_output(model)


def divergence(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """Return the Kullback-Leibler divergence of class scores, sum p log(p / q), in nats.

    Scores go through a softmax where the original's are no probabilities; those of a model
    in 8 bits need not add up to 1. The sum is over the classes that the original gives at
    least half a step of 8 bits, and a q below that counts as that: else a thousand classes
    near 0 would outweigh the one that matters. Over some classes the sum would go below 0,
    so that each counts with p log(p / q) - p + q, which never does.

    >>> round(divergence(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 4)
    0.1438
    """
    p, q = np.ravel(wanted).astype(np.float64), np.ravel(found).astype(np.float64)
    if p.min() < 0 or abs(p.sum() - 1) > _OFF:
        p, q = _softmax(p), _softmax(q)
    q = np.maximum(q, LEAST)
    counts = p >= LEAST
    p, q = p[counts], q[counts]
    return float((p * np.log(p / q) - p + q).sum())


LEAST = 1 / 512
NEGLIGIBLE = 1e-3  # nats; half of LEAST
_OFF = 0.01  # from 1, that probabilities in float may add up to


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    grown = np.exp(scores - scores.max())
    total: NDArray[np.float64] = grown / grown.sum()
    return total

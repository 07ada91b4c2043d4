"""Metrics: small accumulators that see one sample at a time.

Each is a class that satisfies `Metric`, and one line in `edgekit.evaluation.table`; that
of detectors is in `edgekit.evaluation.boxes`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import UsageError

Outputs = Mapping[str, NDArray[Any]]
Need = Literal["label", "reference", "boxes", "marks"]

SQNR_LIMIT_DB = 200.0  # stands for "the same", and negated for "nothing of the signal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a metric found.

    Attributes:
        metric: Its name in `METRICS`.
        value: Its value over all samples; None if there were none.
        per_class: Value of each class that has samples, by name; empty where the metric
            knows no classes.
        per_output: Value of each output, by name; empty where the metric reads only one.
        others: Other metrics that come with it, by name.
    """

    metric: str
    value: float | None
    per_class: dict[str, float]
    per_output: dict[str, float]
    others: dict[str, float | None] = field(default_factory=dict)


class Metric(Protocol):
    """What a metric does.

    Attributes:
        needs: What `add` is given as truth: the sample's class as a `label`, the outputs
            of a `reference` model on the same sample, or a picture with its `boxes`, and
            then detections as outputs; where `marks`, a scored recording has its truth
            with it.
    """

    needs: ClassVar[Need]

    def add(self, outputs: Any, truth: Any) -> None:
        """Count one sample."""

    def score(self) -> Score:
        """Return the value over the samples so far."""


class Accuracy:
    """Share of samples whose highest score belongs to their class.

    A tie goes to the lowest index. A sample with a score that is not a number is wrong.

    Args:
        output: Name of the output that holds the scores.
        labels: Names of the classes.
    """

    needs: ClassVar[Need] = "label"

    def __init__(self, output: str, labels: Sequence[str]) -> None:
        self._output = output
        self._labels = tuple(labels)
        self._right = np.zeros(len(self._labels), np.int64)
        self._seen = np.zeros(len(self._labels), np.int64)

    def add(self, outputs: Outputs, truth: int) -> None:
        """Count one sample of class `truth`."""
        self._seen[truth] += 1
        self._right[truth] += top1(outputs[self._output]) == truth

    def score(self) -> Score:
        """Return the share of right ones, over all and of each class that has samples."""
        each = zip(self._labels, self._right, self._seen, strict=True)
        total = int(self._seen.sum())
        return Score(
            metric="accuracy",
            value=int(self._right.sum()) / total if total else None,
            per_class={name: int(right) / int(seen) for name, right, seen in each if seen},
            per_output={},
        )


class Sqnr:
    """Signal to quantization noise: 10 log10(power of reference / power of difference).

    Powers are summed over all samples and elements of an output. The value over several
    outputs is the worst one's. Equal outputs give 200 dB, because JSON knows no infinity.
    """

    needs: ClassVar[Need] = "reference"

    def __init__(self) -> None:
        self._signal: dict[str, float] = {}
        self._noise: dict[str, float] = {}

    def add(self, outputs: Outputs, truth: Outputs) -> None:
        """Count one sample; both sides have the same names."""
        for name, expected in truth.items():
            signal = np.asarray(expected, np.float64).ravel()
            noise = np.asarray(outputs[name], np.float64).ravel() - signal
            self._signal[name] = self._signal.get(name, 0.0) + float(signal @ signal)
            self._noise[name] = self._noise.get(name, 0.0) + float(noise @ noise)

    def score(self) -> Score:
        """Return the ratio of each output in dB, and the worst."""
        found = {name: decibel(self._signal[name], self._noise[name]) for name in self._signal}
        return Score(
            metric="sqnr_db",
            value=min(found.values(), default=None),
            per_class={},
            per_output=found,
        )


class Agreement:
    """Share of samples where the top-1 classes of two models coincide."""

    def __init__(self) -> None:
        self._same = 0
        self._seen = 0

    def add(self, first: NDArray[Any], second: NDArray[Any]) -> None:
        """Count one sample, given both models' scores."""
        if first.size != second.size:
            msg = (
                f"The models score {first.size} and {second.size} classes; "
                "agreement needs the same classes."
            )
            raise UsageError(msg)
        mine = top1(first)
        self._same += mine is not None and mine == top1(second)
        self._seen += 1

    @property
    def value(self) -> float | None:
        """The share, or None if there were no samples."""
        return self._same / self._seen if self._seen else None


def top1(scores: NDArray[Any]) -> int | None:
    """Return the index of the highest score, the lowest one on a tie.

    Returns:
        None if a score is not a number.

    >>> top1(np.array([[0.2, 0.4, 0.4]]))
    1
    """
    return None if np.isnan(scores).any() else int(np.argmax(scores))


def decibel(signal: float, noise: float) -> float:
    """Return 10 log10(signal / noise), within +-200 dB.

    A noise that is not a number, as from a model that gives NaN, counts as the worst.

    >>> decibel(100.0, 1.0)
    20.0
    """
    if noise == 0:
        return SQNR_LIMIT_DB
    if not np.isfinite(noise) or not np.isfinite(signal) or signal == 0:
        return -SQNR_LIMIT_DB
    ratio = 10 * (np.log10(signal) - np.log10(noise))
    return float(np.clip(ratio, -SQNR_LIMIT_DB, SQNR_LIMIT_DB))

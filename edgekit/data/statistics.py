"""Running statistics over samples as they are fed: one pass, memory flat but for the names."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgekit.data.samples import Array, Sample
from edgekit.errors import DataError

Floats = NDArray[np.float64]


@dataclass(slots=True)
class InputStatistics:
    """What one input of the model has been fed.

    A channel is an index of the last axis where there are three axes; else the whole
    sample is one channel.

    Attributes:
        shape: Shape of a sample.
        integer: Whether it is fed integers (token ids).
        count: Values seen a channel.
        minimum: Smallest value of each channel, shape (channels,).
        maximum: Largest value of each channel.
        mean: Mean of each channel.
        spans: Largest minus smallest value of each sample.
        sample_means: Mean of each sample and channel, one array of shape (channels,) a sample.
        repeated_rows: How many samples repeat one row along their first axis.
    """

    shape: tuple[int, ...]
    integer: bool
    count: int
    minimum: Floats
    maximum: Floats
    mean: Floats
    spans: list[float] = field(default_factory=list)
    sample_means: list[NDArray[np.float32]] = field(default_factory=list)
    repeated_rows: int = 0
    _squares: Floats = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def begin(cls, values: Array) -> "InputStatistics":
        """Start with nothing seen, for samples of this kind."""
        channels = _by_channel(values).shape[1]
        return cls(
            shape=values.shape,
            integer=values.dtype.kind in "biu",
            count=0,
            minimum=np.full(channels, math.inf),
            maximum=np.full(channels, -math.inf),
            mean=np.zeros(channels),
            _squares=np.zeros(channels),
        )

    @property
    def std(self) -> Floats:
        """Standard deviation of each channel, over all values seen."""
        return np.sqrt(self._squares / max(self.count, 1))

    @property
    def low(self) -> float:
        """The smallest value seen."""
        return float(self.minimum.min())

    @property
    def high(self) -> float:
        """The largest value seen."""
        return float(self.maximum.max())

    def add(self, values: Array) -> None:
        """Take in one sample; its mean and squares are merged in a numerically stable way."""
        planes = np.ascontiguousarray(_by_channel(values).T, np.float64)
        low, high = planes.min(axis=1), planes.max(axis=1)
        np.minimum(self.minimum, low, out=self.minimum)
        np.maximum(self.maximum, high, out=self.maximum)
        n, mean = planes.shape[1], planes.mean(axis=1)
        total, delta = self.count + n, mean - self.mean
        planes -= mean[:, np.newaxis]
        self._squares += np.einsum("ij,ij->i", planes, planes)
        self._squares += delta**2 * (self.count * n / total)
        self.mean += delta * (n / total)
        self.count = total
        self.spans.append(float(high.max()) - float(low.min()))
        self.sample_means.append(mean.astype(np.float32))
        self.repeated_rows += _repeats_rows(values)


class Statistics:
    """Running statistics over the samples of a data set.

    Attributes:
        inputs: What each input has been fed, by name.
        names: Name of each sample, in order.
        duplicates: Pairs of a sample's name and that of an earlier one with the same content.
        classes: How often each class number occurred.
    """

    def __init__(self) -> None:
        self.inputs: dict[str, InputStatistics] = {}
        self.names: list[str] = []
        self.duplicates: list[tuple[str, str]] = []
        self.classes: Counter[int] = Counter()
        self._first: dict[bytes, str] = {}

    def watch(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Take in samples while somebody else uses them."""
        for sample in samples:
            self.add(sample)
            yield sample

    def add(self, sample: Sample) -> None:
        """Take in one sample.

        Raises:
            DataError: It holds values that are not finite.
        """
        content = hashlib.blake2b(digest_size=8)
        for name, values in sorted(sample.inputs.items()):
            _refuse_not_finite(sample.name, name, values)
            self.inputs.setdefault(name, InputStatistics.begin(values)).add(values)
            content.update(np.ascontiguousarray(values).tobytes())
        first = self._first.setdefault(content.digest(), sample.name)
        if first is not sample.name:
            self.duplicates.append((sample.name, first))
        self.names.append(sample.name)
        if sample.label is not None:
            self.classes[sample.label] += 1


def _by_channel(values: Array) -> Array:
    """Give a sample the shape (values, channels)."""
    return values.reshape(-1, values.shape[-1] if values.ndim == 3 else 1)


def _repeats_rows(values: Array) -> bool:
    """Say whether a sample is one row again and again, and that row is no constant."""
    if values.ndim < 2 or values.shape[0] < 2 or (values[1] != values[0]).any():
        return False
    return bool((values[1:] == values[0]).all() and (values[0] != values[0].flat[0]).any())


def _refuse_not_finite(sample: str, name: str, values: Array) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        wrong = int((~np.isfinite(values)).sum())
        msg = (
            f"{sample}: {wrong} of {values.size} values of input '{name}' are not finite.\n"
            "Repair or remove the sample; ranges cannot be taken from it."
        )
        raise DataError(msg)

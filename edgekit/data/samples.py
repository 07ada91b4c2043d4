"""A data set as a stream of samples, whatever it is stored in."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError

Array = NDArray[Any]
Inputs = dict[str, Array]  # by the name of the model's input, without the batch dimension

MAX_UNREADABLE = 0.05  # the share of samples that may be skipped
_NAMED = 5  # how many unreadable samples a message names
_WARNED = 20  # how many of them get a warning of their own
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, ready to be fed.

    Attributes:
        name: The file below the data folder, or the array and the row, for messages.
        inputs: One array for each input of the model, by name, without the batch.
        label: Class number, or None where the set has none. Of a set that was opened
            without need of labels, the classes may be its own and not those of the model.
    """

    name: str
    inputs: Inputs
    label: int | None


class Store(Protocol):
    """Where samples lie: files, or rows of arrays."""

    def __len__(self) -> int:
        """How many there are."""

    def name(self, index: int) -> str:
        """Return the name of a sample, for messages."""

    def read(self, indices: Sequence[int]) -> Iterator[Inputs | DataError]:
        """Read samples one by one, in ascending order; one that cannot be read is told."""


class Dataset:
    """Samples that are read again from their store at each iteration.

    The order is that of the sorted names, or of the rows. A sample that cannot be read is
    named in a warning, skipped and counted.

    Args:
        store: Where the samples lie.
        description: What the set is, for people, e.g. `flowers: 750 pictures, 5 classes`.
        labels: Names of the classes; empty where the set has none.
        classes: Class number of each sample in the store, or None.
        decoded: Whether the samples are pictures that edgekit itself decoded.
        indices: Which samples of the store belong to the set, ascending; None for all.
    """

    def __init__(
        self,
        store: Store,
        *,
        description: str,
        labels: Sequence[str] = (),
        classes: NDArray[np.intp] | None = None,
        decoded: bool = False,
        indices: Sequence[int] | None = None,
    ) -> None:
        self.description = description
        self.labels = tuple(labels)
        self.decoded = decoded
        self._store = store
        self._classes = classes
        self._indices: Sequence[int] = range(len(store)) if indices is None else indices
        self._unreadable: dict[int, str] = {}

    def __len__(self) -> int:
        """Return how many samples there are, those that cannot be read included."""
        return len(self._indices)

    @property
    def skipped(self) -> int:
        """How many samples could not be read, as far as they have been tried."""
        return len(self._unreadable)

    @property
    def highest_class(self) -> int | None:
        """The highest class number that occurs, or None where the set has no classes."""
        if self._classes is None or not len(self._indices):
            return None
        return int(self._classes[np.asarray(self._indices)].max())

    def class_of(self, index: int) -> int | None:
        """Return the class number of the sample at a place of this set, unopened."""
        return None if self._classes is None else int(self._classes[self._indices[index]])

    def name_of(self, index: int) -> str:
        """Return the name of the sample at a place of this set."""
        return self._store.name(self._indices[index])

    def __iter__(self) -> Iterator[Sample]:
        """Read the samples one by one.

        Raises:
            DataError: More than 5 % of them cannot be read, or the store itself is damaged.
        """
        for place, inputs in enumerate(self._store.read(self._indices)):
            if isinstance(inputs, DataError):
                self._skip(self._indices[place], inputs)
            else:
                yield Sample(self.name_of(place), inputs, self.class_of(place))

    def subset(self, n: int, seed: int) -> Self:
        """Choose n samples, each class in the proportion it has here.

        The choice depends on the names of the samples and the seed alone, so it is the
        same on every machine.

        Args:
            n: How many; all if there are no more.
            seed: Which choice.

        Returns:
            A set in the order of this one.

        Raises:
            DataError: n is not above 0.
        """
        if n <= 0:
            msg = f"A choice of {n} samples was asked for; ask for 1 or more."
            raise DataError(msg)
        places = range(len(self)) if n >= len(self) else self._choice(n, seed)
        return self._of([self._indices[place] for place in places])

    def without(self, other: Self) -> Self:
        """Return the rest of the samples, in the order of this set.

        Args:
            other: A subset of this one.
        """
        gone = set(other._indices)
        return self._of([index for index in self._indices if index not in gone])

    def _of(self, indices: Sequence[int]) -> Self:
        return type(self)(
            self._store,
            description=self.description,
            labels=self.labels,
            classes=self._classes,
            decoded=self.decoded,
            indices=indices,
        )

    def _choice(self, n: int, seed: int) -> list[int]:
        """Put the samples in random order within their classes and take every (N / n)th."""
        keys = [self._key(place, seed) for place in range(len(self))]
        ranked = sorted(range(len(self)), key=keys.__getitem__)
        return sorted(ranked[(2 * i + 1) * len(self) // (2 * n)] for i in range(n))

    def _key(self, place: int, seed: int) -> tuple[int, bytes]:
        text = f"{seed} {self.name_of(place)}".encode(errors="surrogateescape")
        return self.class_of(place) or 0, hashlib.blake2b(text, digest_size=8).digest()

    def _skip(self, index: int, error: DataError) -> None:
        """Warn of an unreadable sample once; give up when there are too many."""
        if index not in self._unreadable:
            self._unreadable[index] = self._store.name(index)
            if self.skipped <= _WARNED:
                _log.warning("Skipped: %s", error)
            if self.skipped == _WARNED:
                _log.warning("Further samples that cannot be read are only counted.")
        if self.skipped > MAX_UNREADABLE * len(self):
            names = list(self._unreadable.values())
            rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            msg = (
                f"{self.description}: {len(names)} of {len(self)} samples cannot be read "
                f"so far, more than {MAX_UNREADABLE:.0%}: {', '.join(names[:_NAMED])}{rest}.\n"
                f"The last one: {error}\nRepair or remove them."
            )
            raise DataError(msg) from error


class Digest:
    """sha256 over samples as they are fed, built one by one.

    Names do not count: the same content in another folder has the same digest.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, sample: Sample) -> None:
        """Take in one sample."""
        for name, values in sorted(sample.inputs.items()):
            self._hash.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
            self._hash.update(np.ascontiguousarray(values).tobytes())

    @property
    def value(self) -> str:
        """The digest so far, 64 hexadecimal digits."""
        return self._hash.hexdigest()


def digest(samples: Iterable[Sample]) -> str:
    """Return the sha256 over samples as they are fed."""
    total = Digest()
    for sample in samples:
        total.add(sample)
    return total.value

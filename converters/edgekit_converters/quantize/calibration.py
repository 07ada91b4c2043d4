"""The samples that ranges come from: chosen, watched while they are fed, and named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit import progress
from edgekit.data import Dataset, Digest, Sample
from edgekit.data.lint import Finding, lint
from edgekit.data.statistics import Statistics
from edgekit.manifest import Calibration, Preprocessing

HELD_BYTES = 256 * 2**20  # samples that are kept in memory at the same time


class Feed:
    """Calibration samples in the form that converters want.

    The first pass over the samples is watched: it gives the digest and what the lint
    finds. Samples are read again in every pass, so memory does not grow with their number.

    Args:
        dataset: The samples, already chosen.
        synthetic: Whether they are random ones, about which there is nothing to find.
    """

    def __init__(self, dataset: Dataset, *, synthetic: bool = False) -> None:
        self.dataset = dataset
        self.synthetic = synthetic
        self._digest = Digest()
        self._statistics = Statistics()

    @property
    def used(self) -> bool:
        """Whether samples have been read."""
        return bool(self._statistics.names)

    def samples(self) -> Iterator[Sample]:
        """Read the samples, with progress."""
        watching = not self.used
        shown = progress.track(self.dataset, "Calibrating", len(self.dataset), "sample")
        for sample in shown:
            if watching:
                self._digest.add(sample)
                self._statistics.add(sample)
            yield sample

    def batches(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Read the samples as one array an input, by name, with a batch of 1."""
        for sample in self.samples():
            yield {name: values[np.newaxis] for name, values in sample.inputs.items()}

    def held(self) -> list[dict[str, NDArray[Any]]]:
        """Read samples to be kept in memory: all of them, or as many as a budget allows."""
        kept: list[dict[str, NDArray[Any]]] = []
        used = 0
        for sample in self.dataset:
            used += sum(values.nbytes for values in sample.inputs.values())
            if used > HELD_BYTES:
                break
            kept.append(sample.inputs)
        return kept

    def findings(
        self, preprocessing: Preprocessing | None, *, normalizes_itself: bool
    ) -> tuple[Finding, ...]:
        """Say what is suspicious about the samples, after a pass over them."""
        return lint(
            self._statistics,
            preprocessing=preprocessing,
            normalizes_itself=normalizes_itself,
            labels=self.dataset.labels,
            decoded=self.dataset.decoded,
        )

    def record(self, path: str, seed: int) -> Calibration:
        """Name the samples for the manifest."""
        return Calibration(
            data=Path(path).name,
            samples=len(self._statistics.names),
            seed=seed,
            digest=self._digest.value,
        )

"""The samples that ranges come from: chosen, watched while they are fed, and named."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from edgekit import progress
from edgekit.data import Dataset, Digest, Sample
from edgekit.data.lint import Lint
from edgekit.manifest import Calibration


class Feed:
    """Calibration samples in the form that converters want.

    The first pass over the samples is watched: it gives the digest and what the lint
    finds. Samples are read again in every pass, so memory does not grow with their number.

    Args:
        dataset: The samples, already chosen.
        order: Names of the inputs in the order of the model.
        lint: Watches the samples.
    """

    def __init__(self, dataset: Dataset, order: Sequence[str], lint: Lint) -> None:
        self.dataset = dataset
        self._order = tuple(order)
        self._digest = Digest()
        self._lint = lint
        self._watched = 0

    def samples(self) -> Iterator[Sample]:
        """Read the samples, with progress."""
        watching = self._watched == 0
        shown = progress.track(self.dataset, "Calibrating", len(self.dataset), "sample")
        for sample in shown:
            if watching:
                self._digest.add(sample)
                self._lint.add(sample)
                self._watched += 1
            yield sample

    def batches(self) -> Iterator[list[np.ndarray]]:
        """Read the samples as one array an input, in the model's order, with a batch of 1."""
        for sample in self.samples():
            yield [sample.inputs[name][np.newaxis] for name in self._order]

    def findings(self) -> tuple[str, ...]:
        """What is wrong with the data, one sentence or two each."""
        return tuple(f"{each.text} {each.remedy}" for each in self._lint.findings())

    def record(self, path: str, seed: int) -> Calibration:
        """Name the samples for the manifest."""
        return Calibration(
            data=Path(path).name,
            samples=self._watched,
            seed=seed,
            digest=self._digest.value,
        )

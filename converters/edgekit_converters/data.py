"""The data of one conversion, opened as its model wants them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.data import Dataset, open_dataset, read_labels
from edgekit.data.frontend import FrontEnd
from edgekit.errors import DataError
from edgekit.evaluation.request import DataRequest
from edgekit.manifest import Calibration, Preprocessing
from edgekit_converters.quantize.calibration import Feed
from edgekit_converters.quantize.chain.diagnosis import MOST_SAMPLES
from edgekit_converters.quantize.synthetic import (
    SYNTHETIC,
    WARNING,
    synthetic_file,
    write_synthetic,
)
from edgekit_converters.recipe import Recipe
from edgekit_converters.sources import Source


class Data:
    """Opens data for a model.

    Args:
        wishes: What is asked.
        source: The model; what is made of it later has the same inputs.
        preprocessing: How pictures are prepared; None for models that take none.
        front_end: How sounds become features; None for models that take none.

    Attributes:
        preprocessing: As given.
        front_end: As given.
        labels: Names of the classes, as far as `--labels` or the model gives them.
        shapes: Shape of one sample of each input.
        notes: What to know about the data, one sentence or two each.
    """

    def __init__(
        self,
        wishes: Recipe,
        source: Source,
        preprocessing: Preprocessing | None,
        front_end: FrontEnd | None = None,
    ) -> None:
        self.preprocessing = preprocessing
        self.front_end = front_end
        self.labels = _labels(wishes, source)
        self.shapes = shapes(source)
        self.notes: list[str] = []
        self._wishes = wishes
        self._source = source

    def open(self, path: str, *, labelled: bool) -> Dataset:
        """Open a data set.

        Raises:
            DataError: There is no such set, or it does not fit the model.
        """
        return open_dataset(
            Path(path),
            shapes=self.shapes,
            dtypes={spec.name: spec.dtype for spec in self._source.inputs},
            preprocessing=self.preprocessing,
            labels=self.labels if labelled else (),
            labelled=labelled,
            sample_rate_hz=self._wishes.sample_rate_hz,
            front_end=self.front_end,
        )

    def training(self, path: str) -> Dataset:
        """Open data with their labels, or without where there are none to use."""
        try:
            return self.open(path, labelled=True)
        except DataError as error:
            data = self.open(path, labelled=False)
            self.notes.append(
                "Without labels to use, the model learned from its own float outputs: "
                f"{str(error).splitlines()[0]}"
            )
            return data

    def feed(self, folder: Path) -> Feed | None:
        """Open the calibration data, if there are any.

        Args:
            folder: Where random ones are written, if that is asked.
        """
        wishes = self._wishes
        if wishes.ranges_from is None:
            return None
        synthetic = wishes.ranges_from == SYNTHETIC
        path = self._synthetic(folder) if synthetic else wishes.ranges_from
        dataset = self.open(str(path), labelled=False)
        return Feed(dataset.subset(wishes.samples, wishes.seed), synthetic=synthetic)

    def unseen(self) -> list[dict[str, Any]]:
        """Read a few evaluation samples, which no range is taken from, to diagnose with."""
        wishes = self._wishes
        if wishes.evaluate is None or not wishes.diagnose:
            return []
        dataset = self.open(wishes.evaluate, labelled=False)
        return Feed(dataset.subset(MOST_SAMPLES, wishes.seed)).held()

    def evaluation(self) -> DataRequest:
        """Return the request for the evaluation data."""
        return DataRequest(
            path=str(self._wishes.evaluate),
            preprocessing=self.preprocessing,
            labels=self.labels,
            seed=self._wishes.seed,
            sample_rate_hz=self._wishes.sample_rate_hz,
            front_end=self.front_end,
        )

    def record(self, feed: Feed | None) -> Calibration | None:
        """Name the calibration samples, if they were used."""
        if feed is None or not feed.used:
            return None
        return feed.record(str(self._wishes.ranges_from), self._wishes.seed)

    def suspicions(self, feed: Feed | None) -> Iterator[str]:
        """Say what is suspicious about the calibration data, if they were used.

        Of a model that carries its state the samples are steps of a stream, whose states
        are zeros at first: there is nothing to say.
        """
        said = self._source.manifest
        steps = said is not None and bool((said.decoding or {}).get("states"))
        if feed is not None and feed.used and not feed.synthetic and not steps:
            itself = self._source.normalizes_itself
            found = feed.findings(self.preprocessing, normalizes_itself=itself)
            yield from (f"{each.text} {each.remedy}" for each in found)

    def _synthetic(self, folder: Path) -> Path:
        """Write random inputs to calibrate with, and say what they are worth."""
        path = synthetic_file(folder)
        write_synthetic(
            self._source.inputs,
            path,
            count=self._wishes.samples,
            seed=self._wishes.seed,
            normalizes_itself=self._source.normalizes_itself,
        )
        self.notes.append(WARNING.format(count=self._wishes.samples))
        return path


def shapes(source: Source) -> dict[str, tuple[int, ...]]:
    """Shape of one sample of each input; open sizes were refused or fixed by the import."""
    return {spec.name: tuple(size or 1 for size in spec.shape) for spec in source.inputs}


def _labels(wishes: Recipe, source: Source) -> tuple[str, ...]:
    if wishes.labels is not None:
        return read_labels(Path(wishes.labels))
    return source.manifest.labels if source.manifest else ()

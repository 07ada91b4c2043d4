"""Compare two models on the same data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import guard
from edgekit.data import Dataset
from edgekit.data.annotations import looks_annotated
from edgekit.data.frontend import FrontEnd
from edgekit.errors import UsageError
from edgekit.evaluation.boxes import BoxAgreement, MeanPrecision50
from edgekit.evaluation.detection import (
    LOWEST,
    Pictures,
    detect,
    open_judged,
    open_truth,
    plain_pictures,
)
from edgekit.evaluation.metrics import Accuracy, Agreement, Sqnr
from edgekit.evaluation.models import Arrays, forward, match
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.subject import (
    Interpreter,
    Subject,
    label_names,
    open_data,
    open_data_with_classes_if_any,
    open_subject,
)
from edgekit.evaluation.windows import windowed
from edgekit.manifest import Overrides, Preprocessing
from edgekit.progress import track
from edgekit.records import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two models.

    Attributes:
        model: Its file.
        metric: `accuracy`, or `map50` of detectors; None where the data have no classes or
            boxes that it knows.
        value: The metric's value.
    """

    model: str
    metric: str | None
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How far two models agree.

    Attributes:
        agreement: Share of samples where both choose the same class; of detectors the F1 of
            their boxes at an overlap of 0.5; None if their outputs are neither.
        a: The first model.
        b: The second one.
        max_abs_diff: Largest difference of any output value; of detectors between the sides
            of two boxes that are a pair, in pixels.
        sqnr_db: Power of a's outputs against that of the difference, by a's output names.
        samples: How many samples were fed to both.
        skipped: How many could not be read.
        data: What the data are, in words.
    """

    agreement: float | None
    a: Side
    b: Side
    max_abs_diff: float | None
    sqnr_db: dict[str, float]
    samples: int
    skipped: int
    data: str


def compare(
    a: str | Path,
    b: str | Path,
    data: str | Path,
    *,
    labels: Sequence[str] = (),
    limit: int | None = None,
    overrides: Overrides | None = None,
    sample_rate_hz: int | None = None,
    front_end: FrontEnd | None = None,
    seed: int = 0,
    interpreter: Interpreter | None = None,
) -> Comparison:
    """Feed two models the same data and say how far they agree.

    Each model gets the samples prepared as it says itself; one that does not say it gets
    what the other gets.

    Args:
        a: A .tflite or a Keras file.
        b: Another one.
        data: Folder or file, see the command line's contract.
        labels: Names of the classes in the order of the outputs.
        limit: Use no more than so many samples.
        overrides: Preprocessing for both models.
        sample_rate_hz: For models of sounds, where they do not say it.
        front_end: For models of features of sound, where they do not say it.
        seed: Which samples `limit` chooses.
        interpreter: How a .tflite is run.

    Raises:
        InputError: A model or the data cannot be used.
        UsageError: The models' inputs or outputs do not fit together.
    """
    request = DataRequest(
        path=str(data),
        overrides=overrides or Overrides(),
        labels=tuple(labels),
        samples=limit,
        seed=seed,
        sample_rate_hz=sample_rate_hz,
        front_end=front_end,
    )
    answer = guard.call(
        "edgekit.evaluation.compare:_worker",
        doing=f"comparing {Path(a).name} and {Path(b).name}",
        a=str(a),
        b=str(b),
        request=request,
        interpreter=interpreter or Interpreter(),
    )
    return from_json(Comparison, answer, "the comparison")


def _worker(a: str, b: str, request: dict[str, Any], interpreter: dict[str, Any]) -> Comparison:
    """Do the work, inside the guarded child."""
    how = from_json(Interpreter, interpreter, "the interpreter")
    wishes = from_json(DataRequest, request, "the request")
    count = len(wishes.labels)
    subjects = (open_subject(a, how, count), open_subject(b, how, count))
    if all(each.decoder is not None for each in subjects):
        return _detectors(subjects, wishes)
    said = [each.manifest for each in subjects]
    pair = Pair(windowed(subjects[0], wishes, said[1]), windowed(subjects[1], wishes, said[0]))
    first, second, labelled = _open_both(pair, wishes)
    judges = _judges(pair, first, wishes) if labelled else None
    sqnr, agreement, largest, count = Sqnr(), Agreement(), None, 0
    samples = track(pair.run(first, second), "Comparing", len(first), "sample")
    for mine, theirs, label in samples:
        sqnr.add(theirs, mine)
        largest = _larger(largest, mine, theirs)
        if pair.scores is not None:
            agreement.add(mine[pair.scores], theirs[pair.scores])
        if judges is not None and label is not None:
            judges[0].add(mine, label)
            judges[1].add(theirs, label)
        count += 1
    values = [judge.score().value for judge in judges] if judges else [None, None]
    metric = "accuracy" if judges else None
    return Comparison(
        agreement=agreement.value,
        a=Side(model=a, metric=metric, value=values[0]),
        b=Side(model=b, metric=metric, value=values[1]),
        max_abs_diff=largest,
        sqnr_db=sqnr.score().per_output,
        samples=count,
        skipped=first.skipped,
        data=first.description,
    )


def _detectors(subjects: tuple[Subject, Subject], wishes: DataRequest) -> Comparison:
    """Compare two detectors, picture by picture, whatever the form of their outputs."""
    pair = [open_judged(each, wishes) for each in subjects]
    annotated = looks_annotated(wishes.path)
    truth = open_truth(pair[0], wishes) if annotated else plain_pictures(wishes)
    judges = [MeanPrecision50(truth.labels) for _ in pair]
    agreement, pictures = BoxAgreement(), Pictures(truth, "Comparing")
    for item, pixels in pictures:
        both = [detect(each, pixels, LOWEST) for each in pair]
        agreement.add(
            *(
                each.take(each.scores >= detector.threshold)
                for each, detector in zip(both, pair, strict=True)
            )
        )
        for judge, found in zip(judges, both, strict=True):
            judge.add(found, item)
    values = [judge.score().value if annotated else None for judge in judges]
    metric = MeanPrecision50.metric if annotated else None
    a, b = (
        Side(model=str(each.path), metric=metric, value=value)
        for each, value in zip(subjects, values, strict=True)
    )
    return Comparison(
        agreement=agreement.value,
        a=a,
        b=b,
        max_abs_diff=agreement.largest,
        sqnr_db={},
        samples=pictures.count,
        skipped=pictures.skipped,
        data=truth.description,
    )


class Pair:
    """Two models whose inputs and outputs correspond.

    Args:
        a: The first one; inputs and outputs go by its names.
        b: The second one.

    Raises:
        UsageError: They do not fit together.

    Attributes:
        outputs: The second one's name of each output, by the first one's.
        scores: Name of the output that holds class scores, or None.
    """

    def __init__(self, a: Subject, b: Subject) -> None:
        self.a, self.b = a, b
        self._inputs = match(a.model.inputs, b.model.inputs, "inputs")
        self.outputs = match(a.model.outputs, b.model.outputs, "outputs")
        theirs = {other: mine for mine, other in self.outputs.items()}
        self.scores = a.scores or theirs.get(b.scores or "")

    def one(self, inputs: Arrays, other: Arrays | None = None) -> tuple[Arrays, Arrays]:
        """Feed one sample to both.

        Args:
            inputs: For the first model, by its names.
            other: For the second one, by its own names; None feeds it the same values.

        Returns:
            The outputs of each, both by the names of the first.
        """
        return forward(self.a.model, inputs), self.theirs(inputs, other)

    def theirs(self, inputs: Arrays, other: Arrays | None = None) -> Arrays:
        """Feed one sample to the second one alone; see `one`."""
        fed = other or {self._inputs[name]: each for name, each in inputs.items()}
        found = forward(self.b.model, fed)
        return {mine: found[theirs] for mine, theirs in self.outputs.items()}

    def run(
        self, first: Dataset, second: Dataset | None
    ) -> Iterator[tuple[Arrays, Arrays, int | None]]:
        """Feed whole sets; yields both models' outputs and the sample's class."""
        if second is None:
            for sample in first:
                yield *self.one(sample.inputs), sample.label
            return
        for sample, other in zip(first, second, strict=True):
            yield *self.one(sample.inputs, other.inputs), sample.label


def _open_both(pair: Pair, wishes: DataRequest) -> tuple[Dataset, Dataset | None, bool]:
    """Open the data once, or twice if the models want them prepared differently."""
    mine, theirs = _preprocessings(pair, wishes)
    sounds = _front_ends(pair, wishes)
    insist = bool(wishes.labels)
    if not insist:
        wishes = replace(wishes, labels=pair.a.labels or pair.b.labels)
    mine_wished = replace(wishes, front_end=sounds[0])
    first, labelled = open_data_with_classes_if_any(pair.a, mine_wished, mine, insist=insist)
    shapes = [list(each.shapes.values()) for each in (pair.a, pair.b)]
    if mine == theirs and sounds[0] == sounds[1] and shapes[0] == shapes[1]:
        return first, None, labelled
    wishes = replace(wishes, front_end=sounds[1])
    second = open_data(pair.b, wishes, labelled=labelled, preprocessing=theirs)
    if len(first) != len(second):
        msg = f"The models find {len(first)} and {len(second)} samples in {wishes.path}."
        raise UsageError(msg)
    return first, second, labelled


def _front_ends(pair: Pair, wishes: DataRequest) -> tuple[FrontEnd | None, FrontEnd | None]:
    """Return the front end of each; one that does not say it follows the other."""
    mine, theirs = pair.a.front_end(wishes), pair.b.front_end(wishes)
    return mine or theirs, theirs or mine


def _preprocessings(
    pair: Pair, wishes: DataRequest
) -> tuple[Preprocessing | None, Preprocessing | None]:
    """Return how pictures are prepared for each; one that does not say it follows the other."""
    known = {each.says_preprocessing for each in (pair.a, pair.b)}
    if known == {True, False}:
        said = (pair.a if pair.a.says_preprocessing else pair.b).preprocessing(wishes)
        return said, said
    if pair.a.says_preprocessing or pair.a.shapes != pair.b.shapes:
        return pair.a.preprocessing(wishes), pair.b.preprocessing(wishes)
    assumed = pair.b.preprocessing(wishes)  # of a quantized model the range is known
    return assumed, assumed


def _judges(pair: Pair, dataset: Dataset, wishes: DataRequest) -> list[Accuracy]:
    names = label_names(pair.a, dataset, wishes)
    return [Accuracy(pair.scores or "", names) for _ in range(2)]


def _larger(known: float | None, mine: Arrays, theirs: Arrays) -> float | None:
    """Return the largest difference so far; what is not a number does not count."""
    found = [
        float(np.nanmax(np.abs(each.ravel() - theirs[name].ravel()), initial=0.0))
        for name, each in mine.items()
        if each.size
    ]
    return max([*found, known or 0.0]) if found or known is not None else None

"""Verify quantized models against their float original, in one pass over each data set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from edgekit import guard
from edgekit.data import Dataset
from edgekit.data.annotations import Annotated
from edgekit.data.boxes import Detections
from edgekit.data.lint import Finding
from edgekit.errors import UnknownName, UsageError
from edgekit.evaluation.boxes import BoxAgreement
from edgekit.evaluation.compare import Pair
from edgekit.evaluation.degenerate import Watch, findings
from edgekit.evaluation.detection import LOWEST, Pictures, detect, open_judged, open_truth
from edgekit.evaluation.evaluate import default_metric
from edgekit.evaluation.metrics import Accuracy, Agreement, Metric, Sqnr
from edgekit.evaluation.models import Arrays, forward
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.subject import (
    Interpreter,
    Subject,
    label_names,
    need_scores,
    open_data,
    open_subject,
)
from edgekit.evaluation.table import METRICS
from edgekit.evaluation.windows import windowed
from edgekit.guarded import if_it_dies
from edgekit.progress import track
from edgekit.records import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One metric of one model.

    Attributes:
        metric: Its name.
        value: Its value: a fraction in [0, 1], or dB if the name ends in `_db`.
    """

    metric: str
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What quantization changed.

    Attributes:
        float_metric: Metric of the float model on the evaluation data; None without them.
        quantized_metric: Same, of the quantized model.
        drop: Float minus quantized; None for metrics that are no fraction.
        agreement: Share of the samples where both choose the same class: of the
            calibration samples, else of the evaluation samples; of detectors the F1 of their
            boxes on the evaluation samples; None for other outputs, and without data.
        sqnr_db: Signal to noise of each output on the same samples, by its name.
        calibration_samples: How many were fed.
        evaluation_samples: How many were fed.
        per_class: The quantized model's metric of each class.
        findings: Worthless outputs, explained.
        runtime: What ran the quantized model: package and version.
    """

    float_metric: Value | None
    quantized_metric: Value | None
    drop: float | None
    agreement: float | None
    sqnr_db: dict[str, float]
    calibration_samples: int
    evaluation_samples: int
    per_class: dict[str, float]
    findings: tuple[Finding, ...]
    runtime: str


def verify(
    float_path: str | Path,
    quantized_paths: Sequence[str | Path],
    *,
    calibration: DataRequest | None = None,
    evaluation: DataRequest | None = None,
    metric: str | None = None,
    interpreter: Interpreter | None = None,
) -> tuple[Verification, ...]:
    """Run all models over both data sets, each set once.

    Args:
        float_path: The float model, a .tflite or a Keras file.
        quantized_paths: The quantized ones; they are fed alike.
        calibration: Samples to measure agreement and noise on; classes are not needed.
        evaluation: Samples with classes to measure the metric of both models on.
        metric: Metric of the evaluation; None takes what suits the model.
        interpreter: How a .tflite is run.

    Returns:
        One for each quantized model, in their order.

    Raises:
        InputError: A model or data set cannot be used.
        UsageError: The models do not fit together, or the metric does not suit them.
    """
    names = ", ".join(Path(each).name for each in quantized_paths)
    answers = guard.call(
        "edgekit.evaluation.verify:_worker",
        doing=f"verifying {names}",
        float_path=str(float_path),
        quantized_paths=[str(each) for each in quantized_paths],
        calibration=calibration,
        evaluation=evaluation,
        metric=metric,
        interpreter=interpreter or Interpreter(),
    )
    return tuple(from_json(Verification, each, "the verification") for each in answers)


def _worker(
    *,
    float_path: str,
    quantized_paths: Sequence[str],
    calibration: dict[str, Any] | None,
    evaluation: dict[str, Any] | None,
    metric: str | None,
    interpreter: dict[str, Any],
) -> list[Verification]:
    """Do the work, inside the guarded child."""
    how = from_json(Interpreter, interpreter, "the interpreter")
    with if_it_dies(_FATE):
        original = open_subject(float_path, how)
        pairs = [Pair(original, open_subject(path, how)) for path in quantized_paths]
        return _verified(pairs, calibration, evaluation, metric)


_FATE = (
    "The interpreter died on the quantized model; one whose output is constant is known to do "
    "that.\nIs the model trained, and do the calibration data suit its preprocessing?"
)


def _verified(
    pairs: Sequence[Pair],
    calibration: dict[str, Any] | None,
    evaluation: dict[str, Any] | None,
    metric: str | None,
) -> list[Verification]:
    """Run all models over both data sets."""
    close = [Closeness(pair) for pair in pairs]
    worth: list[Worth] = []
    if calibration is not None:
        dataset = open_data(pairs[0].a, _request(calibration, pairs[0]), labelled=False)
        _feed(pairs, dataset, [close])
    calibration_samples = close[0].samples
    if evaluation is not None:
        wishes = _request(evaluation, pairs[0])
        name = _metric(pairs, metric)
        if METRICS[name].needs == "marks":
            msg = f"{name} is measured by edgekit evaluate, on recordings; choose another."
            raise UsageError(msg)
        if METRICS[name].needs == "boxes":
            worth = _boxes(pairs, wishes, METRICS[name])
        else:
            pairs = [_windowed(pair, wishes) for pair in pairs]
            worth, dataset = _open_evaluation(pairs, wishes, name)
            _feed(pairs, dataset, [worth] if calibration else [worth, close])
    return [
        _result(pair, near, worth[i] if worth else None, calibration_samples)
        for i, (pair, near) in enumerate(zip(pairs, close, strict=True))
    ]


def _result(
    pair: Pair, near: "Closeness", worth: "Worth | None", calibration_samples: int
) -> Verification:
    boxes = worth.boxes if worth else None
    return Verification(
        float_metric=worth.float_metric if worth else None,
        quantized_metric=worth.quantized_metric if worth else None,
        drop=worth.drop if worth else None,
        agreement=boxes.value if boxes else near.agreement.value,
        sqnr_db=near.sqnr.score().per_output,
        calibration_samples=calibration_samples,
        evaluation_samples=worth.samples if worth else 0,
        per_class=worth.quantized.score().per_class if worth else {},
        findings=findings(near.watches, pair.scores),
        runtime=str(getattr(pair.b.model, "runtime", "keras")),
    )


class Taker(Protocol):
    """What looks at both models' outputs for one sample after the other."""

    def add(self, mine: Arrays, theirs: Arrays, label: int | None) -> None:
        """Count one sample, given the float model's outputs, the quantized one's, its class."""


class Closeness:
    """How near the quantized outputs are to the float ones."""

    def __init__(self, pair: Pair) -> None:
        self.sqnr = Sqnr()
        self.agreement = Agreement()
        self.watches = {spec.name: (Watch(), Watch()) for spec in pair.a.model.outputs}
        self.samples = 0
        self._scores = pair.scores

    def add(self, mine: Arrays, theirs: Arrays, label: int | None) -> None:  # noqa: ARG002 (see Taker)
        """Count one sample."""
        self.samples += 1
        self.sqnr.add(theirs, mine)
        if self._scores is not None:
            self.agreement.add(mine[self._scores], theirs[self._scores])
        for name, (original, quantized) in self.watches.items():
            original.add(mine[name])
            quantized.add(theirs[name])


class Worth:
    """The metric of both models.

    Args:
        original: The float model's metric; None if the metric compares with that model.
        quantized: The quantized model's metric.
        boxes: How far the boxes of two detectors agree.
    """

    def __init__(
        self,
        original: Metric | None,
        quantized: Metric,
        boxes: BoxAgreement | None = None,
    ) -> None:
        self.original = original
        self.quantized = quantized
        self.boxes = boxes
        self.samples = 0

    def add(self, mine: Arrays, theirs: Arrays, label: int | None) -> None:
        """Count one sample."""
        self.samples += 1
        if self.original is not None:
            self.original.add(mine, label)
        self.quantized.add(theirs, label if self.quantized.needs == "label" else mine)

    def add_boxes(
        self, mine: Detections, theirs: Detections, item: Annotated, threshold: float
    ) -> None:
        """Count one picture, given what both detectors found in it."""
        self.samples += 1
        if self.original is not None:
            self.original.add(mine, item)
        self.quantized.add(theirs, item)
        if self.boxes is not None:
            self.boxes.add(*(each.take(each.scores >= threshold) for each in (mine, theirs)))

    @property
    def float_metric(self) -> Value | None:
        """The float model's value; None if the metric compares with that model."""
        return _value(self.original) if self.original is not None else None

    @property
    def quantized_metric(self) -> Value:
        """The quantized model's value."""
        return _value(self.quantized)

    @property
    def drop(self) -> float | None:
        """Float minus quantized; None if the metric is no fraction."""
        before = self.float_metric.value if self.float_metric else None
        after = self.quantized_metric.value
        return None if before is None or after is None else before - after


def _value(metric: Metric) -> Value:
    score = metric.score()
    return Value(metric=score.metric, value=score.value)


def _metric(pairs: Sequence[Pair], asked: str | None) -> str:
    """Return the metric that was asked for, or the one that suits the models.

    Raises:
        UnknownName: There is no such metric.
    """
    name = asked or default_metric(_known(pairs))
    if name not in METRICS:
        raise UnknownName(kind="metric", name=name, known=list(METRICS))
    return name


def _known(pairs: Sequence[Pair]) -> Subject:
    """Return the float model, with what the quantized one may know better."""
    first = pairs[0]
    return replace(first.a, scores=first.scores, decoder=first.a.decoder or first.b.decoder)


def _boxes(pairs: Sequence[Pair], request: DataRequest, metric: type[Metric]) -> list[Worth]:
    """Feed annotated pictures to detectors and judge what they find."""
    original = open_judged(_decoded(pairs[0])[0], request)
    others = [open_judged(_decoded(pair)[1], request) for pair in pairs]
    truth = open_truth(original, request)
    make = partial(metric, truth.labels)  # type: ignore[call-arg] # those of boxes take labels
    worth = [Worth(make(), make(), BoxAgreement()) for _ in pairs]
    for item, pixels in Pictures(truth, "Verifying"):
        mine = detect(original, pixels, LOWEST)
        for each, other in zip(worth, others, strict=True):
            each.add_boxes(mine, detect(other, pixels, LOWEST), item, original.threshold)
    return worth


def _decoded(pair: Pair) -> tuple[Subject, Subject]:
    """Return both models; one that does not say how to decode it is decoded as the other."""
    mine, theirs = pair.a.decoder, pair.b.decoder
    if mine is None and theirs is not None:
        mine = theirs.renamed({other: name for name, other in pair.outputs.items()})
    elif theirs is None and mine is not None:
        theirs = mine.renamed(pair.outputs)
    return replace(pair.a, decoder=mine), replace(pair.b, decoder=theirs)


def _open_evaluation(
    pairs: Sequence[Pair], request: DataRequest, name: str
) -> tuple[list[Worth], Dataset]:
    """Open the evaluation data and make the metric of every model."""
    subject = _known(pairs)
    if METRICS[name].needs == "reference":
        dataset = open_data(subject, request, labelled=False)
        return [Worth(None, Sqnr()) for _ in pairs], dataset
    scores = need_scores(subject)
    dataset = open_data(subject, request, labelled=True)
    labels = label_names(subject, dataset, request)
    return [Worth(Accuracy(scores, labels), Accuracy(scores, labels)) for _ in pairs], dataset


def _feed(pairs: Sequence[Pair], dataset: Dataset, rows: Sequence[Sequence[Taker]]) -> None:
    """Run every sample through the float model once and through each quantized one.

    Args:
        pairs: The float model with each quantized one.
        dataset: What is fed.
        rows: Who looks at the outputs; each row has one for each pair.
    """
    for sample in track(dataset, "Verifying", len(dataset), "sample"):
        mine = forward(pairs[0].a.model, sample.inputs)
        for place, pair in enumerate(pairs):
            theirs = pair.theirs(sample.inputs)
            for row in rows:
                row[place].add(mine, theirs, sample.label)


def _windowed(pair: Pair, request: DataRequest) -> Pair:
    """Return both models as they are fed with clips of sound."""
    mine, theirs = pair.a.manifest, pair.b.manifest
    a, b = windowed(pair.a, request, theirs), windowed(pair.b, request, mine)
    return pair if a is pair.a and b is pair.b else Pair(a, b)


def _request(values: dict[str, Any], pair: Pair) -> DataRequest:
    """Read a request, with labels and preprocessing settled for both models alike."""
    wishes = from_json(DataRequest, values, "the request")
    return replace(
        wishes,
        labels=wishes.labels or pair.b.labels or pair.a.labels,
        preprocessing=pair.b.preprocessing(wishes),
        front_end=pair.b.front_end(wishes) or pair.a.front_end(wishes),
    )

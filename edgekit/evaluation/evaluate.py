"""Evaluate one model on data."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.data import Dataset
from edgekit.data.annotations import looks_annotated
from edgekit.data.assumed import describe, holds_pictures
from edgekit.data.frontend import FrontEnd
from edgekit.errors import UnknownName, UsageError
from edgekit.evaluation.detection import (
    LOWEST,
    Pictures,
    detect,
    need_detector,
    open_judged,
    open_truth,
)
from edgekit.evaluation.keywords import Spotting, is_spotter, judge_recordings
from edgekit.evaluation.marks import looks_marked
from edgekit.evaluation.metrics import Accuracy, Metric, Sqnr
from edgekit.evaluation.models import forward, match
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
from edgekit.manifest import Overrides
from edgekit.measure import sha256
from edgekit.progress import track
from edgekit.records import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a model is worth on a data set.

    Attributes:
        model: The model's file.
        data: What the data are, in words.
        metric: Name of the metric.
        value: Its value: a fraction in [0, 1], or dB if the name ends in `_db`.
        samples: How many samples were evaluated.
        skipped: How many could not be read.
        per_class: The metric of each class that occurs, by name.
        per_output: The metric of each output, where the metric reads several.
        preprocessing: How pictures were prepared, in words; None if there were none.
        others: Other metrics that came with it, by name: `map` beside `map50`.
        spotting: Misses and false alarms of a keyword model on recordings; None elsewhere.
    """

    model: str
    data: str
    metric: str
    value: float | None
    samples: int
    skipped: int
    per_class: dict[str, float]
    per_output: dict[str, float]
    preprocessing: str | None
    others: dict[str, float | None] = field(default_factory=dict)
    spotting: Spotting | None = None


def evaluate(
    path: str | Path,
    data: str | Path,
    *,
    labels: Sequence[str] = (),
    metric: str | None = None,
    limit: int | None = None,
    overrides: Overrides | None = None,
    reference: str | Path | None = None,
    sample_rate_hz: int | None = None,
    front_end: FrontEnd | None = None,
    false_alarms_per_hour: float | None = None,
    seed: int = 0,
    split: str | None = None,
    interpreter: Interpreter | None = None,
) -> Evaluation:
    """Run a model over data and return its metric; memory does not grow with the data.

    Args:
        path: A .tflite or a Keras file.
        data: Folder or file, see the command line's contract.
        labels: Names of the classes in the order of the outputs; empty takes the model's,
            else the sorted names in the data.
        metric: `accuracy`, `map50`, `map`, `sqnr_db` or `false_rejects`; None takes what
            suits the model and the data.
        limit: Use no more than so many samples, chosen from every class.
        overrides: Preprocessing, where the model says it wrongly or not at all.
        reference: For `sqnr_db`: the float model to compare with; None looks for the file
            that the manifest names beside the model and in the working folder.
        sample_rate_hz: For models of sounds, where the model does not say it.
        front_end: For models of features of sound, where the model does not say it.
        false_alarms_per_hour: On recordings with marks, choose the thresholds of the words
            for this many, on these very recordings; None takes the model's thresholds.
        seed: Which samples `limit` chooses.
        split: Which set of annotated pictures, e.g. `val`, or `all`; None takes `test`, else
            `val`, else all.
        interpreter: How a .tflite is run.

    Raises:
        InputError: The model or the data cannot be used.
        TargetError: Boxes are asked for, and the model has no outputs of a detector.
        UnknownName: There is no such metric.
        UsageError: The metric does not suit the model.
    """
    request = DataRequest(
        path=str(data),
        overrides=overrides or Overrides(),
        labels=tuple(labels),
        samples=limit,
        seed=seed,
        sample_rate_hz=sample_rate_hz,
        front_end=front_end,
        split=split,
    )
    if metric is not None and metric not in METRICS:
        raise UnknownName(kind="metric", name=metric, known=list(METRICS))
    answer = guard.call(
        "edgekit.evaluation.evaluate:_worker",
        doing=f"evaluating {Path(path).name}",
        path=str(path),
        request=request,
        metric=metric,
        reference=None if reference is None else str(reference),
        budget=false_alarms_per_hour,
        interpreter=interpreter or Interpreter(),
    )
    return from_json(Evaluation, answer, "the evaluation")


def _worker(
    *,
    path: str,
    request: dict[str, Any],
    metric: str | None,
    reference: str | None,
    budget: float | None,
    interpreter: dict[str, Any],
) -> Evaluation:
    """Do the work, inside the guarded child."""
    wishes = from_json(DataRequest, request, "the request")
    how = from_json(Interpreter, interpreter, "the interpreter")
    subject = open_subject(path, how, len(wishes.labels))
    name = metric or default_metric(subject, wishes.path, wishes)
    if METRICS[name].needs == "marks":
        return _recordings(subject, wishes, budget)
    if budget is not None:
        raise UsageError(_NEEDS_MARKS.format(name=name))
    if METRICS[name].needs == "boxes":
        return _boxes(subject, wishes, METRICS[name])
    subject = windowed(subject, wishes)
    settled = subject.preprocessing(wishes)
    wishes = replace(wishes, preprocessing=settled)
    if METRICS[name].needs == "label":
        need_scores(subject)
        dataset = open_data(subject, wishes, labelled=True)
        judge: Metric = Accuracy(need_scores(subject), label_names(subject, dataset, wishes))
        count = _against_labels(subject, dataset, judge)
    else:
        other = open_subject(reference or find_source(subject), how)
        dataset = open_data(subject, wishes, labelled=False)
        judge = Sqnr()
        count = _against_reference(subject, other, dataset, judge)
    score, pictures = judge.score(), holds_pictures(Path(wishes.path))
    return Evaluation(
        model=path,
        data=dataset.description,
        metric=score.metric,
        value=score.value,
        samples=count,
        skipped=dataset.skipped,
        per_class=score.per_class,
        per_output=score.per_output,
        preprocessing=describe(settled) if settled and pictures else None,
    )


_NEEDS_MARKS = (
    "--false-alarms-per-hour chooses thresholds on recordings with marks; these data are "
    "judged by {name}.\nGive a recording with a text file of marks beside it, one word a line: "
    "start end label."
)


def _recordings(subject: Subject, wishes: DataRequest, budget: float | None) -> Evaluation:
    """Evaluate a keyword model on recordings."""
    judge, description, skipped = judge_recordings(subject, wishes, budget)
    score, spotting = judge.score(), judge.spotting()
    return Evaluation(
        model=str(subject.path),
        data=description,
        metric=score.metric,
        value=score.value,
        samples=judge.said,
        skipped=skipped,
        per_class=score.per_class,
        per_output=score.per_output,
        preprocessing=None,
        spotting=spotting,
    )


def default_metric(subject: Subject, data: str = "", request: DataRequest | None = None) -> str:
    """Return the metric of a model's task: map50, accuracy of classes, else sqnr_db.

    That of a keyword model on recordings is false_rejects.

    Args:
        subject: The model.
        data: What it is to be fed; pictures with boxes need a detector.
        request: How, if recordings are to be looked for.

    Raises:
        TargetError: The data are pictures with boxes, and the model is no detector.
    """
    if subject.decoder is not None:
        return "map50"
    if data and looks_annotated(data):
        need_detector(subject, data)
    if request is not None and _are_recordings(subject, request):
        return "false_rejects"
    return "sqnr_db" if subject.scores is None else "accuracy"


def _are_recordings(subject: Subject, request: DataRequest) -> bool:
    """Whether data are recordings; a folder is looked into for a keyword model only."""
    can_hear = is_spotter(subject, request)
    return (can_hear or not Path(request.path).is_dir()) and looks_marked(request.path)


def _boxes(subject: Subject, wishes: DataRequest, metric: type[Metric]) -> Evaluation:
    """Evaluate a detector."""
    detector = open_judged(subject, wishes)
    truth = open_truth(detector, wishes)
    judge = metric(truth.labels)  # type: ignore[call-arg] # those of boxes take labels
    pictures = Pictures(truth, "Evaluating")
    for item, pixels in pictures:
        judge.add(detect(detector, pixels, LOWEST), item)
    score = judge.score()
    return Evaluation(
        model=str(subject.path),
        data=truth.description,
        metric=score.metric,
        value=score.value,
        samples=pictures.count,
        skipped=pictures.skipped,
        per_class=score.per_class,
        per_output=score.per_output,
        preprocessing=describe(detector.preprocessing),
        others=score.others,
    )


def _against_labels(subject: Subject, dataset: Dataset, judge: Metric) -> int:
    count = 0
    for sample in track(dataset, "Evaluating", len(dataset), "sample"):
        judge.add(forward(subject.model, sample.inputs), sample.label)
        count += 1
    return count


def _against_reference(
    subject: Subject, other: Subject, dataset: Dataset, judge: Metric
) -> int:
    inputs = match(subject.model.inputs, other.model.inputs, "inputs")
    outputs = match(subject.model.outputs, other.model.outputs, "outputs")
    count = 0
    for sample in track(dataset, "Evaluating", len(dataset), "sample"):
        found = forward(subject.model, sample.inputs)
        renamed = {inputs[name]: each for name, each in sample.inputs.items()}
        expected = forward(other.model, renamed)
        judge.add(found, {mine: expected[theirs] for mine, theirs in outputs.items()})
        count += 1
    return count


def find_source(subject: Subject) -> str:
    """Return the path of the float model that a model was made from.

    Raises:
        UsageError: The manifest does not name it, or it is not where it is looked for.
    """
    source = subject.manifest.source if subject.manifest else None
    if source is not None:
        for folder in (subject.path.parent, Path.cwd()):
            file = folder / source.file
            if file.exists() and sha256(file) == source.sha256:
                return str(file)
    named = f" Its manifest names {source.file}, which is not beside it." if source else ""
    msg = (
        f"sqnr_db compares {subject.path.name} with its float model.{named}\n"
        "Give that with --reference FLOAT_MODEL."
    )
    raise UsageError(msg)

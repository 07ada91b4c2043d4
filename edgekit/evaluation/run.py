"""Files through a model, the result in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit import guard
from edgekit.audio.decisions import Event
from edgekit.data import open_dataset
from edgekit.data.feed import Feed
from edgekit.data.find import files_below, what_is_in
from edgekit.data.frontend import FrontEnd
from edgekit.data.images import SUFFIXES, read_image
from edgekit.data.sounds import SUFFIXES as SOUNDS
from edgekit.errors import InputError, UsageError
from edgekit.evaluation.detection import detect, open_judged
from edgekit.evaluation.keywords import is_spotter, open_listener, play
from edgekit.evaluation.models import Arrays, forward
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.subject import Interpreter, Subject, check_labels, open_subject
from edgekit.evaluation.subject import sample_rate_hz as rate_of
from edgekit.manifest import Overrides
from edgekit.progress import track
from edgekit.records import from_json
from edgekit.vision.detector import Finding

_TOP = 5
_FIRST_VALUES = 8
_ARRAYS = (".npy", ".npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One class and its score.

    Attributes:
        label: Name of the class, or `class N` where the model has no names.
        score: The model's own score: a share in [0, 1] if its last op makes one.
    """

    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSummary:
    """An output that is no list of class scores.

    Attributes:
        name: Name of the output.
        shape: Its shape.
        min: Lowest value.
        mean: Mean value.
        max: Highest value.
        first: The first values, as many as a line holds.
    """

    name: str
    shape: tuple[int, ...]
    min: float | None
    mean: float | None
    max: float | None
    first: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the model says of one input.

    Attributes:
        input: The file, or the file and the row.
        top: Best classes, the highest score first; None if the outputs are no class scores.
        detections: Objects in the picture, the highest score first; None if the model finds
            none by its kind.
        keywords: Words heard in the sound, in the order of time; None if the model is no
            keyword model.
        outputs: All outputs in short; None if there is something better.
    """

    input: str
    top: tuple[Guess, ...] | None = None
    detections: tuple[Finding, ...] | None = None
    keywords: tuple[Event, ...] | None = None
    outputs: tuple[OutputSummary, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What the model says of all inputs.

    Attributes:
        model: The model's file.
        results: One for each input.
    """

    model: str
    results: tuple[Result, ...]


def run(
    path: str | Path,
    inputs: Sequence[str | Path],
    *,
    labels: Sequence[str] = (),
    overrides: Overrides | None = None,
    sample_rate_hz: int | None = None,
    front_end: FrontEnd | None = None,
    interpreter: Interpreter | None = None,
) -> Results:
    """Run files through a model.

    Args:
        path: A .tflite or a Keras file.
        inputs: Pictures, sounds, `.npy` or `.npz` files, or folders of them.
        labels: Names of the classes in the order of the outputs; empty takes the model's.
        overrides: Preprocessing, where the model says it wrongly or not at all.
        sample_rate_hz: For models of sounds, where the model does not say it.
        front_end: For models of features of sound, where the model does not say it.
        interpreter: How a .tflite is run.

    Raises:
        InputError: The model or an input cannot be used.
    """
    request = DataRequest(
        path=str(inputs[0]) if inputs else "",
        overrides=overrides or Overrides(),
        labels=tuple(labels),
        sample_rate_hz=sample_rate_hz,
        front_end=front_end,
    )
    answer = guard.call(
        "edgekit.evaluation.run:_worker",
        doing=f"running {Path(path).name}",
        path=str(path),
        inputs=[str(each) for each in inputs],
        request=request,
        interpreter=interpreter or Interpreter(),
    )
    return from_json(Results, answer, "the results")


def _worker(
    *, path: str, inputs: list[str], request: dict[str, Any], interpreter: dict[str, Any]
) -> Results:
    """Do the work, inside the guarded child."""
    how = from_json(Interpreter, interpreter, "the interpreter")
    wishes = from_json(DataRequest, request, "the request")
    subject = open_subject(path, how, len(wishes.labels))
    if subject.decoder is not None:
        return Results(model=path, results=tuple(_detected(subject, wishes, inputs)))
    feed = Feed(
        shapes=subject.shapes,
        dtypes=subject.dtypes(),
        preprocessing=subject.preprocessing(wishes),
        sample_rate_hz=wishes.sample_rate_hz or rate_of(subject.manifest),
        front_end=subject.front_end(wishes),
    )
    results: list[Result] = []
    hears = is_spotter(subject, wishes)
    for file in track(inputs, "Running", len(inputs), "file"):
        if hears and (sounds := sounds_of(Path(file))):
            results.extend(_heard(subject, wishes, sounds))
            continue
        for name, arrays in samples(Path(file), feed):
            results.append(_result(name, subject, forward(subject.model, arrays), wishes))
    return Results(model=path, results=tuple(results))


def _heard(subject: Subject, wishes: DataRequest, sounds: Sequence[Path]) -> Iterator[Result]:
    """Listen to sounds, each from its beginning.

    Raises:
        DataError: One cannot be read.
    """
    spotter = open_listener(subject, wishes)
    for path in sounds:
        events = (event for each in play(spotter, path) for event in each.events)
        yield Result(input=str(path), keywords=tuple(events))


def sounds_of(path: Path) -> Sequence[Path]:
    """Return a sound, or those of a folder; none if it is something else."""
    if path.is_dir():
        return files_below(path, SOUNDS)
    return [path] if path.is_file() and path.suffix.lower() not in _ARRAYS else []


def _detected(subject: Subject, wishes: DataRequest, inputs: Sequence[str]) -> Iterator[Result]:
    """Find objects in pictures.

    Raises:
        InputError: There is no such file, or it is no picture.
    """
    detector = open_judged(subject, wishes)
    for given in track(inputs, "Running", len(inputs), "file"):
        for file in _pictures(Path(given)):
            found = detect(detector, read_image(file))
            yield Result(input=str(file), detections=detector.describe(found))


def _pictures(path: Path) -> Sequence[Path]:
    """Return a picture, or those of a folder.

    Raises:
        InputError: There is no such file, or the folder holds none.
    """
    if not path.exists():
        msg = f"There is no input {path}."
        raise InputError(msg)
    if not path.is_dir():
        return [path]
    found = files_below(path, SUFFIXES)
    if not found:
        msg = f"{path} holds no pictures; found {what_is_in(path)}."
        raise InputError(msg)
    return found


def samples(path: Path, feed: Feed) -> Iterator[tuple[str, Arrays]]:
    """Read what a file or folder holds, ready to be fed, with a name for each sample.

    Raises:
        InputError: There is no such file, or it is not what the model takes.
    """
    if not path.exists():
        msg = f"There is no input {path}."
        raise InputError(msg)
    if path.is_dir() or path.suffix.lower() in _ARRAYS:
        dataset = open_dataset(
            path,
            shapes=feed.shapes,
            dtypes=feed.dtypes,
            preprocessing=feed.preprocessing,
            sample_rate_hz=feed.sample_rate_hz,
            front_end=feed.front_end,
            labelled=False,
        )
        folder = path if path.is_dir() else path.parent
        for sample in dataset:
            yield str(folder / sample.name), sample.inputs
        return
    if feed.kind == "array":
        raise UsageError(_takes_arrays(path, feed))
    yield str(path), feed.from_file(path)


def _takes_arrays(path: Path, feed: Feed) -> str:
    shapes = ", ".join(f"{name} {shape}" for name, shape in feed.shapes.items())
    waves = all(len(each) <= 2 and max(each, default=0) > 1000 for each in feed.shapes.values())
    hint = "\nIf it takes a waveform, give --sample-rate HZ." if waves else ""
    return (
        f"{path.name} cannot be fed to this model: it takes {shapes}, which is neither a "
        f"picture nor a sound.\nGive arrays as .npy, or .npz for several inputs.{hint}"
    )


def _result(name: str, subject: Subject, outputs: Arrays, wishes: DataRequest) -> Result:
    """Put the outputs into the words of the model's task."""
    if subject.scores is None:
        return Result(input=name, outputs=tuple(map(_summary, outputs, outputs.values())))
    known = wishes.labels or subject.labels
    if wishes.labels:
        check_labels(subject, wishes.labels)
    return Result(input=name, top=top(outputs[subject.scores], known))


def top(scores: NDArray[Any], labels: Sequence[str], count: int = _TOP) -> tuple[Guess, ...]:
    """Return the best classes, the highest score first; of equal ones the lowest index.

    >>> [each.label for each in top(np.array([0.1, 0.7, 0.7]), ["cat", "dog", "owl"])]
    ['dog', 'owl', 'cat']
    """
    flat = np.asarray(scores, np.float64).ravel()
    order = np.argsort(-flat, kind="stable")[:count]
    return tuple(
        Guess(
            label=labels[index] if index < len(labels) else f"class {index}",
            score=float(np.nan_to_num(flat[index])),
        )
        for index in order
    )


def _summary(name: str, values: NDArray[Any]) -> OutputSummary:
    flat = np.asarray(values, np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    return OutputSummary(
        name=name,
        shape=tuple(values.shape),
        min=float(finite.min()) if finite.size else None,
        mean=float(finite.mean()) if finite.size else None,
        max=float(finite.max()) if finite.size else None,
        first=tuple(float(v) if np.isfinite(v) else None for v in flat[:_FIRST_VALUES]),
    )

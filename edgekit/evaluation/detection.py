"""Detectors under examination: opened with their data, fed picture by picture."""

import logging
from collections.abc import Iterator
from pathlib import Path

from edgekit.data.annotations import Annotated, Annotations, open_annotations
from edgekit.data.boxes import Detections
from edgekit.data.find import files_below
from edgekit.data.images import SUFFIXES
from edgekit.data.opencv import Pixels
from edgekit.data.samples import MAX_UNREADABLE
from edgekit.errors import DataError, TargetError
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.subject import Subject, decoder_of, graph_of
from edgekit.manifest import Preprocessing
from edgekit.progress import track
from edgekit.vision.detector import Detector, choose_labels, say_roles

LOWEST = 0.01  # score from which detections count for mean average precision
_WHOLE = "all"
_PREFERRED = ("test", "val")
_log = logging.getLogger(__name__)


def open_judged(subject: Subject, request: DataRequest) -> Detector:
    """Return an opened model as a detector.

    Raises:
        TargetError: It has no outputs of a detector; the message says what was found.
        UsageError: Other than its number of labels was given.
    """
    name = subject.path.name
    decoder = subject.decoder or decoder_of(
        subject.model, graph_of(subject.path), len(request.labels)
    )
    say_roles(name, decoder)
    return Detector(
        subject.model,
        decoder,
        subject.preprocessing(request) or Preprocessing(),
        labels=choose_labels(decoder, subject.manifest, request.labels, name),
    )


def open_truth(detector: Detector, request: DataRequest) -> Annotations:
    """Open annotated pictures for a detector, in the choice that was asked for.

    Where the data are divided, the set `test` is taken, else `val`, and that is said.

    Raises:
        DataError: There are none, or their classes are not those of the detector.
    """
    found = open_annotations(Path(request.path), detector.labels)
    count = detector.decoder.classes
    if not detector.labels and count is not None and len(found.labels) != count:
        msg = (
            f"{found.description}: there are {len(found.labels)} classes, "
            f"{', '.join(found.labels[:10])}, and the model finds {count}.\n"
            "Give the names in the order of the outputs with --labels FILE, one a line."
        )
        raise DataError(msg)
    found = _chosen_set(found, request.split)
    if request.samples is not None:
        found = found.subset(request.samples, request.seed)
    return found


def _chosen_set(found: Annotations, asked: str | None) -> Annotations:
    if asked is not None:
        return found if asked == _WHOLE else found.split(asked)
    name = next((each for each in _PREFERRED if each in found.sets), None)
    if name is None:
        return found
    chosen = found.split(name)
    _log.warning(
        "%s is divided into %s; the %d pictures of '%s' are taken. Choose with --split NAME, "
        "or --split all.",
        found.description.partition(":")[0],
        ", ".join(found.sets),
        len(chosen),
        name,
    )
    return chosen


def plain_pictures(request: DataRequest) -> Annotations:
    """Open a folder of pictures without boxes, in the choice that was asked for.

    Raises:
        DataError: It holds no pictures.
    """
    path = Path(request.path)
    root = path if path.is_dir() else path.parent
    files = files_below(path, SUFFIXES) if path.is_dir() else [path]
    if not files or not path.exists():
        msg = f"{path} holds no pictures."
        raise DataError(msg)
    found = Annotations(
        labels=(),
        items=tuple(Annotated.bare(file.relative_to(root).as_posix(), file) for file in files),
        description=f"{path.name}: {len(files)} pictures",
    )
    return found if request.samples is None else found.subset(request.samples, request.seed)


class Pictures:
    """Annotated pictures, read one by one.

    One that cannot be read is named in a warning, skipped and counted.

    Args:
        truth: The pictures.
        doing: What is done with them, for the progress bar.

    Attributes:
        skipped: How many could not be read so far.
        count: How many were read so far.
    """

    def __init__(self, truth: Annotations, doing: str) -> None:
        self._truth = truth
        self._doing = doing
        self.skipped = 0
        self.count = 0

    def __iter__(self) -> Iterator[tuple[Annotated, Pixels]]:
        """Read the pictures.

        Raises:
            DataError: More than 5 % of them cannot be read.
        """
        for item in track(self._truth.items, self._doing, len(self._truth), "picture"):
            try:
                pixels = item.read()
            except DataError as error:
                self._skip(error)
            else:
                self.count += 1
                yield item, pixels

    def _skip(self, error: DataError) -> None:
        self.skipped += 1
        _log.warning("Skipped: %s", error)
        if self.skipped > MAX_UNREADABLE * len(self._truth):
            msg = (
                f"{self._truth.description}: {self.skipped} pictures cannot be used so far, "
                f"more than {MAX_UNREADABLE:.0%}. The last one: {error}"
            )
            raise DataError(msg) from error


def detect(detector: Detector, pixels: Pixels, threshold: float | None = None) -> Detections:
    """Find objects in an RGB picture.

    Args:
        detector: The model.
        pixels: The picture.
        threshold: Lowest score; None takes the model's own.
    """
    prepared, placing = detector.prepare(pixels, "rgb")
    return detector.finish(detector.infer(prepared), placing, threshold)


def need_detector(subject: Subject, path: str) -> None:
    """Refuse annotated pictures for a model that finds no objects.

    Raises:
        TargetError: The model has no outputs of a detector.
    """
    try:
        decoder_of(subject.model, graph_of(subject.path), 0)
    except TargetError as error:
        msg = f"{path} holds pictures with boxes. {error}"
        raise TargetError(msg) from error

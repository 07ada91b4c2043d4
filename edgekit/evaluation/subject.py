"""A model under examination: opened, with all that is needed to feed and to judge it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.audio.spotter import front_end_of
from edgekit.data import Dataset, check_classes, open_dataset
from edgekit.data.assumed import holds_pictures, resolve
from edgekit.data.foreign import Foreign, read_graph
from edgekit.data.frontend import FrontEnd
from edgekit.errors import DataError, InputError, TargetError, UsageError
from edgekit.evaluation.models import (
    class_output,
    is_keras,
    open_model,
    sample_shapes,
)
from edgekit.evaluation.request import DataRequest
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest, Preprocessing
from edgekit.runtime.any_model import AnyModel
from edgekit.vision.feeding import picture_input, size_of
from edgekit.vision.outputs.decoder import Decoder
from edgekit.vision.outputs.find import open_decoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How a .tflite is run; has no meaning for a Keras file.

    Attributes:
        backend: Interpreter package.
        threads: CPU threads; None chooses.
        delegate: Accelerator; None is the CPU.
    """

    backend: str = "auto"
    threads: int | None = None
    delegate: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """An opened model.

    Attributes:
        path: Its file.
        model: The model.
        shapes: Shape of one sample of each input.
        scores: Name of the output that holds class scores, or None.
        foreign: What the graph tells, where the file does not say it.
        decoder: How its outputs become boxes, if it is a detector.
    """

    path: Path
    model: AnyModel
    shapes: dict[str, tuple[int, ...]]
    scores: str | None
    foreign: Foreign = field(default_factory=Foreign)
    decoder: Decoder | None = None

    @property
    def manifest(self) -> Manifest | None:
        """What the file carries about itself."""
        return self.model.manifest

    @property
    def classes(self) -> int:
        """How many classes the model tells apart; 0 if it has no class scores."""
        sizes = {spec.name: math.prod(spec.shape) for spec in self.model.outputs}
        return sizes[self.scores] if self.scores is not None else 0

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes that the file carries; empty if there are none that fit."""
        found = self.manifest.labels if self.manifest else ()
        return found if len(found) == self.classes else ()

    @property
    def says_preprocessing(self) -> bool:
        """Whether the file says itself how pictures are prepared."""
        return self.manifest is not None and self.manifest.preprocessing is not None

    def preprocessing(self, request: DataRequest) -> Preprocessing | None:
        """Return how pictures are prepared for this model, saying what is assumed."""
        if self.front_end(request) is not None:
            return None
        return request.preprocessing or resolve(
            request.overrides,
            shapes=self.shapes,
            manifest=self.manifest,
            foreign=self.foreign,
            normalizes_itself=bool(getattr(self.model, "normalizes_itself", False)),
            pictures=holds_pictures(Path(request.path)),
            usual=self.decoder.preprocessing if self.decoder else None,
        )

    def front_end(self, request: DataRequest) -> FrontEnd | None:
        """Return how sounds become features for this model; None if nobody says it.

        Raises:
            RecordError: The file names a front end that edgekit does not know.
        """
        return request.front_end or front_end_of(self.manifest, self.path.name)

    def dtypes(self) -> dict[str, str]:
        """Return numpy's name of the type of each input."""
        named = {spec.name: getattr(spec, "dtype", "float32") for spec in self.model.inputs}
        return {name: str(dtype) for name, dtype in named.items()}


def open_subject(path: str, interpreter: Interpreter, labels: int = 0) -> Subject:
    """Open a model file; call it inside a guarded child process only.

    Args:
        path: The file.
        interpreter: How a .tflite is run.
        labels: How many names of classes somebody gave.

    Raises:
        InputError: There is no such file, or it is no model.
        MissingExtra: It is a Keras file, and TensorFlow is not installed.
    """
    file = Path(path)
    model = open_model(
        file,
        backend=interpreter.backend,
        threads=interpreter.threads,
        delegate=interpreter.delegate,
    )
    says = model.manifest is not None and model.manifest.task == "detect"
    scores = None if says else class_output(model)
    graph = graph_of(file)
    return Subject(
        path=file,
        model=model,
        shapes=sample_shapes(model),
        scores=scores,
        foreign=read_graph(graph) if graph else Foreign(),
        decoder=None if scores else _decoder(model, graph, labels),
    )


def graph_of(file: Path) -> Graph | None:
    """Return the graph of a .tflite; None for a Keras file."""
    try:
        return None if is_keras(file) else Graph(file)
    except InputError:
        return None  # the runtime takes it all the same


def _decoder(model: AnyModel, graph: Graph | None, labels: int) -> Decoder | None:
    """Return how a model's outputs become boxes; None if it is no detector.

    Raises:
        TargetError: It says that it is one, and its outputs are none that edgekit reads.
    """
    says = model.manifest is not None and model.manifest.task == "detect"
    try:
        return decoder_of(model, graph, labels)
    except TargetError:
        if says:
            raise
        return None


def decoder_of(model: AnyModel, graph: Graph | None, labels: int) -> Decoder:
    """Return how a model's outputs become boxes.

    Raises:
        TargetError: It is no detector that edgekit reads; the message says what was found.
    """
    size = size_of(picture_input(model.inputs))
    return open_decoder(model.outputs, size, model.manifest, graph=graph, labels=labels)


def open_data(
    subject: Subject,
    request: DataRequest,
    *,
    labelled: bool,
    preprocessing: Preprocessing | None = None,
) -> Dataset:
    """Open data for a model, in the choice of samples that was asked for.

    Args:
        subject: The model.
        request: What is wanted.
        labelled: Whether every sample must have a class that the model knows.
        preprocessing: How pictures are prepared, if that is settled; else as the request
            or the model says.

    Raises:
        DataError: There is no such set, or it does not fit the model.
    """
    if labelled and request.labels:
        check_labels(subject, request.labels)
    settled = preprocessing or subject.preprocessing(request)
    dataset = open_dataset(
        Path(request.path),
        shapes=subject.shapes,
        dtypes=subject.dtypes(),
        preprocessing=settled,
        labels=request.labels or subject.labels,
        labelled=labelled,
        sample_rate_hz=request.sample_rate_hz or sample_rate_hz(subject.manifest),
        front_end=subject.front_end(request),
    )
    if labelled:
        check_classes(dataset, subject.classes)
    if request.samples is not None:
        return dataset.subset(request.samples, request.seed)
    return dataset


def check_labels(subject: Subject, labels: Sequence[str]) -> None:
    """Make sure that there is one label for each class.

    Raises:
        UsageError: There are more or fewer.
    """
    if len(labels) != subject.classes:
        msg = (
            f"{len(labels)} labels were given, and {subject.path.name} has {subject.classes} "
            "classes.\nGive one name a line, in the order of the outputs."
        )
        raise UsageError(msg)


def open_data_with_classes_if_any(
    subject: Subject,
    request: DataRequest,
    preprocessing: Preprocessing | None,
    *,
    insist: bool,
) -> tuple[Dataset, bool]:
    """Open data for a model, with classes where the data have some that the model knows.

    Args:
        subject: The model.
        request: What is wanted.
        preprocessing: How pictures are prepared.
        insist: Whether data without these classes are an error, as somebody named them.

    Returns:
        The data, and whether their samples have classes.

    Raises:
        DataError: There is no such set, or it does not fit the model.
    """
    if subject.scores is not None:
        try:
            found = open_data(subject, request, labelled=True, preprocessing=preprocessing)
        except DataError:
            if insist:
                raise
        else:
            return found, True
    return open_data(subject, request, labelled=False, preprocessing=preprocessing), False


def label_names(subject: Subject, dataset: Dataset, request: DataRequest) -> tuple[str, ...]:
    """Return one name for each class of the model."""
    names = tuple(dataset.labels) or request.labels or subject.labels
    rest = (f"class {index}" for index in range(len(names), subject.classes))
    return (*names, *rest)


def need_scores(subject: Subject) -> str:
    """Return the name of the output that holds class scores.

    Raises:
        UsageError: The model has none.
    """
    if subject.scores is None:
        shapes = ", ".join(f"{each.name} {each.shape}" for each in subject.model.outputs)
        msg = (
            f"{subject.path.name} has no output with one score for each class; "
            f"found {shapes}.\nAccuracy needs one. Measure it against its float model with: "
            "--metric sqnr_db --reference FLOAT_MODEL"
        )
        raise UsageError(msg)
    return subject.scores


def sample_rate_hz(manifest: Manifest | None) -> int | None:
    """Return the rate of the sounds that the model takes, if the manifest says it."""
    said: Any = (manifest.front_end or {}).get("sample_rate_hz") if manifest else None
    return said if isinstance(said, int) else None

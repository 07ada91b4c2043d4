"""A classifier: pictures in, classes out, in the same stages as a detector."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import graph_manifest
from edgekit.data.assumed import resolve
from edgekit.data.boxes import Detections
from edgekit.data.foreign import read_graph
from edgekit.data.opencv import Order, Pixels
from edgekit.data.preprocess import Placing
from edgekit.data.scores import class_output
from edgekit.errors import TargetError, UsageError
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest, Overrides, Preprocessing
from edgekit.runtime import Model, load
from edgekit.runtime.quantize import Quantizer
from edgekit.vision.feeding import Feeder, picture_input, size_of

TOP = 5

Array = NDArray[Any]
_log = logging.getLogger(__name__)


class Classifier:
    """A model that tells what a picture shows.

    Different stages may run in different threads, each in one at a time.

    Args:
        model: The model.
        scores: Name of the output with one score for each class.
        preprocessing: How a picture becomes its input.
        labels: Names of the classes; empty where there are none.
        logits: Whether the scores are logits; they become probabilities.
        threshold: Score from which on a class counts as seen.

    Raises:
        TargetError: The model takes no pictures.

    Attributes:
        labels: Names of the classes.
        input_size: Height and width of the model's input.
        threshold: Score from which on a class counts as seen.
    """

    def __init__(
        self,
        model: Model,
        scores: str,
        preprocessing: Preprocessing,
        *,
        labels: Sequence[str] = (),
        logits: bool = False,
        threshold: float | None = None,
    ) -> None:
        self._feed = Feeder(model.inputs, preprocessing)
        self._model = model
        self._scores = scores
        self._logits = logits
        (spec,) = (each for each in model.outputs if each.name == scores)
        self._real = (
            Quantizer((), spec.dtype, spec.scale, spec.zero_point).dequantize
            if spec.quantized
            else None
        )
        self.labels = tuple(labels)
        self.input_size = self._feed.size
        self.threshold = 0.5 if threshold is None else threshold

    def __call__(self, pixels: Pixels, order: Order = "rgb") -> Detections:
        """Tell what a picture shows.

        Args:
            pixels: Shape (height, width, 3), 8 bits.
            order: Which colour comes first.

        Returns:
            The best classes, each with the whole picture as its box.
        """
        prepared, placing = self.prepare(pixels, order)
        return self.finish(self.infer(prepared), placing)

    def prepare(self, pixels: Pixels, order: Order = "rgb") -> tuple[Array, Placing]:
        """Turn a picture into the model's input, in the type that the input holds."""
        return self._feed(pixels, order)

    def infer(self, prepared: Array) -> dict[str, Array]:
        """Run the model; values are those that its outputs hold, quantized or not."""
        given = self._model.raw(prepared)
        return given if isinstance(given, dict) else {self._scores: given}

    def finish(self, outputs: Mapping[str, Array], placing: Placing) -> Detections:
        """Return the best classes, at most `TOP`, whatever their scores.

        Args:
            outputs: What `infer` gave.
            placing: What `prepare` gave.

        Returns:
            Each with the whole frame as its box; a tie goes to the lowest class.
        """
        values = outputs[self._scores].reshape(-1)
        real = values.astype(np.float32) if self._real is None else self._real(values)
        scores = np.nan_to_num(_softmax(real) if self._logits else real)
        best = np.argsort(-scores, kind="stable")[:TOP]
        height, width = placing.frame
        frame = np.tile(np.array([0, 0, width, height], np.float32), (len(best), 1))
        return Detections(frame, scores[best], best)


def open_classifier(
    path: str | os.PathLike[str],
    *,
    labels: Sequence[str] | None = None,
    threshold: float | None = None,
    threads: int | None = None,
    backend: str = "auto",
    delegate: str | None = None,
    probe: bool = True,
    overrides: Overrides | None = None,
) -> Classifier:
    """Open a .tflite that classifies pictures.

    Args:
        path: The file.
        labels: Names of the classes in the order of the outputs; None takes the model's.
        threshold: Score from which on a class counts as seen; None is 0.5.
        threads: Threads of the CPU kernels; None chooses.
        backend: Interpreter package, see `edgekit.runtime.load`.
        delegate: Accelerator; None is the CPU.
        probe: First try the file in a child process; see `edgekit.runtime.load`.
        overrides: Preprocessing, where the model says it wrongly or not at all.

    Raises:
        InputError: The file is missing or damaged.
        TargetError: It has no output with one score for each class.
        UsageError: There are more or fewer labels than classes.
    """
    path = Path(path)
    model = load(path, threads=threads, backend=backend, delegate=delegate, probe=probe)
    graph = Graph(path)
    manifest = graph_manifest(graph)
    scores = class_output(model.inputs, model.outputs, manifest)
    if scores is None:
        found = ", ".join(f"{each.name} {list(each.shape)}" for each in model.outputs)
        msg = f"{path.name} has no output with one score for each class; found {found}."
        raise TargetError(msg)
    spec = picture_input(model.inputs)
    preprocessing = resolve(
        overrides or Overrides(),
        shapes={spec.name: (*size_of(spec), 3)},
        manifest=manifest,
        foreign=read_graph(graph),
    )
    (output,) = (each for each in model.outputs if each.name == scores)
    return Classifier(
        model,
        scores,
        preprocessing or Preprocessing(),
        labels=_labels(path.name, int(np.prod(output.shape)), manifest, labels),
        logits=_are_logits(scores, manifest),
        threshold=threshold,
    )


def _labels(
    name: str, classes: int, manifest: Manifest | None, given: Sequence[str] | None
) -> tuple[str, ...]:
    """Choose the names of the classes: those given, else the file's.

    Raises:
        UsageError: Other than the model's number of names was given.
    """
    if given:
        if len(given) != classes:
            msg = (
                f"{len(given)} labels were given, and {name} has {classes} classes.\n"
                "Give one name a line, in the order of the outputs."
            )
            raise UsageError(msg)
        return tuple(given)
    carried = manifest.labels if manifest else ()
    if carried and len(carried) != classes:
        _log.warning(
            "%s carries %d labels and has %d classes; give the right names with --labels.",
            name,
            len(carried),
            classes,
        )
        return ()
    return carried


def _are_logits(scores: str, manifest: Manifest | None) -> bool:
    listed = manifest.outputs if manifest else ()
    return any(each.name == scores and each.role == "logits" for each in listed)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = np.exp(logits - logits.max())
    shares: NDArray[np.float32] = powers / powers.sum()
    return shares

"""A detector: pictures in, boxes out, in stages that can be run apart.

input, placing = detector.prepare(pixels, "bgr")
outputs = detector.infer(input)
found = detector.finish(outputs, placing)
"""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifact import graph_manifest
from edgekit.data.assumed import resolve
from edgekit.data.boxes import Detections, clip
from edgekit.data.foreign import read_graph
from edgekit.data.opencv import Order, Pixels
from edgekit.data.preprocess import Placing
from edgekit.errors import UsageError
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest, Overrides, Preprocessing
from edgekit.runtime import load
from edgekit.runtime.any_model import AnyModel
from edgekit.runtime.quantize import Quantizer
from edgekit.vision.feeding import Feeder, picture_input, size_of
from edgekit.vision.outputs.decoder import Decoder
from edgekit.vision.outputs.find import open_decoder

Array = NDArray[Any]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One object, in words.

    Attributes:
        label: Name of its class, or `class N` where the model has no names.
        score: The model's own score, in [0, 1].
        box: (x_min, y_min, x_max, y_max) in pixels of the frame.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]


class Detector:
    """A model that finds objects.

    Different stages may run in different threads, each in one at a time.

    Args:
        model: The model.
        decoder: What its outputs mean.
        preprocessing: How a picture becomes its input.
        labels: Names of the classes; empty where there are none.
        threshold: Score from which on something counts as found; None takes the model's.

    Raises:
        TargetError: The model takes no pictures.

    Attributes:
        labels: Names of the classes.
        input_size: Height and width of the model's input.
        threshold: Score from which on something counts as found.
        decoder: What the outputs mean.
        preprocessing: How a picture becomes the input.
    """

    def __init__(
        self,
        model: AnyModel,
        decoder: Decoder,
        preprocessing: Preprocessing,
        *,
        labels: Sequence[str] = (),
        threshold: float | None = None,
    ) -> None:
        self.labels = tuple(labels)
        self.threshold = decoder.threshold if threshold is None else threshold
        self.decoder = decoder
        self.preprocessing = preprocessing
        self._model = model
        self._raw = getattr(model, "raw", model.__call__)
        self._feed = Feeder(model.inputs, preprocessing)
        self.input_size = self._feed.size
        self._reals = {
            each.name: Quantizer((), each.dtype, each.scale, each.zero_point).dequantize
            for each in model.outputs
            if each.quantized
        }

    def __call__(self, pixels: Pixels, order: Order = "rgb") -> Detections:
        """Find the objects in a picture.

        Args:
            pixels: Shape (height, width, 3), 8 bits.
            order: Which colour comes first.

        Returns:
            Boxes in pixels of the picture, inside it.
        """
        prepared, placing = self.prepare(pixels, order)
        return self.finish(self.infer(prepared), placing)

    def prepare(self, pixels: Pixels, order: Order = "rgb") -> tuple[Array, Placing]:
        """Turn a picture into the model's input, in the type that the input holds.

        The picture is resized first, so that all that follows works on the model's size;
        values of a quantized input are looked up, without a detour over reals. The result
        is the same as that of `edgekit.data.preprocess` and the model's own rounding.

        Args:
            pixels: Shape (height, width, 3), 8 bits.
            order: Which colour comes first.

        Returns:
            The input, with the batch of 1, and where the picture lies in it.
        """
        return self._feed(pixels, order)

    def infer(self, prepared: Array) -> dict[str, Array]:
        """Run the model; values are those that its outputs hold, quantized or not.

        Raises:
            InputError: The model fails on this input.
        """
        given = self._raw(prepared)
        if isinstance(given, dict):
            return given
        return {self._model.outputs[0].name: np.asarray(given)}

    def finish(
        self, outputs: Mapping[str, Array], placing: Placing, threshold: float | None = None
    ) -> Detections:
        """Turn what the model gave into boxes in pixels of the frame.

        Args:
            outputs: What `infer` gave.
            placing: What `prepare` gave.
            threshold: Lowest score; None takes the detector's.
        """
        reals = {
            name: self._reals[name](each) if name in self._reals else each
            for name, each in outputs.items()
        }
        lowest = self.threshold if threshold is None else threshold
        found = self.decoder.decode(reals, lowest)
        return found.moved(clip(placing.to_frame(found.boxes), placing.frame))

    def label(self, number: int) -> str:
        """Return the name of a class."""
        return self.labels[number] if 0 <= number < len(self.labels) else f"class {number}"

    def describe(self, found: Detections) -> tuple[Finding, ...]:
        """Put what was found into words."""
        return tuple(
            Finding(
                label=self.label(number),
                score=score,
                box=tuple(round(float(side), 2) for side in box),  # type: ignore[arg-type] # four
            )
            for box, score, number in found
        )


def open_detector(
    path: str | os.PathLike[str],
    *,
    labels: Sequence[str] | None = None,
    threshold: float | None = None,
    threads: int | None = None,
    backend: str = "auto",
    delegate: str | None = None,
    probe: bool = True,
    overrides: Overrides | None = None,
) -> Detector:
    """Open a .tflite that finds objects.

    What was inferred, rather than said by the file, is logged: roles of outputs as
    information where the graph proves them, else as a warning.

    Args:
        path: The file.
        labels: Names of the classes in the order of the outputs; None takes the model's.
        threshold: Score from which on something counts as found; None takes the model's.
        threads: Threads of the CPU kernels; None chooses.
        backend: Interpreter package, see `edgekit.runtime.load`.
        delegate: Accelerator; None is the CPU.
        probe: First try the file in a child process; see `edgekit.runtime.load`.
        overrides: Preprocessing, where the model says it wrongly or not at all.

    Raises:
        InputError: The file is missing or damaged.
        TargetError: It has no outputs of a detector; the message says what was found.
        UsageError: There are more or fewer labels than classes.
    """
    path = Path(path)
    model = load(path, threads=threads, backend=backend, delegate=delegate, probe=probe)
    graph = Graph(path)
    manifest = graph_manifest(graph)
    spec = picture_input(model.inputs)
    decoder = open_decoder(
        model.outputs, size_of(spec), manifest, graph=graph, labels=len(labels or ())
    )
    say_roles(path.name, decoder)
    preprocessing = resolve(
        overrides or Overrides(),
        shapes={spec.name: (*size_of(spec), 3)},
        manifest=manifest,
        foreign=read_graph(graph),
        usual=decoder.preprocessing,
    )
    return Detector(
        model,
        decoder,
        preprocessing or Preprocessing(),
        labels=choose_labels(decoder, manifest, labels, path.name),
        threshold=threshold,
    )


def say_roles(name: str, decoder: Decoder) -> None:
    """Log what each output was taken for; a warning where only its shape says so."""
    for role in decoder.roles:
        level = logging.WARNING if role.how == "shapes" else logging.INFO
        _log.log(level, "%s: %s (%s).", name, role, decoder.kind)


def choose_labels(
    decoder: Decoder, manifest: Manifest | None, given: Sequence[str] | None, name: str
) -> tuple[str, ...]:
    """Choose the names of the classes: those given, else the file's.

    Args:
        decoder: Says how many classes there are, where the outputs tell it.
        manifest: What the file carries.
        given: Names that somebody gave.
        name: Of the file, for messages.

    Returns:
        One name for each class; empty where there are none that fit.

    Raises:
        UsageError: Other than the model's number of names was given.
    """
    count = decoder.classes
    if given:
        if count is not None and len(given) != count:
            fitted = _without_background(given, count)
            if fitted is None:
                msg = (
                    f"{len(given)} labels were given, and {name} finds {count} classes.\n"
                    "Give one name a line, in the order of the outputs."
                )
                raise UsageError(msg)
            return fitted
        return tuple(given)
    said = manifest.labels if manifest else ()
    carried = decoder.labels if len(decoder.labels) == count else said or decoder.labels
    if not carried or count is None or len(carried) == count:
        return carried
    fitted = _without_background(carried, count)
    if fitted is None:
        _log.warning(
            "%s carries %d labels and finds %d classes; they are called class 0 to %d. "
            "Give the right names with --labels FILE.",
            name,
            len(carried),
            count,
            count - 1,
        )
    return fitted or ()


def _without_background(labels: Sequence[str], count: int) -> tuple[str, ...] | None:
    """Drop a first label that stands for no object; None if that does not fit either."""
    first = labels[0].strip("?_ ").lower()
    if len(labels) == count + 1 and first in {"", "background", "bg", "none"}:
        return tuple(labels[1:])
    return None

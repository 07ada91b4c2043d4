"""Make the model of one scheme: convert, improve, diagnose, keep layers in float."""

import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data import Sample
from edgekit.errors import UsageError
from edgekit.evaluation.verify import verify
from edgekit.files import atomic_write
from edgekit.flatbuffer.graph import Graph
from edgekit_converters.data import Data
from edgekit_converters.quantize.attention import with_bounded_masks
from edgekit_converters.quantize.calibration import Feed
from edgekit_converters.quantize.chain.diagnosis import LayerDiagnosis, diagnose
from edgekit_converters.quantize.chain.improve import Step, Wishes, improve
from edgekit_converters.quantize.chain.keep_float import between, fewest, readers
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.quantize.integer_only import with_integer_ops
from edgekit_converters.quantize.recurrent import without_loops
from edgekit_converters.quantize.scheme import scheme_facts
from edgekit_converters.recipe import Recipe
from edgekit_converters.sources import Source, write_float
from edgekit_converters.stopwatch import Stopwatch

_KERAS = frozenset({"keras", "tf_keras"})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model that was trained for integers.

    Attributes:
        source: With fake quantization.
        plain: With the same weights, without it.
        untreated: Names of layers that have none inside.
        held: Samples that it has not seen.
    """

    source: Source
    plain: Source
    untreated: tuple[str, ...]
    held: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Ingredients:
    """What every scheme is made from.

    Attributes:
        wishes: What is asked.
        source: The model, with a batch of 1.
        float_file: The model as it was imported, as a float .tflite.
        altered: Whether `source` is no longer that model.
        trained: It, trained for integers, or None.
        data: Opens data.
        feed: Calibration samples, or None.
        folder: Working folder.
        watch: Times the steps.
    """

    wishes: Recipe
    source: Source
    float_file: Path
    altered: bool
    trained: Trained | None
    data: Data
    feed: Feed | None
    folder: Path
    watch: Stopwatch


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Made:
    """The model of one scheme.

    Attributes:
        model: The file, float32 in and out.
        float_model: The float model that it stands for, layer by layer.
        steps: What the chain after the converter did.
        left_alone: Layers that the chain did not treat, or not in every step, with the reason.
        layers: How each layer fares in integers; empty without `--diagnose`.
        kept_float: Layers that stayed in float, as asked or as found.
    """

    model: bytes
    float_model: bytes
    steps: tuple[Step, ...] = ()
    left_alone: dict[str, str] = dataclasses.field(default_factory=dict)
    layers: tuple[LayerDiagnosis, ...] = ()
    kept_float: tuple[str, ...] = ()


class Maker:
    """Makes the model of one scheme.

    Args:
        given: What it is made from.
        scheme: Name of the scheme.

    Attributes:
        notes: What to know, one sentence or two each.
    """

    def __init__(self, given: Ingredients, scheme: str) -> None:
        self.notes: list[str] = []
        self._given = given
        self._wishes = given.wishes
        self._scheme = scheme
        self._feed = given.feed if scheme_facts(scheme).calibrated else None
        self._path = given.folder / f"{scheme}.tflite"
        self._source = self._suited()
        self._rewritten = self._source is not given.source

    def make(self) -> tuple[Path, Made]:
        """Convert; diagnose, and look for layers to keep in float, where that is asked.

        Returns:
            The file, and what is known about it.
        """
        wishes = self._wishes
        made = self._made(wishes.keep_float)
        layers: tuple[LayerDiagnosis, ...] = ()
        if self._feed and (wishes.diagnose or wishes.auto_keep_float):
            layers = self._diagnosed(made, self._feed)
            if wishes.auto_keep_float and not self._good_enough(made):
                made = self._with_float_layers(made, layers)
        atomic_write(self._path, made.model)
        shown = layers if wishes.diagnose else ()
        return self._path, dataclasses.replace(made, layers=shown)

    def _suited(self) -> Source:
        """Rewrite layers that integers cannot do as they are."""
        source, feed = self._given.source, self._feed

        def samples() -> Iterator[dict[str, Any]]:
            for inputs in feed.held() if feed else ():
                yield {name: values[np.newaxis] for name, values in inputs.items()}

        if not scheme_facts(self._scheme).calibrated or self._given.trained:
            return source
        suited = with_bounded_masks(without_loops(source, self._scheme), samples())
        if self._wishes.integer_only:
            suited = with_integer_ops(suited)
        self.notes.extend(suited.notes[len(source.notes) :])
        return suited

    def _made(self, keep_float: tuple[str, ...]) -> Made:
        """Make the model; one that was trained for integers only if that was worth it."""
        made, trained = self._alone(keep_float), self._given.trained
        if trained is None or not trained.held or self._feed is None:
            return made
        from edgekit_converters.quantize.qat import choose

        default = Maker(dataclasses.replace(self._given, trained=None), self._scheme)
        other, original = default._alone(keep_float), default._float_of().read_bytes()
        folder = self._given.folder
        verdict = choose(original, made.model, other.model, trained.held, folder)
        self.notes.append(verdict.text)
        if verdict.trained:
            return made
        self.notes.extend(default.notes)
        return other

    def _alone(self, keep_float: tuple[str, ...]) -> Made:
        """Convert with the engine that can, and improve what it made."""
        with self._given.watch.step(f"convert {self._scheme}", f"Converting to {self._scheme}"):
            model = self._converted(keep_float)
        untrained = not self._given.trained  # training has found the biases
        if self._scheme == "int8" and self._feed and untrained and self._chain(keep_float).any:
            return self._improved(model, self._feed, keep_float)
        original = self._float_of().read_bytes() if self._feed else b""
        return Made(model=model, float_model=original, kept_float=keep_float)

    def _converted(self, keep_float: tuple[str, ...]) -> bytes:
        if self._given.trained:
            return self._from_training(self._given.trained)
        if self._source.kind in _KERAS and self._scheme != "weight-only" and not keep_float:
            batches = self._feed.batches if self._feed else None
            per_tensor = self._wishes.per_tensor
            return convert_keras(
                self._source.model, self._scheme, batches, per_tensor=per_tensor
            )
        return self._by_second_engine(keep_float)

    def _by_second_engine(self, keep_float: tuple[str, ...]) -> bytes:
        """Quantize the float .tflite."""
        from edgekit_converters.quantize.second_engine import quantize_tflite

        samples = (each.inputs for each in self._feed.samples()) if self._feed else None
        made = quantize_tflite(
            self._float_of(),
            self._path,
            scheme=self._scheme,
            samples=samples,
            keep_float=keep_float,
            per_tensor=self._wishes.per_tensor,
        )
        self.notes.extend(each for each in made.notes if each not in self.notes)
        return self._path.read_bytes()

    def _from_training(self, trained: Trained) -> bytes:
        """Convert what was trained for integers, or calibrate it where that does not do."""
        from edgekit_converters.quantize.qat.export import convert_trained

        per_tensor = self._wishes.per_tensor
        content, problem = convert_trained(trained.source.model, per_tensor=per_tensor)
        if not problem or self._feed is None:
            return content
        names = ", ".join(trained.untreated) or "none that is known to be the cause"
        self.notes.append(
            f"With the ranges of --qat {problem} (layers without fake quantization inside: "
            f"{names}). The trained weights were kept and all ranges calibrated instead."
        )
        batches = self._feed.batches
        return convert_keras(trained.plain.model, "int8", batches, per_tensor=per_tensor)

    def _chain(self, keep_float: tuple[str, ...]) -> Wishes:
        wishes = self._wishes
        return Wishes(
            equalize=wishes.equalize,
            bias_correction=wishes.bias_correction,
            rounding=wishes.round,
            estimator=wishes.estimator,
            per_tensor=wishes.per_tensor,
            keep_float=keep_float,
        )

    def _improved(self, model: bytes, feed: Feed, keep_float: tuple[str, ...]) -> Made:
        """Bring the integer model nearer to the float one."""
        given = self._given
        with given.watch.step("improve", "Improving the integer model"):
            made = improve(
                self._float_of().read_bytes(),
                model,
                feed.held(),
                given.folder,
                self._chain(keep_float),
            )
        return Made(
            model=made.model,
            float_model=made.float_model,
            steps=made.steps,
            left_alone=made.left_alone,
            kept_float=keep_float,
        )

    def _diagnosed(self, made: Made, feed: Feed) -> tuple[LayerDiagnosis, ...]:
        given = self._given
        with given.watch.step("diagnose", "Diagnosing"):
            unseen = given.data.unseen()
            layers = diagnose(
                made.float_model, made.model, feed.held(), given.folder, unseen=unseen
            )
        if not layers:
            self.notes.append(
                "Nothing to diagnose: the float and the integer model have no layer with "
                "weights in common."
            )
        return layers

    def _with_float_layers(self, known: Made, layers: tuple[LayerDiagnosis, ...]) -> Made:
        """Keep the fewest layers in float that meet the limit; none if nothing meets it."""
        made: dict[tuple[str, ...], Made] = {}

        def good_enough(names: tuple[str, ...]) -> bool:
            kept = (*self._wishes.keep_float, *names, *between(graph, names))
            made[names] = self._made(kept)
            return self._good_enough(made[names])

        graph, notes = Graph(self._float_of()), tuple(self.notes)
        choice = fewest(layers, good_enough, readers=readers(graph))
        self.notes = list(notes)
        limit = f"--max-drop {self._wishes.max_drop:g}"
        if choice is None:
            self.notes.append(f"No choice of float layers that was tried meets {limit}.")
            return known
        total = max(sum(each.macs for each in layers), 1)
        self.notes.append(
            f"To meet {limit}, {len(choice.names)} of {len(layers)} layers stay in float "
            f"({choice.macs / total:.1%} of the multiply-accumulates): "
            f"{', '.join(choice.names)}."
        )
        return made[choice.names]

    def _good_enough(self, made: Made) -> bool:
        """Whether a model loses no more than the limit on the evaluation data.

        Raises:
            UsageError: The metric is no fraction, so that it cannot drop.
        """
        wishes, given = self._wishes, self._given
        atomic_write(self._path, made.model)
        (found,) = verify(
            given.float_file,
            [self._path],
            evaluation=given.data.evaluation(),
            metric=wishes.metric,
        )
        if found.drop is None or wishes.max_drop is None:
            msg = "--auto-keep-float needs a metric that is a share, such as accuracy."
            raise UsageError(msg)
        return found.drop * 100 <= wishes.max_drop

    def _float_of(self) -> Path:
        """The float .tflite of what is quantized: of the import, or of what it became."""
        given = self._given
        if not (given.altered or given.trained or self._rewritten):
            return given.float_file
        path = given.folder / "treated.tflite"
        write_float(given.trained.plain if given.trained else self._source, path)
        return path

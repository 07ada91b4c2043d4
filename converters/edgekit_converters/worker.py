"""The guarded child of a conversion: import, check, prune, quantize.

It alone imports TensorFlow. It writes float32-in, float32-out .tflite files into a working
folder; what targets make of them is the parent's business.
"""

import dataclasses
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import measure
from edgekit.data import Dataset, open_dataset, read_labels
from edgekit.errors import DataError, SourceError, UsageError
from edgekit.evaluation.preprocessing import resolve
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.verify import verify
from edgekit.files import atomic_write, told
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Calibration, Manifest, Preprocessing
from edgekit.manifest import Source as SourceRecord
from edgekit.progress import task
from edgekit.records import from_json, to_json
from edgekit_converters.quantize.attention import with_bounded_masks
from edgekit_converters.quantize.calibration import Feed
from edgekit_converters.quantize.chain.diagnosis import (
    MOST_SAMPLES,
    LayerDiagnosis,
    diagnose,
)
from edgekit_converters.quantize.chain.improve import Step, Wishes, improve
from edgekit_converters.quantize.chain.keep_float import between, fewest, readers
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.quantize.integer_only import with_integer_ops
from edgekit_converters.quantize.recurrent import without_loops
from edgekit_converters.quantize.scheme import scheme_facts
from edgekit_converters.quantize.synthetic import (
    SYNTHETIC,
    WARNING,
    synthetic_file,
    write_synthetic,
)
from edgekit_converters.recipe import Recipe
from edgekit_converters.sources import Source, check_import, fix_batch, load_source, write_float
from edgekit_converters.sources.checking import random_feeds
from edgekit_converters.sources.libraries import tensorflow

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What the child hands back.

    Attributes:
        source: Where the model came from.
        manifest: What the source carries about itself, or None.
        preprocessing: How pictures are prepared; None for models that take none.
        labels: Names of the classes, as far as the model or `--labels` gives them.
        calibration: The data the ranges come from, or None.
        files: The converted model of each scheme, float32 in and out.
        float_file: The model as it was imported, as a float .tflite.
        probe_file: Random inputs that suit the model, as .npz.
        import_difference: Largest relative difference between the model and `float_file`.
        steps: What the chain after the converter did, by scheme.
        layers: How each layer fares in integers, by scheme.
        kept_float: Layers that stayed in float, as asked or as found, by scheme.
        pruning: Before and after, or None.
        warnings: What to know, one sentence or two each.
        versions: Versions of the libraries, by package.
        seconds: Wall time of each step.
        peak_memory_mb: Highest memory of the process.
    """

    source: SourceRecord
    manifest: Manifest | None
    preprocessing: Preprocessing | None
    labels: tuple[str, ...]
    calibration: Calibration | None
    files: dict[str, str]
    float_file: str
    probe_file: str
    import_difference: float
    steps: dict[str, tuple[Step, ...]]
    layers: dict[str, tuple[LayerDiagnosis, ...]]
    kept_float: dict[str, tuple[str, ...]]
    pruning: dict[str, Any] | None
    warnings: tuple[str, ...]
    versions: dict[str, str]
    seconds: dict[str, float]
    peak_memory_mb: float


class Stopwatch:
    """Wall time of named steps, each shown while it runs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, label: str) -> Iterator[None]:
        """Time one step.

        Args:
            name: Under which it is recorded.
            label: What the person sees meanwhile.
        """
        start = time.perf_counter()
        with task(label):
            yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def work(recipe: dict[str, Any], schemes: Sequence[str], folder: str) -> Converted:
    """Import a model and convert it to each scheme.

    Args:
        recipe: What is asked, as plain JSON, with absolute paths.
        schemes: The schemes that the targets need.
        folder: Working folder to write into.

    Raises:
        InputError: The model or the data cannot be used.
        EdgekitError: A pruned model is not equal to its masked original.
    """
    return _Work(from_json(Recipe, recipe, "the recipe"), Path(folder)).all(schemes)


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A converted model.

    Attributes:
        model: The file.
        float_model: The float model that it stands for, layer by layer.
        steps: What the chain did.
        kept_float: Layers that stayed in float.
    """

    model: bytes
    float_model: bytes
    steps: tuple[Step, ...]
    kept_float: tuple[str, ...]


class _Work:
    """One conversion, step by step.

    Args:
        wishes: What is asked.
        folder: Working folder to write into.
    """

    def __init__(self, wishes: Recipe, folder: Path) -> None:
        self._wishes = wishes
        self._watch = Stopwatch()
        self._float_file = folder / "float.tflite"
        self._probe_file = folder / "probe.npz"
        self._folder = folder
        self._chain = Wishes(
            equalize=wishes.equalize,
            bias_correction=wishes.bias_correction,
            rounding=wishes.round,
            per_tensor=wishes.per_tensor,
            keep_float=wishes.keep_float,
        )
        self._unseen: list[dict[str, Any]] = []
        self._preprocessing: Preprocessing | None = None
        self._labels_given: tuple[str, ...] = ()
        self._layers: dict[str, tuple[LayerDiagnosis, ...]] = {}
        self._kept_float: dict[str, tuple[str, ...]] = {}
        self._notes: list[str] = []
        self._untreated: tuple[str, ...] = ()
        self._rewritten = False  # for the scheme that is being converted to
        self._plain: Source | None = None  # trained for integers, without fake quantization
        self._steps: dict[str, tuple[Step, ...]] = {}

    def all(self, schemes: Sequence[str]) -> Converted:
        """Do every step."""
        loaded = self._import()
        source = fix_batch(loaded)
        difference = self._check(source)
        preprocessing = resolve(
            self._wishes.preprocessing,
            manifest=source.manifest,
            normalizes_itself=source.normalizes_itself,
            shapes=_shapes(source),
        )
        pruning = None
        if self._wishes.prune is not None:
            smaller, pruning = self._pruned(loaded, preprocessing)
            loaded, source = smaller, fix_batch(smaller)
        if self._wishes.qat:
            source = fix_batch(self._trained(loaded, preprocessing))
        feed = self._feed(source, preprocessing)
        self._preprocessing, self._labels_given = preprocessing, self._labels(source)
        self._unseen = self._held_out(source, preprocessing)
        files = {
            scheme: str(self._convert(scheme, self._suited(scheme, source, feed), feed))
            for scheme in schemes
        }
        return Converted(
            source=_record(source),
            manifest=source.manifest,
            preprocessing=preprocessing,
            labels=self._labels(source),
            calibration=self._calibration(feed),
            files=files,
            float_file=str(self._float_file),
            probe_file=str(self._probe_file),
            import_difference=difference,
            steps=self._steps,
            layers=self._layers,
            kept_float=self._kept_float,
            pruning=pruning,
            warnings=(
                *source.notes,
                *self._notes,
                *_suspicions(feed, source, preprocessing),
            ),
            versions=measure.library_versions(_LIBRARIES),
            seconds=self._watch.seconds,
            peak_memory_mb=measure.peak_rss_mb(),
        )

    def _import(self) -> Source:
        with self._watch.step("start", "Starting TensorFlow"):
            tensorflow()
        with self._watch.step("load", f"Loading {Path(self._wishes.model).name}"):
            return load_source(
                Path(self._wishes.model),
                import_modules=[Path(each) for each in self._wishes.import_modules],
                trust=self._wishes.trust,
                input_shape=self._wishes.input_shape,
            )

    def _check(self, source: Source) -> float:
        """Compare the source with its float .tflite; leave that, and random inputs, behind."""
        with self._watch.step("check", "Checking the import"):
            write_float(source, self._float_file)
            check = check_import(source, self._float_file)
            _write_probe(source, self._probe_file)
        return check.max_relative_difference

    def _pruned(
        self, source: Source, preprocessing: Preprocessing | None
    ) -> tuple[Source, dict[str, Any]]:
        """Prune a Keras 3 model and say what it bought.

        Raises:
            SourceError: The source is no Keras 3 model, or nothing in it can be pruned.
        """
        if source.kind != "keras":
            msg = (
                f"{source.path.name} cannot be pruned: it was loaded by {source.loaded_by}, "
                "and pruning rebuilds Keras 3 models.\nLeave --prune out."
            )
            raise SourceError(msg)
        from edgekit_converters.prune import prune

        wishes = self._wishes
        data = None
        if wishes.data is not None:
            labelled = not wishes.distill
            data = self._open(wishes.data, source, preprocessing, labelled=labelled)
        with self._watch.step("prune", f"Pruning {wishes.prune}"):
            pruned = prune(
                source.model,
                str(wishes.prune),
                importance=wishes.importance,
                data=data,
                epochs=wishes.epochs,
                distill=wishes.distill,
                steps=wishes.prune_steps,
                seed=wishes.seed,
            )
        bought = {
            name: to_json(getattr(pruned, name))
            for name in ("before", "after", "kernels", "frozen", "proof_difference")
        }
        bought["amount"] = wishes.prune
        return dataclasses.replace(source, model=pruned.model), bought

    def _trained(self, source: Source, preprocessing: Preprocessing | None) -> Source:
        """Train a Keras 3 model with fake quantization.

        Raises:
            SourceError: The source is no Keras 3 model, or has layers that cannot be treated.
        """
        if source.kind != "keras":
            msg = (
                f"{source.path.name} cannot be trained for integers: it was loaded by "
                f"{source.loaded_by}, and that needs a Keras 3 model.\nLeave --qat out."
            )
            raise SourceError(msg)
        from edgekit_converters.quantize.qat import train

        wishes = self._wishes
        data = self._training_data(str(wishes.data), source, preprocessing)
        with self._watch.step("qat", "Quantization-aware training"):
            trained = train(
                source.model,
                data,
                wishes.qat,
                per_tensor=wishes.per_tensor,
                seed=wishes.seed,
            )
        self._plain = fix_batch(dataclasses.replace(source, model=trained.plain))
        self._untreated = trained.untreated
        return dataclasses.replace(source, model=trained.model)

    def _training_data(
        self, path: str, source: Source, preprocessing: Preprocessing | None
    ) -> Dataset:
        """Open data with their labels, or without where there are none to use."""
        try:
            return self._open(path, source, preprocessing, labelled=True)
        except DataError as error:
            data = self._open(path, source, preprocessing, labelled=False)
            self._notes.append(
                "Without labels to use, the model learned from its own float outputs: "
                f"{str(error).splitlines()[0]}"
            )
            return data

    def _open(
        self, path: str, source: Source, preprocessing: Preprocessing | None, *, labelled: bool
    ) -> Dataset:
        return open_dataset(
            Path(path),
            shapes=_shapes(source),
            dtypes={spec.name: spec.dtype for spec in source.inputs},
            preprocessing=preprocessing,
            labels=self._labels(source) if labelled else (),
            labelled=labelled,
            sample_rate_hz=self._wishes.sample_rate_hz,
        )

    def _labels(self, source: Source) -> tuple[str, ...]:
        if self._wishes.labels is not None:
            return read_labels(Path(self._wishes.labels))
        return source.manifest.labels if source.manifest else ()

    def _feed(self, source: Source, preprocessing: Preprocessing | None) -> Feed | None:
        """Open the calibration data, if there are any."""
        wishes = self._wishes
        if wishes.ranges_from is None:
            return None
        synthetic = wishes.ranges_from == SYNTHETIC
        path = str(self._synthetic(source)) if synthetic else wishes.ranges_from
        dataset = self._open(path, source, preprocessing, labelled=False)
        return Feed(dataset.subset(wishes.samples, wishes.seed), synthetic=synthetic)

    def _synthetic(self, source: Source) -> Path:
        """Write random inputs to calibrate with, and say what they are worth."""
        path = synthetic_file(self._folder)
        write_synthetic(
            source.inputs,
            path,
            count=self._wishes.samples,
            seed=self._wishes.seed,
            normalizes_itself=source.normalizes_itself,
        )
        self._notes.append(WARNING.format(count=self._wishes.samples))
        return path

    def _calibration(self, feed: Feed | None) -> Calibration | None:
        wishes = self._wishes
        return feed.record(str(wishes.ranges_from), wishes.seed) if feed and feed.used else None

    def _held_out(
        self, source: Source, preprocessing: Preprocessing | None
    ) -> list[dict[str, Any]]:
        """Read a few evaluation samples, which no range is taken from, to diagnose with."""
        wishes = self._wishes
        if wishes.evaluate is None or not wishes.diagnose:
            return []
        dataset = self._open(wishes.evaluate, source, preprocessing, labelled=False)
        return Feed(dataset.subset(MOST_SAMPLES, wishes.seed)).held()

    def _convert(self, scheme: str, source: Source, feed: Feed | None) -> Path:
        """Convert to one scheme; diagnose, and look for layers to keep in float."""
        path = self._folder / f"{scheme}.tflite"
        feed = feed if scheme_facts(scheme).calibrated else None
        wishes = self._wishes
        made = self._made(scheme, path, source, feed, wishes.keep_float)
        if feed and (wishes.diagnose or wishes.auto_keep_float):
            layers = self._diagnosed(made, feed)
            if wishes.auto_keep_float and not self._good_enough(path):
                made = self._with_float_layers(scheme, path, source, feed, layers) or made
            if wishes.diagnose:
                self._layers[scheme] = layers
        self._steps[scheme], self._kept_float[scheme] = made.steps, made.kept_float
        return path

    def _made(
        self,
        scheme: str,
        path: Path,
        source: Source,
        feed: Feed | None,
        keep_float: tuple[str, ...],
    ) -> "_Made":
        """Convert to one scheme, with the engine that can, and improve what it made."""
        with self._watch.step(f"convert {scheme}", f"Converting to {scheme}"):
            if self._plain is not None:
                atomic_write(path, self._convert_trained(source, self._plain, feed))
            elif source.kind in _KERAS and scheme != "weight-only" and not keep_float:
                batches = feed.batches if feed else None
                per_tensor = self._wishes.per_tensor
                content = convert_keras(source.model, scheme, batches, per_tensor=per_tensor)
                atomic_write(path, content)
            else:
                self._second_engine(scheme, path, source, feed, keep_float)
        usual = self._plain is None and not self._rewritten  # the chain knows usual layers
        if scheme == "int8" and feed and usual and self._chain.any:
            return self._improve(path, source, feed, keep_float)
        original = self._float_of(source).read_bytes() if feed else b""
        return _Made(path.read_bytes(), original, (), keep_float)

    def _second_engine(
        self,
        scheme: str,
        path: Path,
        source: Source,
        feed: Feed | None,
        keep_float: tuple[str, ...],
    ) -> None:
        """Quantize the float .tflite."""
        from edgekit_converters.quantize.second_engine import quantize_tflite

        made = quantize_tflite(
            self._float_of(source),
            path,
            scheme=scheme,
            samples=(each.inputs for each in feed.samples()) if feed else None,
            keep_float=keep_float,
            per_tensor=self._wishes.per_tensor,
        )
        self._notes.extend(each for each in made.notes if each not in self._notes)

    def _improve(
        self, path: Path, source: Source, feed: Feed, keep_float: tuple[str, ...]
    ) -> "_Made":
        """Bring the integer model nearer to the float one, in place."""
        with self._watch.step("improve", "Improving the integer model"):
            made = improve(
                self._float_of(source).read_bytes(),
                path.read_bytes(),
                feed.held(),
                self._folder,
                dataclasses.replace(self._chain, keep_float=keep_float),
            )
        atomic_write(path, made.model)
        for name, reason in made.left_alone.items():
            _log.info("Layer %s is left alone: %s.", name, reason)
        return _Made(made.model, made.float_model, made.steps, keep_float)

    def _diagnosed(self, made: "_Made", feed: Feed) -> tuple[LayerDiagnosis, ...]:
        with self._watch.step("diagnose", "Diagnosing"):
            layers = diagnose(
                made.float_model, made.model, feed.held(), self._folder, unseen=self._unseen
            )
        if not layers:
            self._notes.append(
                "Nothing to diagnose: the float and the integer model have no layer with "
                "weights in common."
            )
        return layers

    def _with_float_layers(
        self,
        scheme: str,
        path: Path,
        source: Source,
        feed: Feed,
        layers: tuple[LayerDiagnosis, ...],
    ) -> "_Made | None":
        """Keep the fewest layers in float that meet the limit, in place."""
        known = path.read_bytes()
        made: dict[tuple[str, ...], _Made] = {}

        def good_enough(names: tuple[str, ...]) -> bool:
            kept = (*self._wishes.keep_float, *names, *between(graph, names))
            made[names] = self._made(scheme, path, source, feed, kept)
            return self._good_enough(path)

        graph, notes = Graph(self._float_of(source)), tuple(self._notes)
        choice = fewest(layers, good_enough, readers=readers(graph))
        self._notes = list(notes)
        limit = f"--max-drop {self._wishes.max_drop:g}"
        if choice is None:
            atomic_write(path, known)
            self._notes.append(f"No choice of float layers that was tried meets {limit}.")
            return None
        total = max(sum(each.macs for each in layers), 1)
        self._notes.append(
            f"To meet {limit}, {len(choice.names)} of {len(layers)} layers stay in float "
            f"({choice.macs / total:.1%} of the multiply-accumulates): "
            f"{', '.join(choice.names)}."
        )
        atomic_write(path, made[choice.names].model)
        return made[choice.names]

    def _good_enough(self, path: Path) -> bool:
        """Whether a model loses no more than the limit on the evaluation data.

        Raises:
            UsageError: The metric is no fraction, so that it cannot drop.
        """
        wishes = self._wishes
        request = DataRequest(
            path=str(wishes.evaluate),
            preprocessing=self._preprocessing,
            labels=self._labels_given,
            seed=wishes.seed,
            sample_rate_hz=wishes.sample_rate_hz,
        )
        (found,) = verify(self._float_file, [path], evaluation=request, metric=wishes.metric)
        if found.drop is None or wishes.max_drop is None:
            msg = "--auto-keep-float needs a metric that is a share, such as accuracy."
            raise UsageError(msg)
        return found.drop * 100 <= wishes.max_drop

    def _suited(self, scheme: str, source: Source, feed: Feed | None) -> Source:
        """Rewrite layers that integers cannot do as they are."""

        def samples() -> Iterator[dict[str, Any]]:
            for inputs in feed.held() if feed else ():
                yield {name: values[np.newaxis] for name, values in inputs.items()}

        self._rewritten = False
        if not scheme_facts(scheme).calibrated or self._plain is not None:
            return source
        suited = with_bounded_masks(without_loops(source, scheme), samples())
        if self._wishes.integer_only:
            suited = with_integer_ops(suited)
        self._notes.extend(suited.notes[len(source.notes) :])
        self._rewritten = suited is not source
        return suited

    def _float_of(self, source: Source) -> Path:
        """The float .tflite of what is quantized: of the import, or of what it became."""
        if self._wishes.prune is None and self._plain is None and not self._rewritten:
            return self._float_file
        path = self._folder / "treated.tflite"
        write_float(self._plain or source, path)
        return path

    def _convert_trained(self, source: Source, plain: Source, feed: Feed | None) -> bytes:
        """Convert what was trained for integers, or calibrate it where that does not do."""
        from edgekit_converters.quantize.qat.export import convert_trained

        per_tensor = self._wishes.per_tensor
        content, problem = convert_trained(source.model, per_tensor=per_tensor)
        if not problem or feed is None:
            return content
        names = ", ".join(self._untreated) or "none that is known to be the cause"
        self._notes.append(
            f"With the ranges of --qat {problem} (layers without fake quantization inside: "
            f"{names}). The trained weights were kept and all ranges calibrated instead."
        )
        return convert_keras(plain.model, "int8", feed.batches, per_tensor=per_tensor)


_KERAS = frozenset({"keras", "tf_keras"})
_LIBRARIES = ("edgekit", "tensorflow", "keras", "tf-keras", "ai-edge-quantizer")


def _record(source: Source) -> SourceRecord:
    return SourceRecord(
        file=source.path.name,
        sha256=measure.sha256(source.path),
        loaded_by=source.loaded_by,
    )


def _shapes(source: Source) -> dict[str, tuple[int, ...]]:
    """Shape of one sample of each input; open sizes were refused or fixed by the import."""
    return {spec.name: tuple(size or 1 for size in spec.shape) for spec in source.inputs}


def _suspicions(
    feed: Feed | None, source: Source, preprocessing: Preprocessing | None
) -> Iterator[str]:
    """Say what is suspicious about the calibration data, if they were used."""
    if feed is not None and feed.used and not feed.synthetic:
        found = feed.findings(preprocessing, normalizes_itself=source.normalizes_itself)
        yield from (f"{each.text} {each.remedy}" for each in found)


def _write_probe(source: Source, path: Path) -> None:
    """Write random inputs that suit the model: one array an input, samples in front."""
    feeds = random_feeds(source.inputs, normalizes_itself=source.normalizes_itself)
    names = [spec.name for spec in source.inputs] if len(source.inputs) > 1 else ["x"]
    columns = zip(*feeds, strict=True)
    arrays: dict[str, Any] = {
        name: np.concatenate(each) for name, each in zip(names, columns, strict=True)
    }
    with told(f"write {path}"):
        np.savez(path, **arrays)

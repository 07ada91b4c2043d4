"""The guarded child of a conversion: import, check, prune, train, quantize.

It alone imports TensorFlow. It writes float32-in, float32-out .tflite files into a working
folder; what targets make of them is the parent's business.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit import measure
from edgekit.audio.spotter import front_end_of
from edgekit.data.assumed import resolve
from edgekit.data.frontend import FrontEnd, preset
from edgekit.errors import SourceError
from edgekit.files import told
from edgekit.manifest import Calibration, Manifest, Preprocessing
from edgekit.manifest import Source as SourceRecord
from edgekit.records import from_json, to_json
from edgekit_converters.data import Data, shapes
from edgekit_converters.quantize.chain.diagnosis import LayerDiagnosis
from edgekit_converters.quantize.chain.improve import Step
from edgekit_converters.quantize.make import Ingredients, Made, Maker, Trained
from edgekit_converters.recipe import Recipe
from edgekit_converters.sources import Source, check_import, fix_batch, load_source, write_float
from edgekit_converters.sources.checking import random_feeds
from edgekit_converters.sources.ending import ending_at
from edgekit_converters.sources.libraries import tensorflow
from edgekit_converters.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What the child hands back.

    Attributes:
        source: Where the model came from.
        manifest: What the source carries about itself, or None.
        preprocessing: How pictures are prepared; None for models that take none.
        front_end: How sounds become features; None for models that take none.
        labels: Names of the classes, as far as the model or `--labels` gives them.
        calibration: The data the ranges come from, or None.
        files: The converted model of each scheme, float32 in and out.
        float_file: The model as it was imported, as a float .tflite.
        probe_file: Random inputs that suit the model, as .npz.
        import_difference: Largest relative difference between the model and `float_file`.
        steps: What the chain after the converter did, by scheme.
        left_alone: Layers that the chain did not treat, with the reason, by scheme.
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
    front_end: FrontEnd | None
    labels: tuple[str, ...]
    calibration: Calibration | None
    files: dict[str, str]
    float_file: str
    probe_file: str
    import_difference: float
    steps: dict[str, tuple[Step, ...]]
    left_alone: dict[str, dict[str, str]]
    layers: dict[str, tuple[LayerDiagnosis, ...]]
    kept_float: dict[str, tuple[str, ...]]
    pruning: dict[str, Any] | None
    warnings: tuple[str, ...]
    versions: dict[str, str]
    seconds: dict[str, float]
    peak_memory_mb: float


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

    def all(self, schemes: Sequence[str]) -> Converted:
        """Do every step."""
        loaded = self._import()
        imported = fix_batch(loaded)
        difference = self._check(imported)
        front_end = self._front_end(imported)
        preprocessing = None if front_end else self._preprocessing(imported)
        data = Data(self._wishes, imported, preprocessing, front_end)
        pruning = None
        if self._wishes.prune is not None:
            loaded, pruning = self._pruned(loaded, data)
        source = fix_batch(loaded)
        trained = self._trained(loaded, data) if self._wishes.qat else None
        feed = data.feed(self._folder)
        given = Ingredients(
            wishes=self._wishes,
            source=source,
            float_file=self._float_file,
            altered=pruning is not None,
            trained=trained,
            data=data,
            feed=feed,
            folder=self._folder,
            watch=self._watch,
        )
        files, made, notes = _make_each(given, schemes)
        return Converted(
            source=_record(imported),
            manifest=imported.manifest,
            preprocessing=data.preprocessing,
            front_end=data.front_end,
            labels=data.labels,
            calibration=data.record(feed),
            files=files,
            float_file=str(self._float_file),
            probe_file=str(self._probe_file),
            import_difference=difference,
            steps={scheme: each.steps for scheme, each in made.items()},
            left_alone={scheme: each.left_alone for scheme, each in made.items()},
            layers={scheme: each.layers for scheme, each in made.items() if each.layers},
            kept_float={scheme: each.kept_float for scheme, each in made.items()},
            pruning=pruning,
            warnings=(*imported.notes, *data.notes, *notes, *data.suspicions(feed)),
            versions=measure.library_versions(_LIBRARIES),
            seconds=self._watch.seconds,
            peak_memory_mb=measure.peak_rss_mb(),
        )

    def _import(self) -> Source:
        with self._watch.step("start", "Starting TensorFlow"):
            tensorflow()
        with self._watch.step("load", f"Loading {Path(self._wishes.model).name}"):
            source = load_source(
                Path(self._wishes.model),
                import_modules=[Path(each) for each in self._wishes.import_modules],
                trust=self._wishes.trust,
                input_shape=self._wishes.input_shape,
            )
            ends = self._wishes.end_at
            return ending_at(source, ends, self._folder) if ends else source

    def _check(self, source: Source) -> float:
        """Compare the source with its float .tflite; leave that, and random inputs, behind."""
        with self._watch.step("check", "Checking the import"):
            write_float(source, self._float_file)
            check = check_import(source, self._float_file)
            _write_probe(source, self._probe_file)
        return check.max_relative_difference

    def _front_end(self, source: Source) -> FrontEnd | None:
        if self._wishes.front_end is not None:
            return preset(self._wishes.front_end)
        return front_end_of(source.manifest, source.path.name)

    def _preprocessing(self, source: Source) -> Preprocessing | None:
        return resolve(
            self._wishes.preprocessing,
            manifest=source.manifest,
            normalizes_itself=source.normalizes_itself,
            shapes=shapes(source),
        )

    def _pruned(self, source: Source, data: Data) -> tuple[Source, dict[str, Any]]:
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
        samples = None
        if wishes.data is not None:
            samples = data.open(wishes.data, labelled=not wishes.distill)
        with self._watch.step("prune", f"Pruning {wishes.prune}"):
            pruned = prune(
                source.model,
                str(wishes.prune),
                importance=wishes.importance,
                data=samples,
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

    def _trained(self, source: Source, data: Data) -> Trained | None:
        """Train a Keras 3 model with fake quantization; None if it learned nothing.

        Raises:
            SourceError: The source is no Keras 3 model, or has layers that cannot be treated.
        """
        if source.kind != "keras":
            msg = (
                f"{source.path.name} cannot be trained for integers: it was loaded by "
                f"{source.loaded_by}, and that needs a Keras 3 model.\nLeave --qat out."
            )
            raise SourceError(msg)
        from edgekit_converters.quantize.qat import hold_out, train

        wishes = self._wishes
        samples, held = hold_out(data.training(str(wishes.data)), wishes.seed)
        with self._watch.step("qat", "Quantization-aware training"):
            trained = train(
                source.model,
                samples,
                wishes.qat,
                per_tensor=wishes.per_tensor,
                seed=wishes.seed,
            )
        if not trained.learned:
            data.notes.append(
                "Training for integers brought nothing, so the model was quantized after "
                "training, as without --qat."
            )
            return None
        return Trained(
            source=fix_batch(dataclasses.replace(source, model=trained.model)),
            plain=fix_batch(dataclasses.replace(source, model=trained.plain)),
            untreated=trained.untreated,
            held=held,
        )


_LIBRARIES = ("edgekit", "tensorflow", "keras", "tf-keras", "ai-edge-quantizer")


def _make_each(
    given: Ingredients, schemes: Sequence[str]
) -> tuple[dict[str, str], dict[str, Made], list[str]]:
    """Make the model of each scheme.

    Returns:
        files: The file of each.
        made: What is known about each.
        notes: What to know, each sentence once.
    """
    files: dict[str, str] = {}
    made: dict[str, Made] = {}
    notes: dict[str, None] = {}
    for scheme in schemes:
        maker = Maker(given, scheme)
        path, made[scheme] = maker.make()
        files[scheme] = str(path)
        notes |= dict.fromkeys(maker.notes)
    return files, made, list(notes)


def _record(source: Source) -> SourceRecord:
    return SourceRecord(
        file=source.path.name,
        sha256=measure.sha256(source.path),
        loaded_by=source.loaded_by,
    )


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

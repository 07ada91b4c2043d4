"""The guarded child of a conversion: import, check, prune, quantize.

It alone imports TensorFlow. It writes float32-in, float32-out .tflite files into a working
folder; what targets make of them is the parent's business.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import measure
from edgekit.data import open_dataset, read_labels
from edgekit.data.lint import Lint
from edgekit.errors import SourceError
from edgekit.evaluation.preprocessing import resolve
from edgekit.manifest import Calibration, Manifest, Preprocessing
from edgekit.manifest import Source as SourceRecord
from edgekit.progress import task
from edgekit.records import from_json, to_json
from edgekit_converters.quantize.calibration import Feed
from edgekit_converters.quantize.engine import convert_keras
from edgekit_converters.quantize.scheme import scheme_facts
from edgekit_converters.recipe import Recipe
from edgekit_converters.sources import Source, check_import, fix_batch, load_source, write_float

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
    wishes = from_json(Recipe, recipe, "the recipe")
    watch, place = Stopwatch(), Path(folder)
    source = _import(wishes, watch)
    with watch.step("check", "Checking the import"):
        write_float(source, place / "float.tflite")
        check = check_import(source, place / "float.tflite", save_inputs=place / "probe.npz")
    labels = _labels(wishes, source)
    preprocessing = resolve(
        wishes.preprocessing,
        manifest=source.manifest,
        normalizes_itself=source.normalizes_itself,
        shapes=_shapes(source),
    )
    pruning = None
    if wishes.prune is not None:
        source, pruning = _prune(source, wishes, preprocessing, watch)
    feed = _feed(wishes, source, preprocessing, labels)
    files = {
        scheme: _convert(scheme, source, feed, wishes, watch, place)
        for scheme in dict.fromkeys(schemes)
    }
    return Converted(
        source=SourceRecord(
            file=source.path.name,
            sha256=measure.sha256(source.path),
            loaded_by=source.loaded_by,
        ),
        manifest=source.manifest,
        preprocessing=preprocessing,
        labels=labels,
        calibration=feed.record(str(wishes.calibrate), wishes.seed) if feed else None,
        files=files,
        float_file=str(place / "float.tflite"),
        probe_file=str(place / "probe.npz"),
        import_difference=check.max_relative_difference,
        pruning=pruning,
        warnings=(*source.notes, *(feed.findings() if feed else ())),
        versions=measure.library_versions(["edgekit", "tensorflow", "keras", "tf-keras"]),
        seconds=watch.seconds,
        peak_memory_mb=measure.peak_rss_mb(),
    )


def _import(wishes: Recipe, watch: Stopwatch) -> Source:
    with watch.step("start", "Starting TensorFlow"):
        import tensorflow  # noqa: F401 (the longest wait of all deserves its own name)
    with watch.step("load", f"Loading {Path(wishes.model).name}"):
        source = load_source(
            Path(wishes.model),
            import_modules=[Path(each) for each in wishes.import_modules],
            trust=wishes.trust,
            input_shape=wishes.input_shape,
        )
        return fix_batch(source)


def _labels(wishes: Recipe, source: Source) -> tuple[str, ...]:
    if wishes.labels is not None:
        return read_labels(Path(wishes.labels))
    return source.manifest.labels if source.manifest else ()


def _shapes(source: Source) -> dict[str, tuple[int, ...]]:
    """Shape of one sample of each input; open sizes were refused or fixed by the import."""
    return {spec.name: tuple(size or 1 for size in spec.shape) for spec in source.inputs}


def _feed(
    wishes: Recipe,
    source: Source,
    preprocessing: Preprocessing | None,
    labels: tuple[str, ...],
) -> Feed | None:
    """Open the calibration data, if there are any."""
    if wishes.calibrate is None:
        return None
    dataset = open_dataset(
        Path(wishes.calibrate),
        shapes=_shapes(source),
        dtypes={spec.name: spec.dtype for spec in source.inputs},
        preprocessing=preprocessing,
        labels=labels,
        labelled=False,
        sample_rate_hz=wishes.sample_rate_hz,
    )
    lint = Lint(preprocessing=preprocessing, normalizes_itself=source.normalizes_itself)
    order = [spec.name for spec in source.inputs]
    return Feed(dataset.subset(wishes.samples, wishes.seed), order, lint)


def _convert(
    scheme: str,
    source: Source,
    feed: Feed | None,
    wishes: Recipe,
    watch: Stopwatch,
    place: Path,
) -> str:
    """Convert to one scheme with the engine that can, and return the file."""
    path = place / f"{scheme}.tflite"
    calibrated = feed if scheme_facts(scheme).calibrated else None
    with watch.step(f"convert {scheme}", f"Converting to {scheme}"):
        if source.kind in {"keras", "tf_keras"} and scheme != "weight-only":
            samples = calibrated.batches if calibrated else None
            content = convert_keras(
                source.model, scheme, samples, per_tensor=wishes.per_tensor
            )
            path.write_bytes(content)
        else:
            from edgekit_converters.quantize.second_engine import quantize_tflite

            quantize_tflite(
                place / "float.tflite",
                path,
                scheme=scheme,
                samples=(each.inputs for each in calibrated.samples()) if calibrated else None,
            )
    return str(path)


def _prune(
    source: Source,
    wishes: Recipe,
    preprocessing: Preprocessing | None,
    watch: Stopwatch,
) -> tuple[Source, dict[str, Any]]:
    """Prune a Keras model and say what it bought.

    Raises:
        SourceError: The source is no Keras 3 model.
    """
    if source.kind != "keras":
        msg = (
            f"{source.path.name} cannot be pruned: it was loaded by {source.loaded_by}, and "
            "pruning rebuilds Keras 3 models.\nLeave --prune out."
        )
        raise SourceError(msg)
    from edgekit_converters.prune import prune

    with watch.step("prune", "Pruning"):
        pruned = prune(source.model, str(wishes.prune), epochs=wishes.epochs, seed=wishes.seed)
    return source, to_json(pruned)

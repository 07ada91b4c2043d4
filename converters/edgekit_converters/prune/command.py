"""Prune a model file into another one, and measure what it bought.

Loading, pruning and training happen in one guarded child. What it bought is measured on
the float .tflite of either model, because that is what devices run.
"""

import dataclasses
import gzip
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgekit import guard
from edgekit.artifact import write_keras_manifest, write_manifest
from edgekit.errors import SourceError, UsageError
from edgekit.evaluation.evaluate import Evaluation, evaluate
from edgekit.files import atomic_write, scratch_dir
from edgekit.manifest import Manifest, Overrides
from edgekit.measure import Summary, library_versions
from edgekit.profiling.profile import profile_many
from edgekit.records import from_json, to_json
from edgekit_converters.prune import amount as amounts

_log = logging.getLogger(__name__)

_SMALLER, _BEFORE, _AFTER = "smaller.keras", "before.tflite", "after.tflite"


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """What is asked of one pruning.

    Attributes:
        model: A Keras file.
        amount: Share that goes, see `edgekit_converters.prune.amount`.
        importance: `l1`, `l2`, `batchnorm` or `taylor`.
        ranking: `layer` or `global`; None takes what suits the amount.
        data: Data to fine-tune on, and for `taylor`.
        epochs: Times through the data.
        distill: Learn from the outputs of the original too.
        evaluate: Labelled data for the metric before and after.
        seed: Order of the samples.
        labels: File with the names of the classes.
        overrides: What is said about preprocessing.
        sample_rate_hz: For models of sounds.
        input_shape: Shape of one sample, for a model that leaves it open.
        import_modules: Python files that define custom layers.
        trust: Whether code inside the model file may run.
    """

    model: str
    amount: str
    importance: str = "l1"
    ranking: Literal["layer", "global"] | None = None
    data: str | None = None
    epochs: int = 0
    distill: bool = False
    evaluate: str | None = None
    seed: int = 0
    labels: str | None = None
    overrides: Overrides = field(default_factory=Overrides)
    sample_rate_hz: int | None = None
    input_shape: tuple[int, ...] | None = None
    import_modules: tuple[str, ...] = ()
    trust: bool = False

    def __post_init__(self) -> None:
        amounts.parse(self.amount)
        if self.data is None and (self.epochs or self.importance == "taylor"):
            msg = "Fine-tuning and importance 'taylor' need data; give them with --data DATA."
            raise UsageError(msg)
        if self.distill and not self.epochs:
            msg = "--distill is a way to fine-tune; say for how long with --epochs N."
            raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A model before or after pruning.

    Attributes:
        parameters: Values in all its weights.
        macs: Multiply-accumulates of one sample.
        bytes: Size of its float .tflite; None if it has none, as for the rest.
        gzip_bytes: The same as a download.
        latency_ms: Of that file on this machine, both sides measured in turns.
        metric: Name of the metric; None without evaluation data.
        value: Its value.
    """

    parameters: int
    macs: int
    bytes: int | None
    gzip_bytes: int | None
    latency_ms: Summary | None
    metric: str | None
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """What one pruning made.

    Attributes:
        path: The .keras file that was written.
        source: The model it was made from.
        amount: What was asked, in full.
        importance: How channels were ranked.
        epochs: Epochs of fine-tuning.
        before: The original.
        after: The pruned model.
        thinned: Groups of layers that could lose channels: before and after.
        frozen: Layers that could not, with the reason.
        proof_difference: Largest difference from the masked original before fine-tuning.
        evaluated_on: Where the metric comes from; None without evaluation data.
    """

    path: str
    source: str
    amount: str
    importance: str
    epochs: int
    before: Side
    after: Side
    thinned: tuple[dict[str, Any], ...]
    frozen: tuple[dict[str, Any], ...]
    proof_difference: float
    evaluated_on: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What the child hands back; see `channels.Pruned`."""

    before: dict[str, int]
    after: dict[str, int]
    thinned: tuple[dict[str, Any], ...]
    frozen: tuple[dict[str, Any], ...]
    proof_difference: float


def prune_file(request: PruneRequest, output: Path) -> PruneResult:
    """Prune a Keras file.

    Args:
        request: What is asked.
        output: The .keras file to write; it appears when everything has succeeded.

    Raises:
        UsageError: The request contradicts itself or asks for too much.
        InputError: The model or the data cannot be used.
        EdgekitError: The pruned model is not equal to its masked original.
    """
    if output.suffix != ".keras":
        msg = (
            f"A pruned model is written as .keras; found {output}.\nSay -o {output.stem}.keras"
        )
        raise UsageError(msg)
    with scratch_dir(output.parent) as folder:
        answer = guard.call(
            "edgekit_converters.prune.command:_worker",
            doing=f"pruning {Path(request.model).name}",
            request=request,
            folder=folder,
        )
        done = from_json(_Done, answer, "the pruned model")
        before, after = _measure(done, folder, request)
        atomic_write(output, (folder / _SMALLER).read_bytes())
    return PruneResult(
        path=str(output),
        source=request.model,
        amount=str(amounts.parse(request.amount)),
        importance=request.importance,
        epochs=request.epochs,
        before=before,
        after=after,
        thinned=done.thinned,
        frozen=done.frozen,
        proof_difference=done.proof_difference,
        evaluated_on=request.evaluate,
    )


def _measure(done: _Done, folder: Path, request: PruneRequest) -> tuple[Side, Side]:
    """Measure both float .tflite files, if they exist."""
    costs, files = (done.before, done.after), [folder / _BEFORE, folder / _AFTER]
    if not all(file.exists() for file in files):
        if request.evaluate:
            _log.warning("Without a float .tflite of both, nothing was evaluated.")
        none = dict.fromkeys(("bytes", "gzip_bytes", "latency_ms", "metric", "value"))
        sides = [Side(**cost, **none) for cost in costs]  # type: ignore[arg-type] # fields by name
        return sides[0], sides[1]
    profiles = profile_many(files)
    scores = [_evaluate(file, request) for file in files]
    sides = [
        Side(
            **cost,
            bytes=file.stat().st_size,
            gzip_bytes=len(gzip.compress(file.read_bytes(), mtime=0)),
            latency_ms=profile.latency_ms,
            metric=score.metric if score else None,
            value=score.value if score else None,
        )
        for cost, file, profile, score in zip(costs, files, profiles, scores, strict=True)
    ]
    return sides[0], sides[1]


def _evaluate(file: Path, request: PruneRequest) -> Evaluation | None:
    if request.evaluate is None:
        return None
    from edgekit.data import read_labels

    return evaluate(
        file,
        request.evaluate,
        labels=read_labels(Path(request.labels)) if request.labels else (),
        overrides=request.overrides,
        sample_rate_hz=request.sample_rate_hz,
    )


def _worker(*, request: dict[str, Any], folder: str) -> _Done:
    """Load, prune, train and write, inside the guarded child."""
    from edgekit_converters.prune.channels import Pruned, prune
    from edgekit_converters.sources import load_source

    wishes = from_json(PruneRequest, request, "the request")
    source = load_source(
        Path(wishes.model),
        import_modules=[Path(each) for each in wishes.import_modules],
        trust=wishes.trust,
        input_shape=wishes.input_shape,
    )
    if source.kind != "keras":
        msg = (
            f"{wishes.model} cannot be pruned: it was loaded by {source.loaded_by}, and "
            "pruning rebuilds Keras 3 models.\nGive a .keras or .h5 file of Keras layers."
        )
        raise SourceError(msg)
    manifest = source.manifest or Manifest(name=source.path.stem)
    manifest, data = _data(wishes, source, manifest)
    pruned: Pruned = prune(
        source.model,
        wishes.amount,
        importance=wishes.importance,
        ranking=wishes.ranking,
        data=data,
        epochs=wishes.epochs,
        distill=wishes.distill,
        seed=wishes.seed,
    )
    done = from_json(
        _Done,
        {f.name: to_json(getattr(pruned, f.name)) for f in dataclasses.fields(_Done)},
        "the pruned model",
    )
    _write(source, pruned.model, _extended(manifest, wishes, done), Path(folder))
    return done


def _data(wishes: PruneRequest, source: Any, manifest: Manifest) -> tuple[Manifest, Any]:
    """Open the data to train on; the manifest learns how they were prepared."""
    if wishes.data is None:
        return manifest, None
    from edgekit.data import open_dataset, read_labels
    from edgekit.evaluation.preprocessing import resolve

    shapes = {spec.name: tuple(side or 1 for side in spec.shape) for spec in source.inputs}
    preprocessing = resolve(
        wishes.overrides,
        shapes=shapes,
        manifest=source.manifest,
        normalizes_itself=source.normalizes_itself,
    )
    labels = read_labels(Path(wishes.labels)) if wishes.labels else manifest.labels
    dataset = open_dataset(
        Path(wishes.data),
        shapes=shapes,
        preprocessing=preprocessing,
        labelled=not wishes.distill,
        labels=labels,
        sample_rate_hz=wishes.sample_rate_hz,
        dtypes={spec.name: spec.dtype for spec in source.inputs},
    )
    return dataclasses.replace(manifest, preprocessing=preprocessing, labels=labels), dataset


def _extended(manifest: Manifest, wishes: PruneRequest, done: _Done) -> Manifest:
    """Add what was done to what the model says about itself."""
    evidence = {
        "amount": str(amounts.parse(wishes.amount)),
        "importance": wishes.importance,
        "epochs": wishes.epochs,
        "before": done.before,
        "after": done.after,
        "proof_difference": done.proof_difference,
    }
    return dataclasses.replace(
        manifest,
        versions={**manifest.versions, **library_versions(("edgekit", "keras", "tensorflow"))},
        evidence={**manifest.evidence, "prune": evidence},
    )


def _write(source: Any, smaller: Any, manifest: Manifest, folder: Path) -> None:
    """Write the pruned model, and the float .tflite of both to measure them."""
    from edgekit_converters.sources import fix_batch, write_float

    smaller.save(folder / _SMALLER)
    write_keras_manifest(folder / _SMALLER, manifest)
    # A converter gives names of its own to the outputs.
    carried = dataclasses.replace(manifest, outputs=())
    for model, name in ((source.model, _BEFORE), (smaller, _AFTER)):
        try:
            write_float(fix_batch(dataclasses.replace(source, model=model)), folder / name)
        except SourceError as error:
            _log.warning("Sizes and latency are not measured: %s", error)
            return
        content = (folder / name).read_bytes()
        atomic_write(folder / name, write_manifest(content, carried))

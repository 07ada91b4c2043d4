"""Prune a model file into another one, and measure what it bought.

Loading, pruning, training and converting happen in one guarded child; `bought` measures.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgekit import guard
from edgekit.artifact import write_keras_manifest, write_manifest
from edgekit.errors import SourceError, UsageError
from edgekit.files import atomic_write, scratch_dir
from edgekit.manifest import Manifest, Overrides
from edgekit.measure import library_versions
from edgekit.records import from_json, to_json
from edgekit_converters.prune import amount as amounts
from edgekit_converters.prune.bought import AFTER, BEFORE, Measured, Side, advice, measure

_log = logging.getLogger(__name__)

_SMALLER = "smaller.keras"
_SAMPLES = 200  # to calibrate on


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneRequest:
    """What is asked of one pruning.

    Attributes:
        model: A Keras file.
        amount: What goes, see `edgekit_converters.prune.amount`.
        importance: Of channels: `auto`, `l1`, `l2`, `batchnorm` or `taylor`.
        ranking: `layer` or `global`; None takes what suits the amount.
        data: Data on which layers make up for what goes, to fine-tune on, and for `taylor`.
        epochs: Times through the data, all steps together.
        distill: Learn from the outputs of the original too.
        augment: Show another view of each picture every time.
        steps: Rounds of taking channels and fine-tuning.
        learning_rate: The first one of fine-tuning.
        depthwise: Take single weights of depthwise kernels, too.
        calibrate: Typical inputs, to measure the int8 files as well.
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
    importance: str = "auto"
    ranking: Literal["layer", "global"] | None = None
    data: str | None = None
    epochs: int = 0
    distill: bool = False
    augment: bool = False
    steps: int = 1
    learning_rate: float = 1e-3
    depthwise: bool = False
    calibrate: str | None = None
    evaluate: str | None = None
    seed: int = 0
    labels: str | None = None
    overrides: Overrides = field(default_factory=Overrides)
    sample_rate_hz: int | None = None
    input_shape: tuple[int, ...] | None = None
    import_modules: tuple[str, ...] = ()
    trust: bool = False

    def __post_init__(self) -> None:
        amounts.check_steps(amounts.checked(self.amount), self.steps, self.epochs)
        if self.data is None and (self.epochs or self.importance == "taylor"):
            msg = "Fine-tuning and importance 'taylor' need data; give them with --data DATA."
            raise UsageError(msg)
        for wish in ("distill", "augment"):
            if getattr(self, wish) and not self.epochs:
                msg = f"--{wish} is a way to fine-tune; say for how long with --epochs N."
                raise UsageError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneResult:
    """What one pruning made.

    Attributes:
        path: The .keras file that was written.
        source: The model it was made from.
        method: `channels`, `magnitude`, `2:4`, `block`, `cluster` or `activations`.
        amount: What was asked, in full.
        importance: How channels were ranked; None where single weights were.
        epochs: Epochs of fine-tuning.
        steps: Rounds in which channels were taken.
        before: The original.
        after: The pruned model.
        thinned: Groups of layers that could lose channels: before and after.
        kernels: Kernels that lost single weights or values: zeros and values left.
        activations: Layers whose activation became ReLU.
        frozen: What was left alone, with the reason.
        proof_difference: Largest difference from the masked original before fine-tuning;
            None where the layers stayed as they are.
        advice: Where no speed was bought, what would buy it; else None.
        evaluated_on: Where the metric comes from; None without evaluation data.
    """

    path: str
    source: str
    method: amounts.Method
    amount: str
    importance: str | None
    epochs: int
    steps: int
    before: Side
    after: Side
    thinned: tuple[dict[str, Any], ...]
    kernels: tuple[dict[str, Any], ...]
    activations: tuple[str, ...]
    frozen: tuple[dict[str, Any], ...]
    proof_difference: float | None
    advice: str | None
    evaluated_on: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What the child hands back; see `job.Pruned`."""

    before: dict[str, int]
    after: dict[str, int]
    thinned: tuple[dict[str, Any], ...]
    kernels: tuple[dict[str, Any], ...]
    activations: tuple[str, ...]
    frozen: tuple[dict[str, Any], ...]
    importance: str | None
    proof_difference: float | None


def prune_file(request: PruneRequest, output: Path) -> PruneResult:
    """Prune a Keras file.

    Args:
        request: What is asked.
        output: The .keras file to write; it appears when everything has succeeded.

    Raises:
        UsageError: The request contradicts itself or asks for too much.
        TargetError: Nothing tells the latency on the target.
        InputError: The model or the data cannot be used.
        EdgekitError: The pruned model is not what it should be.
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
        before, after = measure((done.before, done.after), folder, _measured(request))
        atomic_write(output, (folder / _SMALLER).read_bytes())
    amount = amounts.parse(request.amount)
    return PruneResult(
        path=str(output),
        source=request.model,
        method=amount.method,
        amount=str(amount),
        importance=done.importance,
        epochs=request.epochs,
        steps=request.steps,
        before=before,
        after=after,
        thinned=done.thinned,
        kernels=done.kernels,
        activations=done.activations,
        frozen=done.frozen,
        proof_difference=done.proof_difference,
        advice=advice(amount, before, after),
        evaluated_on=request.evaluate,
    )


def _measured(request: PruneRequest) -> Measured:
    """What the metric needs to know of a request."""
    return Measured(
        evaluate=request.evaluate,
        labels=request.labels,
        overrides=request.overrides,
        sample_rate_hz=request.sample_rate_hz,
    )


def _worker(*, request: dict[str, Any], folder: str) -> _Done:
    """Load, prune, train and write, inside the guarded child."""
    from edgekit_converters.prune import Pruned, prune
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
    manifest, opened = _prepared(wishes, source, manifest)
    data = None
    if wishes.data:
        learns = (wishes.epochs and not wishes.distill) or wishes.importance == "taylor"
        data = opened(wishes.data, labelled=bool(learns), named=manifest.labels)
    pruned: Pruned = prune(
        source.model,
        wishes.amount,
        importance=wishes.importance,
        ranking=wishes.ranking,
        data=data,
        epochs=wishes.epochs,
        distill=wishes.distill,
        augment=wishes.augment,
        steps=wishes.steps,
        learning_rate=wishes.learning_rate,
        depthwise=wishes.depthwise,
        seed=wishes.seed,
    )
    done = from_json(
        _Done,
        {f.name: to_json(getattr(pruned, f.name)) for f in dataclasses.fields(_Done)},
        "the pruned model",
    )
    typical = opened(wishes.calibrate, labelled=False) if wishes.calibrate else None
    writer = _Writer(source, _extended(manifest, wishes, done), Path(folder))
    writer.write(pruned.model, typical and typical.subset(_SAMPLES, wishes.seed))
    return done


def _prepared(
    wishes: PruneRequest, source: Any, manifest: Manifest
) -> tuple[Manifest, Callable[..., Any]]:
    """Find out how data are prepared, and tell the manifest.

    Returns:
        The manifest, and a function that opens data: `opened(path, labelled=..., named=...)`.
    """
    from edgekit.audio.spotter import front_end_of
    from edgekit.data import open_dataset, read_labels
    from edgekit.data.assumed import resolve

    shapes = {spec.name: tuple(side or 1 for side in spec.shape) for spec in source.inputs}
    labels = read_labels(Path(wishes.labels)) if wishes.labels else manifest.labels
    preprocessing = manifest.preprocessing
    front_end = front_end_of(source.manifest, Path(wishes.model).name)
    if (wishes.data or wishes.calibrate) and front_end is None:
        preprocessing = resolve(
            wishes.overrides,
            shapes=shapes,
            manifest=source.manifest,
            normalizes_itself=source.normalizes_itself,
        )

    def opened(path: str, *, labelled: bool, named: Sequence[str] = ()) -> Any:
        return open_dataset(
            Path(path),
            shapes=shapes,
            preprocessing=preprocessing,
            labelled=labelled,
            labels=named,
            sample_rate_hz=wishes.sample_rate_hz,
            front_end=front_end,
            dtypes={spec.name: spec.dtype for spec in source.inputs},
        )

    told = dataclasses.replace(manifest, preprocessing=preprocessing, labels=labels)
    return told, opened


def _extended(manifest: Manifest, wishes: PruneRequest, done: _Done) -> Manifest:
    """Add what was done to what the model says about itself."""
    evidence = {
        "amount": str(amounts.parse(wishes.amount)),
        "importance": done.importance,
        "steps": wishes.steps,
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


class _Writer:
    """Writes the pruned model, and the .tflite files of both that are measured.

    Args:
        source: The original.
        manifest: What the pruned model says about itself.
        folder: Where to write.
    """

    def __init__(self, source: Any, manifest: Manifest, folder: Path) -> None:
        self._source, self._manifest, self._folder = source, manifest, folder

    def write(self, smaller: Any, typical: Any | None) -> None:
        """Write everything.

        Args:
            smaller: The pruned model.
            typical: Samples to calibrate the int8 files on, if those are wanted.
        """
        smaller.save(self._folder / _SMALLER)
        write_keras_manifest(self._folder / _SMALLER, self._manifest)
        for model, name in ((self._source.model, BEFORE), (smaller, AFTER)):
            try:
                self._convert(model, name, typical)
            except SourceError as error:
                _log.warning("Sizes and latency are not measured: %s", error)
                return

    def _convert(self, model: Any, name: str, typical: Any | None) -> None:
        from edgekit_converters.quantize.engine import convert_keras
        from edgekit_converters.sources import fix_batch, write_float

        fixed = fix_batch(dataclasses.replace(self._source, model=model))
        path = self._folder / f"{name}.tflite"
        write_float(fixed, path)
        # A converter gives names of its own to the outputs.
        carried = dataclasses.replace(self._manifest, outputs=())
        atomic_write(path, write_manifest(path.read_bytes(), carried))
        if typical is None:
            return

        def batches() -> Iterator[dict[str, Any]]:
            for sample in typical:
                yield {key: value[None] for key, value in sample.inputs.items()}

        atomic_write(
            self._folder / f"{name}.int8.tflite", convert_keras(fixed.model, "int8", batches)
        )

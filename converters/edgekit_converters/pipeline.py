"""The flow of a conversion: import -> prune -> quantize -> export -> verify -> gate.

Whatever needs TensorFlow happens in one guarded child (`worker`), whatever runs a model
in another one (`edgekit.evaluation.verify`); this process only reads and writes files.
"""

import json
import logging
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.artifact import write_manifest
from edgekit.data import labels_of
from edgekit.errors import GateError, InputError, TargetError, UsageError
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.verify import Value, Verification, verify
from edgekit.files import atomic_write, scratch_dir, told
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest, Source, Task
from edgekit.records import from_json, to_json
from edgekit_converters.export.artifact import finish, gzip_bytes, roles
from edgekit_converters.export.boxes import coding_of, with_boxes
from edgekit_converters.export.checks import misfits, problems, refuse
from edgekit_converters.export.compiled import Compiled, compile_artifact, need_compiler
from edgekit_converters.export.fitting import Rewritten, fit
from edgekit_converters.export.guide import write_guide
from edgekit_converters.export.placed import Placed, placed
from edgekit_converters.export.plan import Plan, plans
from edgekit_converters.export.runtimes import try_elsewhere
from edgekit_converters.quantize.chain.diagnosis import LayerDiagnosis
from edgekit_converters.quantize.chain.improve import Step
from edgekit_converters.quantize.synthetic import SYNTHETIC, synthetic_file
from edgekit_converters.recipe import Recipe, with_absolute_paths, write_recipe
from edgekit_converters.worker import Converted

Fraction = float  # in a record that has a field `float`

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric of one model.

    Attributes:
        metric: Name of the metric.
        value: A fraction in [0, 1], or dB where the metric's name says so.
    """

    metric: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactResult:
    """One artifact and what is known about it.

    Attributes:
        path: Where it stands.
        target: Name of the target.
        scheme: Quantization scheme.
        io: Type of inputs and outputs.
        bytes: Size of the file.
        gzip_bytes: Its size as a download.
        fully_integer: No float tensor but inputs, outputs and their conversion.
        float: Metric of the float model; None without evaluation data.
        quantized: Metric of this artifact; None without evaluation data.
        drop: `float` - `quantized`; may be negative.
        max_drop: The highest drop that the gate lets pass, in percentage points, or None.
        evaluation_samples: How many samples the metric is over.
        calibration_samples: How many samples agreement and noise are over.
        agreement: Share of calibration samples where both models' top-1 coincide; None for
            outputs that are no class scores.
        sqnr_db: Signal to quantization noise of each output, on the calibration data.
        steps: What the chain after the converter did, and what each step brought on
            held-out calibration samples.
        left_alone: Layers that the chain did not treat, or not in every step, with the
            reason.
        layers: How each layer fares in integers, the worst first; empty without
            `--diagnose`.
        kept_float: Layers that stayed in float, as asked or as found.
        verified_in: Interpreters that ran it, with their versions.
        warnings: What to know, one sentence or two each.
        rejected: Whether the gate refused it.
        rewritten: Operators that were written anew, so that the target takes them.
        placement: Where its operators run on an Edge TPU, as predicted; None elsewhere.
        compiled: What the compiler of the target's accelerator made of it, or None.
    """

    path: str
    target: str
    scheme: str
    io: str
    bytes: int
    gzip_bytes: int
    fully_integer: bool
    float: Score | None
    quantized: Score | None
    drop: Fraction | None
    max_drop: Fraction | None
    evaluation_samples: int
    calibration_samples: int
    agreement: Fraction | None
    sqnr_db: dict[str, Any]
    steps: tuple[Step, ...]
    left_alone: dict[str, str]
    layers: tuple[LayerDiagnosis, ...]
    kept_float: tuple[str, ...]
    verified_in: tuple[str, ...]
    warnings: tuple[str, ...]
    rejected: bool
    rewritten: tuple[Rewritten, ...] = ()
    placement: Placed | None = None
    compiled: Compiled | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What one conversion made.

    Attributes:
        artifacts: One for each target.
        source: The model file it started from.
        import_difference: Largest relative difference between the model and its float .tflite.
        pruning: Before and after, where the recipe prunes.
        calibration: The data the ranges come from, or None.
        preprocessing: How inputs are prepared, as every artifact says it.
        recipe: What was asked; repeats the run.
        warnings: What to know about the whole run.
        seconds: Wall time of each step.
        peak_memory_mb: Highest memory of the child that ran TensorFlow.
    """

    artifacts: tuple[ArtifactResult, ...]
    source: Source
    import_difference: float
    pruning: dict[str, Any] | None
    calibration: dict[str, Any] | None
    preprocessing: dict[str, Any] | None
    recipe: dict[str, Any]
    warnings: tuple[str, ...]
    seconds: dict[str, float]
    peak_memory_mb: float


def convert(recipe: Recipe, output: Path) -> Conversion:
    """Make, verify and gate one artifact for each target of a recipe.

    Writes `<model>.<target>.tflite` for each target, `run.json` and `recipe.toml` into
    `output`, and for phones and pages a `README.md` that shows how to load it; a refused
    artifact gets `.rejected` appended to its name.

    Args:
        recipe: What is asked.
        output: Folder to write into.

    Raises:
        UsageError, UnknownName: The recipe contradicts itself.
        InputError: The model or the data cannot be used.
        TargetError: The model does not fit a target.
        GateError: An artifact lost more than the recipe accepts; its document is the result.
    """
    stem = Path(os.path.realpath(recipe.model)).stem
    planned = plans(recipe)
    names = {plan.target.name: f"{stem}.{plan.target.name}.tflite" for plan in planned}
    conversion = _convert(recipe, planned, output, names)
    document = {**to_json(conversion), "command": "convert"}
    atomic_write(output / "run.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    atomic_write(output / "recipe.toml", write_recipe(_absolute(recipe)))
    passed = [each for each in conversion.artifacts if not each.rejected]
    write_guide(output, [(each.target, Path(each.path)) for each in passed])
    _gate(recipe, conversion.artifacts, document)
    return conversion


def quantize(recipe: Recipe, output: Path) -> ArtifactResult:
    """Make one artifact under a name of the caller's choice.

    Args:
        recipe: What is asked; it has one target.
        output: The .tflite file to write.

    Raises:
        As `convert`.
    """
    if len(recipe.targets) != 1:
        msg = f"One file serves one target; found {', '.join(recipe.targets)}. Use convert."
        raise UsageError(msg)
    planned = plans(recipe)
    names = {planned[0].target.name: output.name}
    (artifact,) = _convert(recipe, planned, output.parent, names).artifacts
    _gate(recipe, [artifact], to_json(artifact))
    return artifact


def _convert(
    recipe: Recipe, planned: Sequence[Plan], output: Path, names: dict[str, str]
) -> Conversion:
    """Do everything but judge; artifacts appear at their final names at the very end."""
    _need_files(recipe)
    for plan in planned:
        need_compiler(plan.target, recipe.edgetpu_compiler)
    with scratch_dir(output) as scratch:
        converted = _in_child(recipe, planned, scratch)
        start = time.perf_counter()
        drafts = _drafts(planned, converted, recipe, scratch, names)
        found = _verify(drafts, converted, recipe)
        results = [
            _finish(draft, each, converted, recipe, output)
            for draft, each in zip(drafts, found, strict=True)
        ]
        seconds = {**converted.seconds, "verify": round(time.perf_counter() - start, 3)}
        with told(f"write into {output}"):
            for draft, result in zip(drafts, results, strict=True):
                draft.path.replace(result.path)
                if draft.compiled and result.compiled:
                    Path(draft.compiled.path).replace(result.compiled.path)
    return Conversion(
        artifacts=tuple(results),
        source=converted.source,
        import_difference=converted.import_difference,
        pruning=converted.pruning,
        calibration=to_json(converted.calibration),
        preprocessing=to_json(converted.preprocessing),
        recipe=to_json(_absolute(recipe)),
        warnings=converted.warnings,
        seconds=seconds,
        peak_memory_mb=converted.peak_memory_mb,
    )


def _in_child(recipe: Recipe, planned: Sequence[Plan], scratch: Path) -> Converted:
    answer = guard.call(
        "edgekit_converters.worker:work",
        doing=f"converting {Path(recipe.model).name}",
        recipe=_absolute(recipe),
        schemes=sorted({plan.scheme for plan in planned}),
        folder=scratch.resolve(),
    )
    converted = from_json(Converted, answer, "the converter's answer")
    for warning in converted.warnings:
        _log.warning("%s", warning)
    return converted


@dataclass(frozen=True, slots=True)
class Draft:
    """An artifact that still has to prove itself.

    Attributes:
        plan: What it is to be.
        path: Where it stands meanwhile.
        manifest: What it carries.
        rewritten: Operators that were written anew.
        compiled: What the target's own compiler made of it, or None.
    """

    plan: Plan
    path: Path
    manifest: Manifest
    rewritten: tuple[Rewritten, ...]
    compiled: Compiled | None


def _drafts(
    planned: Sequence[Plan],
    converted: Converted,
    recipe: Recipe,
    folder: Path,
    names: dict[str, str],
) -> list[Draft]:
    """Write each artifact as its target wants it, and let its compiler have it.

    Raises:
        TargetError: A target cannot take its artifact; the message has every reason of all.
    """
    drafts, reasons = [], {}
    for plan in planned:
        name = plan.target.name
        content = finish(
            Path(converted.files[plan.scheme]).read_bytes(),
            plan.io,
            converted.preprocessing,
            outputs="float32" if recipe.finished_boxes else None,
        )
        rewritten: tuple[Rewritten, ...] = ()
        if recipe.rewrite:
            content, rewritten = fit(content, plan.target, Path(converted.probe_file), folder)
        graph = Graph(content)
        reasons[name] = misfits(graph, plan.target, integer_only=recipe.integer_only)
        manifest = _manifest(plan, converted, recipe, graph)
        if recipe.finished_boxes:
            coding_of(manifest)
        path = folder / names[name]
        atomic_write(path, write_manifest(content, manifest))
        try:
            compiled = compile_artifact(
                content, path, plan.target, manifest, recipe.edgetpu_compiler
            )
        except TargetError as error:
            reasons[name].append(str(error))
            continue
        drafts.append(Draft(plan, path, manifest, rewritten, compiled))
    refuse(reasons)
    return drafts


def _finish(
    draft: Draft, found: Verification, converted: Converted, recipe: Recipe, output: Path
) -> ArtifactResult:
    """Write what running it showed into an artifact, and sum up.

    Raises:
        TargetError: It does not run in the runtime of its target.
    """
    plan = draft.plan
    trial = try_elsewhere(draft.path, Path(converted.probe_file), Path(converted.float_file))
    if trial and trial.problem and plan.target.runtime.package == "tflite-runtime":
        msg = f"{plan.target.name}: {trial.problem}"
        raise TargetError(msg)
    runtimes = (found.runtime, *((trial.runtime,) if trial and not trial.problem else ()))
    evidence = {"verify": to_json(found), "runtimes": list(runtimes)}
    manifest = replace(draft.manifest, evidence=evidence)
    content = write_manifest(draft.path.read_bytes(), manifest)
    graph = Graph(content)
    if recipe.finished_boxes:
        content = with_boxes(content)
    atomic_write(draft.path, content)
    warnings = (
        *problems(graph, plan.scheme, plan.target),
        *(f"{each.text} {each.remedy}" for each in found.findings),
        *((trial.problem,) if trial and trial.problem else ()),
    )
    for warning in warnings:
        _log.warning("%s: %s", plan.target.name, warning)
    rejected = _refused(found, recipe)
    name = f"{draft.path.name}.rejected" if rejected else draft.path.name
    return ArtifactResult(
        path=str(output / name),
        target=plan.target.name,
        scheme=plan.scheme,
        io=plan.io,
        bytes=len(content),
        gzip_bytes=gzip_bytes(content),
        fully_integer=graph.fully_integer,
        float=_score(found.float_metric),
        quantized=_score(found.quantized_metric),
        drop=found.drop,
        max_drop=recipe.max_drop,
        evaluation_samples=found.evaluation_samples,
        calibration_samples=found.calibration_samples,
        agreement=found.agreement,
        sqnr_db=found.sqnr_db,
        steps=converted.steps.get(plan.scheme, ()),
        left_alone=converted.left_alone.get(plan.scheme, {}),
        layers=converted.layers.get(plan.scheme, ()),
        kept_float=converted.kept_float.get(plan.scheme, ()),
        verified_in=runtimes,
        warnings=warnings,
        rejected=rejected,
        rewritten=draft.rewritten,
        placement=placed(graph, plan.target),
        compiled=None if rejected else _beside(draft.compiled, output),
    )


def _beside(compiled: Compiled | None, output: Path) -> Compiled | None:
    """The same under its final name."""
    if compiled is None:
        return None
    return replace(compiled, path=str(output / Path(compiled.path).name))


def _manifest(plan: Plan, converted: Converted, recipe: Recipe, graph: Graph) -> Manifest:
    """Extend what the source said about itself with what this run did."""
    said = converted.manifest or Manifest(name=Path(converted.source.file).stem)
    labels = converted.labels or _labels_of_data(recipe, graph)
    task: Task = "keywords" if converted.front_end else "classify"
    return replace(
        said,
        task=task if said.task == "generic" and labels else said.task,
        labels=labels,
        preprocessing=converted.preprocessing,
        front_end=to_json(converted.front_end) if converted.front_end else said.front_end,
        outputs=roles(graph, converted.manifest),
        target=plan.target.name,
        scheme=plan.scheme,
        source=converted.source,
        versions=converted.versions,
        calibration=converted.calibration,
        recipe=recipe.to_carry(),
    )


def _labels_of_data(recipe: Recipe, graph: Graph) -> tuple[str, ...]:
    """Take the names of the class folders, if there are as many as the model has outputs."""
    for data in (recipe.evaluate, recipe.calibrate):
        if data is not None and Path(data).is_dir() and len(graph.outputs) == 1:
            labels = labels_of(Path(data))
            if len(labels) == math.prod(graph.outputs[0].shape):
                return labels
    return ()


def _verify(
    drafts: Sequence[Draft], converted: Converted, recipe: Recipe
) -> tuple[Verification, ...]:
    """Run the float model and all artifacts over the same data."""

    def request(data: str, samples: int | None = None) -> DataRequest:
        return DataRequest(
            path=str(Path(data).resolve()),
            preprocessing=converted.preprocessing,
            front_end=converted.front_end,
            labels=drafts[0].manifest.labels,
            samples=samples,
            seed=recipe.seed,
            sample_rate_hz=recipe.sample_rate_hz,
        )

    close = recipe.ranges_from or (None if recipe.evaluate else converted.probe_file)
    if close == SYNTHETIC:
        close = str(synthetic_file(Path(converted.float_file).parent))
    return verify(
        converted.float_file,
        [draft.path for draft in drafts],
        calibration=request(close, recipe.samples) if close else None,
        evaluation=request(recipe.evaluate) if recipe.evaluate else None,
        metric=recipe.metric,
    )


def _score(value: Value | None) -> Score | None:
    if value is None or value.value is None:
        return None
    return Score(metric=value.metric, value=value.value)


def _refused(found: Verification, recipe: Recipe) -> bool:
    """Whether the gate refuses an artifact."""
    if recipe.max_drop is None or found.drop is None:
        return False
    return found.drop * 100 > recipe.max_drop


def _gate(
    recipe: Recipe, artifacts: Sequence[ArtifactResult], document: dict[str, Any]
) -> None:
    """Let them pass, or refuse them with the result.

    Raises:
        GateError: At least one artifact was refused.
    """
    refused = [each for each in artifacts if each.rejected]
    if not refused:
        return
    lost = ", ".join(f"{each.target} {100 * (each.drop or 0):.2f}" for each in refused)
    kept = ", ".join(Path(each.path).name for each in refused)
    msg = (
        f"The metric fell by more than the {recipe.max_drop:g} points that --max-drop allows: "
        f"{lost}.\nThe refused artifacts are kept as {kept}. More calibration data, "
        "--scheme int16x8 or a higher limit may help."
    )
    raise GateError(msg, document | {"rejected": True})


def _need_files(recipe: Recipe) -> None:
    """See that the files are there before TensorFlow is started.

    Raises:
        InputError: One is missing.
    """
    wanted = {
        "model": recipe.model,
        "calibration data": recipe.calibrate,
        "evaluation data": recipe.evaluate,
        "training data": recipe.data,
        "labels": recipe.labels,
    }
    for what, path in wanted.items():
        if path not in {None, SYNTHETIC} and not Path(str(path)).exists():
            msg = f"There is no {what} {path}."
            raise InputError(msg)


def _absolute(recipe: Recipe) -> Recipe:
    return with_absolute_paths(recipe, Path.cwd())

"""The flow of a conversion: import -> prune -> quantize -> export -> verify -> gate.

Whatever needs TensorFlow happens in one guarded child (`worker`), whatever runs a model
in another one (`edgekit.evaluation.verify`); this process only reads and writes files.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.errors import GateError
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.verify import Verification, verify
from edgekit.files import atomic_write, scratch_dir, told
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest, Source
from edgekit.records import from_json, to_json
from edgekit_converters.export.artifact import export, gzip_bytes
from edgekit_converters.export.checks import problems
from edgekit_converters.export.plan import Plan, plans
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
        agreement: Share of calibration samples where both models' top-1 coincide; None for
            outputs that are no class scores.
        sqnr_db: Signal to quantization noise of each output, on the calibration data.
        verified_in: Interpreters that ran it, with their versions.
        warnings: What to know, one sentence or two each.
        rejected: Whether the gate refused it.
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
    agreement: Fraction | None
    sqnr_db: dict[str, Any]
    verified_in: tuple[str, ...]
    warnings: tuple[str, ...]
    rejected: bool


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
    `output`; a refused artifact gets `.rejected` appended to its name.

    Args:
        recipe: What is asked.
        output: Folder to write into.

    Raises:
        UsageError, UnknownName: The recipe contradicts itself.
        InputError: The model or the data cannot be used.
        TargetError: The model does not fit a target.
        GateError: An artifact lost more than the recipe accepts; its document is the result.
    """
    stem = Path(recipe.model).resolve().stem
    names = {plan.target.name: f"{stem}.{plan.target.name}.tflite" for plan in plans(recipe)}
    conversion = _convert(recipe, output, names)
    document = {**to_json(conversion), "command": "convert"}
    atomic_write(output / "run.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    atomic_write(output / "recipe.toml", write_recipe(_absolute(recipe)))
    return _gate(conversion)


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
    (plan,) = plans(recipe)
    conversion = _convert(recipe, output.parent, {plan.target.name: output.name})
    return _gate(conversion).artifacts[0]


def _convert(recipe: Recipe, output: Path, names: dict[str, str]) -> Conversion:
    """Do everything but judge; artifacts appear at their final names at the very end."""
    planned = plans(recipe)
    with scratch_dir(output) as scratch:
        converted = _in_child(recipe, planned, scratch)
        drafts = [_export(plan, converted, recipe, scratch / names[plan.target.name]) for plan in planned]
        checked = verify(...)
        ...


def _in_child(recipe: Recipe, planned: Sequence[Plan], scratch: Path) -> Converted:
    answer = guard.call(
        "edgekit_converters.worker:work",
        doing=f"converting {Path(recipe.model).name}",
        recipe=_absolute(recipe),
        schemes=sorted({plan.scheme for plan in planned}),
        folder=scratch,
    )
    return from_json(Converted, answer, "the converter's answer")


def _absolute(recipe: Recipe) -> Recipe:
    return with_absolute_paths(recipe, Path.cwd())

"""The recipe: every wish of one conversion, as a record that repeats the run."""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import tomli_w

from edgekit.errors import RecordError, UsageError
from edgekit.flatbuffer.io_types import IoType
from edgekit.manifest import Overrides
from edgekit.records import from_json, read_json, read_toml, to_json
from edgekit_converters.prune import amount
from edgekit_converters.quantize.synthetic import SYNTHETIC

Estimator = Literal["minmax", "percentile", "mse", "kl", "auto"]
Scheme = Literal["int8", "int16x8", "dynamic", "float16", "weight-only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is asked of one conversion.

    Attributes:
        model: The model file or SavedModel folder.
        targets: Names of target profiles, or paths of TOML files.
        scheme: Quantization scheme; None takes each target's own.
        io: Type of inputs and outputs; None takes each target's own.
        calibrate: Data that the ranges come from, or `synthetic` for random inputs; schemes
            with integer activations need it.
        evaluate: Labelled data for the accuracy before and after.
        samples: How many calibration samples are used at most.
        seed: Which ones, and every other random choice.
        per_tensor: One scale a weight tensor instead of one a channel.
        equalize: Whether channels are evened out before int8 quantization.
        integer_only: Whether layers that leave float ops are written with integer ones, and a
            model that keeps float ops is refused.
        rewrite: Whether operators that a target refuses are written with others.
        bias_correction: Whether int8 biases are corrected on the calibration data.
        estimator: How ranges of int8 activations are chosen.
        round: Whether int8 weights are rounded by the covariance of their inputs.
        keep_float: Layers that stay in float, by name.
        auto_keep_float: Whether the fewest layers stay in float that meet `max_drop`.
        diagnose: Whether every layer is compared with float.
        finished_boxes: Whether a detector decodes and suppresses inside its graph, as apps of
            others expect it.
        max_drop: Highest accepted loss of the metric in percentage points; None for any.
        metric: Metric of the evaluation; None takes the task's own.
        prune: Amount to prune, e.g. `channels:0.5`; None for no pruning.
        importance: Which channels go first: `auto`, `l1`, `l2`, `batchnorm` or `taylor`.
        prune_steps: Rounds of taking channels and fine-tuning.
        distill: Learn from the outputs of the original too, while fine-tuning.
        data: Labelled data for fine-tuning after pruning, and to train for integers; the
            latter does without labels.
        epochs: Epochs of fine-tuning after pruning.
        qat: Epochs of quantization-aware training; 0 for none.
        labels: File with the names of the classes; None for those in the model or the data.
        preprocessing: What is said about preprocessing.
        sample_rate_hz: Sample rate of sounds; None for models that take no sound.
        front_end: Name of the front end that makes features of sounds; None takes what the
            model says.
        end_at: Layers or tensors that become the outputs, in place of the model's own.
        input_shape: Input shape without batch, for models that leave it open.
        import_modules: Python files that define custom layers.
        trust: Whether code inside the model file may run.
        edgetpu_compiler: Path of the Edge TPU compiler, or `none` to do without; None takes
            the one on the PATH, if there is one.
    """

    model: str
    targets: tuple[str, ...] = ("host",)
    scheme: Scheme | None = None
    io: IoType | None = None
    calibrate: str | None = None
    evaluate: str | None = None
    samples: int = 200
    seed: int = 0
    per_tensor: bool = False
    equalize: bool = True
    integer_only: bool = False
    rewrite: bool = True
    bias_correction: bool = True
    estimator: Estimator = "minmax"
    round: bool = False
    keep_float: tuple[str, ...] = ()
    auto_keep_float: bool = False
    diagnose: bool = False
    finished_boxes: bool = False
    max_drop: float | None = None
    metric: str | None = None
    prune: str | None = None
    importance: str = "auto"
    prune_steps: int = 1
    distill: bool = False
    data: str | None = None
    epochs: int = 0
    qat: int = 0
    labels: str | None = None
    preprocessing: Overrides = field(default_factory=Overrides)
    sample_rate_hz: int | None = None
    front_end: str | None = None
    end_at: tuple[str, ...] = ()
    input_shape: tuple[int, ...] | None = None
    import_modules: tuple[str, ...] = ()
    trust: bool = False
    edgetpu_compiler: str | None = None

    def __post_init__(self) -> None:
        if self.samples < 1:
            msg = f"At least one calibration sample is needed; found --samples {self.samples}."
            raise UsageError(msg)
        if self.max_drop is not None and self.evaluate is None:
            msg = "--max-drop compares accuracies: give labelled data with --evaluate DATA."
            raise UsageError(msg)
        if self.prune is not None:
            self._check_prune(amount.checked(self.prune))
        if self.epochs and self.data is None:
            msg = "--epochs fine-tunes after pruning: give labelled data with --data DATA."
            raise UsageError(msg)
        if self.auto_keep_float and self.max_drop is None:
            msg = (
                "--auto-keep-float looks for layers to keep in float until a limit is met: "
                "give the limit with --max-drop POINTS and labelled data with --evaluate DATA."
            )
            raise UsageError(msg)
        if self.qat and (self.keep_float or self.auto_keep_float):
            msg = (
                "--qat trains all layers for integers, and --keep-float quantizes after "
                "training: give one of them."
            )
            raise UsageError(msg)
        if self.qat < 0 or (self.qat and self.data is None):
            msg = "--qat EPOCHS trains for integers: give data to train on with --data DATA."
            raise UsageError(msg)

    def _check_prune(self, wanted: amount.Amount) -> None:
        amount.check_steps(wanted, self.prune_steps, self.epochs)
        if self.importance == "taylor" and self.data is None:
            msg = "--importance taylor needs labelled data; give them with --data DATA."
            raise UsageError(msg)
        if self.distill and not self.epochs:
            msg = "--distill is a way to fine-tune; say for how long with --epochs N."
            raise UsageError(msg)
        if (self.qat or self.round) and wanted.method != "channels":
            msg = (
                f"{'--qat' if self.qat else '--round'} moves every weight, also those that "
                f"--prune {wanted} sets.\n"
                "Leave one of them out, or prune channels."
            )
            raise UsageError(msg)

    @property
    def ranges_from(self) -> str | None:
        """The data that show what typical inputs are."""
        return self.calibrate or (self.data if self.qat else None)

    def to_carry(self) -> dict[str, Any]:
        """Return it as plain JSON for the manifest: names instead of paths, no defaults."""
        plain, usual = to_json(self), to_json(Recipe(model=""))
        wishes = {key: value for key, value in plain.items() if value != usual[key]}
        paths = {"model", "calibrate", "evaluate", "data", "labels", "edgetpu_compiler"}
        return {
            key: Path(value).name if key in paths else value
            for key, value in wishes.items()
            if key != "import_modules"
        }


def read_recipe(path: Path) -> dict[str, Any]:
    """Read the wishes of a recipe file or of a `run.json`.

    Returns:
        The fields that the file gives, as plain JSON values.

    Raises:
        RecordError: The file is unreadable, or a field is unknown or of the wrong type.
    """
    values = _of_run(path) if path.suffix == ".json" else read_toml(path)
    from_json(Recipe, {"model": "", "evaluate": "", "data": "", **values}, str(path))
    return dict(values)


def _of_run(path: Path) -> dict[str, Any]:
    """Take the recipe out of a `run.json`."""
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("recipe"), dict):
        msg = f"{path} is no record of a run; convert writes one as run.json."
        raise RecordError(msg)
    return dict(document["recipe"])


def write_recipe(recipe: Recipe) -> str:
    """Write a recipe as TOML, which has no word for None."""
    plain = json.loads(json.dumps(to_json(recipe)))
    return tomli_w.dumps(_without_none(plain))


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }


def with_absolute_paths(recipe: Recipe, base: Path) -> Recipe:
    """Return the recipe with paths that hold from every folder.

    Args:
        recipe: Paths relative to `base`, or absolute.
        base: The folder that they are relative to.
    """

    def absolute(path: str | None) -> str | None:
        return None if path is None else os.path.realpath(base / path)

    return dataclasses.replace(
        recipe,
        model=absolute(recipe.model) or recipe.model,
        calibrate=recipe.calibrate
        if recipe.calibrate == SYNTHETIC
        else absolute(recipe.calibrate),
        evaluate=absolute(recipe.evaluate),
        data=absolute(recipe.data),
        labels=absolute(recipe.labels),
        import_modules=tuple(os.path.realpath(base / each) for each in recipe.import_modules),
        edgetpu_compiler=absolute(recipe.edgetpu_compiler)
        if os.sep in (recipe.edgetpu_compiler or "")
        else recipe.edgetpu_compiler,
        targets=tuple(absolute(t) or t if t.endswith(".toml") else t for t in recipe.targets),
    )

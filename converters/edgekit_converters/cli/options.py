"""Options that convert and quantize share; together they make a recipe."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from edgekit.cli import options
from edgekit.cli.options import Numbers
from edgekit.manifest import Overrides
from edgekit.records import from_json, to_json
from edgekit_converters.quantize.scheme import SCHEMES
from edgekit_converters.recipe import Estimator, Recipe, read_recipe

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--scheme", type=click.Choice(list(SCHEMES)), help="How to quantize."),
    click.option(
        "--io",
        type=click.Choice(["float32", "int8", "uint8", "int16"]),
        help="Type of inputs and outputs; each target has its own.",
    ),
    click.option(
        "--calibrate",
        metavar="DATA|synthetic",
        help="Typical inputs, for the ranges; random ones for a first try.",
    ),
    click.option("--samples", type=click.IntRange(min=1), help="Calibrate on so many.  [200]"),
    click.option(
        "--qat",
        type=click.IntRange(min=0),
        metavar="EPOCHS",
        help="Train for integers, on --data; for models that lose too much otherwise.",
    ),
    click.option(
        "--data",
        metavar="DATA",
        help="Data to train on; without labels it learns from the model's own outputs.",
    ),
    click.option("--seed", type=int, help="Which samples, and other random choices.  [0]"),
    click.option("--per-tensor", is_flag=True, default=None, help="One scale a weight tensor."),
    click.option(
        "--estimator",
        type=click.Choice(get_args(Estimator)),
        help="Ranges of int8 activations; auto tries all and keeps the best.  [minmax]",
    ),
    click.option(
        "--round",
        is_flag=True,
        default=None,
        help="Round int8 weights by the covariance of their inputs; takes longer.",
    ),
    click.option(
        "--no-equalize",
        "equalize",
        flag_value=False,
        default=None,
        help="Leave the channels as uneven as they are.",
    ),
    click.option(
        "--integer-only",
        is_flag=True,
        default=None,
        help="Write layers without int8 kernels another way; refuse a model with float ops.",
    ),
    click.option(
        "--no-bias-correction",
        "bias_correction",
        flag_value=False,
        default=None,
        help="Leave int8 biases as the converter rounds them.",
    ),
    click.option(
        "--no-rewrite",
        "rewrite",
        flag_value=False,
        default=None,
        help="Leave operators that the target refuses as they are.",
    ),
    click.option(
        "--keep-float",
        multiple=True,
        metavar="NAME",
        help="Layer that stays in float; may be given several times.",
    ),
    click.option(
        "--auto-keep-float",
        is_flag=True,
        default=None,
        help="Keep the fewest layers in float that meet --max-drop on --evaluate.",
    ),
    click.option(
        "--diagnose",
        is_flag=True,
        default=None,
        help="Say which layers lose in integers, why, and what helps.",
    ),
    click.option(
        "--finished-boxes",
        is_flag=True,
        default=None,
        help="A detector gives boxes instead of raw heads, as MediaPipe expects it.",
    ),
    click.option("--evaluate", metavar="DATA", help="Labelled data, for the accuracy."),
    click.option("--metric", help="Metric of the evaluation."),
    click.option(
        "--max-drop", type=float, metavar="POINTS", help="Refuse to lose more (exit code 5)."
    ),
    click.option(
        "--input-shape", type=Numbers(*range(1, 7)), help="For a model that leaves it open."
    ),
    click.option(
        "--end-at",
        multiple=True,
        metavar="NAME",
        help="Make this layer (or tensor of a .tflite) an output in place of the model's own, "
        "e.g. a detector's heads before their decoding; may be given several times.",
    ),
    click.option(
        "--import-module",
        "import_modules",
        multiple=True,
        metavar="FILE.py",
        help="Python file that defines custom layers; may be given several times.",
    ),
    click.option("--trust", is_flag=True, default=None, help="Run code stored in the model."),
    click.option(
        "--recipe",
        "recipe_file",
        type=click.Path(path_type=Path),
        help="Repeat a run: its recipe.toml or run.json; other options win over it.",
    ),
    options.labels,
    options.sample_rate,
    options.front_end,
    options.preprocessing,
)


def recipe(function: Function) -> Function:
    """Add the options of a recipe; passed on as `recipe`, with MODEL in it."""

    @click.argument("model", required=False)
    @functools.wraps(function)
    def wrapped(*args: Any, recipe_file: Path | None, **given: Any) -> Any:
        own = {name: given.pop(name) for name in list(given) if name not in _FIELDS}
        return function(*args, recipe=_recipe(given, recipe_file), **own)

    decorated: Any = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return] # the same callable with other options


_FIELDS = {*Recipe.__dataclass_fields__, "overrides"}


def _recipe(given: dict[str, Any], file: Path | None) -> Recipe:
    """Join what a recipe file says and what the command line says, which wins."""
    values = read_recipe(file) if file else {}
    overrides: Overrides = given.pop("overrides")
    wishes = {name: value for name, value in given.items() if value not in (None, ())}
    if "input_shape" in wishes:
        wishes["input_shape"] = [int(size) for size in wishes["input_shape"]]
    said = {name: value for name, value in to_json(overrides).items() if value is not None}
    joined = {**values, **to_json(wishes)}
    joined["preprocessing"] = {**values.get("preprocessing", {}), **said}
    if "model" not in joined:
        msg = "Missing argument 'MODEL': a Keras file, a SavedModel folder or a float .tflite."
        raise click.UsageError(msg)
    return from_json(Recipe, joined, str(file) if file else "the command line")

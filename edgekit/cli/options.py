"""Options that several commands share, each defined once."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgekit.manifest import Overrides

Function = TypeVar("Function", bound=Callable[..., Any])


class Numbers(click.ParamType):  # type: ignore[type-arg] # generic from click 8.5 on
    """Numbers with commas between them, e.g. `0,255` or `123.7,116.3,103.5`.

    Args:
        *counts: How many there may be.
    """

    name = "numbers"

    def __init__(self, *counts: int) -> None:
        self._counts = counts

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse the text."""
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(float(each) for each in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers like 0,255", param, ctx)
        if len(found) not in self._counts:
            wanted = " or ".join(map(str, self._counts))
            self.fail(f"{value!r} has {len(found)} numbers; give {wanted}", param, ctx)
        return found


def preprocessing(function: Function) -> Function:
    """Add the options of how pictures are prepared; passed on as `overrides`."""

    @click.option("--color", type=click.Choice(["rgb", "bgr", "gray"]), help="Channel order.")
    @click.option(
        "--resize",
        type=click.Choice(["stretch", "crop", "letterbox"]),
        help="How pictures get the model's size.",
    )
    @click.option("--mean", type=Numbers(1, 3), help="x = (pixel 0..255 - mean) / std.")
    @click.option("--std", type=Numbers(1, 3), help="See --mean.")
    @click.option(
        "--input-range", type=Numbers(2), metavar="LOW,HIGH", help="Map 0..255 to LOW..HIGH."
    )
    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        names = ("color", "resize", "mean", "std", "input_range")
        overrides = Overrides(**{name: options.pop(name) for name in names})
        if overrides.input_range is not None and (overrides.mean or overrides.std):
            msg = "Give either --input-range or --mean and --std, not both."
            raise click.UsageError(msg)
        return function(*args, overrides=overrides, **options)

    return wrapped  # type: ignore[return-value] # the same callable with other options


def labels(function: Function) -> Function:
    """Add `--labels FILE`; passed on as `labels`, a path or None."""
    return click.option(
        "--labels",
        type=click.Path(path_type=Path),
        help="Names of the classes, one a line, in the order of the outputs.",
    )(function)


def sample_rate(function: Function) -> Function:
    """Add `--sample-rate HZ`; passed on as `sample_rate_hz`."""
    return click.option(
        "--sample-rate",
        "sample_rate_hz",
        type=click.IntRange(min=1),
        help="Sample rate in Hz that a model of sounds expects.",
    )(function)


def front_end(function: Function) -> Function:
    """Add `--front-end NAME`; passed on as `front_end`, the name of a preset or None."""
    return click.option(
        "--front-end",
        metavar="NAME",
        help="How sound becomes the input of a keyword model that does not say: log-mel, "
        "mlperf-tiny, micro-speech.",
    )(function)


def interpreter(function: Function) -> Function:
    """Add the options of how a .tflite is run: `backend`, `delegate`, `threads`."""
    function = click.option("--backend", default="auto", help="Interpreter package.")(function)
    function = click.option("--delegate", help="Accelerator, e.g. edgetpu:usb.")(function)
    return click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")(function)


def output_dir(function: Function) -> Function:
    """Add `-o DIR`; passed on as `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("out"),
        show_default=True,
        help="Folder to write into.",
    )(function)


def edgetpu_compiler(function: Function) -> Function:
    """Add `--edgetpu-compiler PATH`; passed on as `edgetpu_compiler`, a text or None."""
    return click.option(
        "--edgetpu-compiler",
        metavar="PATH",
        help="Edge TPU compiler; by default the one on the PATH, 'none' to do without.",
    )(function)

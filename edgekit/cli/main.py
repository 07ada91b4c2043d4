"""Entry point: a group that imports a command only when it is called."""

import io
import os
import signal
import sys
import traceback
from functools import singledispatch
from types import FrameType
from typing import ClassVar

import click

from edgekit.errors import EdgekitError
from edgekit.extras import explain, need

INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports each on first use.

    `edgekit run` on a Raspberry Pi must not pay for TensorFlow, and `edgekit --help`
    must answer at once.
    """

    # In the order of the work. name -> (module:function, what it does)
    places: ClassVar[dict[str, tuple[str, str]]] = {
        "quickstart": (
            "edgekit_demos.quickstart:quickstart",
            "The whole flow on carried data.",
        ),
        "train": (
            "edgekit_converters.cli.train:train",
            "A detector or classifier of one's own.",
        ),
        "convert": ("edgekit_converters.cli.convert:convert", "A Keras model for each target."),
        "quantize": ("edgekit_converters.cli.quantize:quantize", "Quantization alone."),
        "prune": ("edgekit_converters.cli.prune:prune", "Remove channels or weights."),
        "evaluate": ("edgekit.cli.evaluate:evaluate", "Accuracy of a model on data."),
        "compare": ("edgekit.cli.compare:compare", "Two models on the same data."),
        "run": ("edgekit.cli.run:run", "Files through a model, the result in words."),
        "inspect": ("edgekit.cli.inspect:inspect", "Inputs, outputs, ops, where each op runs."),
        "profile": ("edgekit.cli.profile:profile", "Measure latency and memory."),
        "calibrate-device": (
            "edgekit.cli.calibrate_device:calibrate_device",
            "Time single operators on a device, for estimates.",
        ),
        "estimate": (
            "edgekit.cli.estimate:estimate",
            "Latency on a device that is not attached.",
        ),
        "profile-diff": (
            "edgekit.cli.profile_diff:profile_diff",
            "Two measurements: a change, or noise.",
        ),
        "demo": ("edgekit.cli.demo:demo", "A model at work on a camera, film or stream."),
        "report": ("edgekit.cli.report:report", "One HTML page of one or more runs."),
        "bundle": ("edgekit.cli.bundle:bundle", "What a device needs, in one file."),
        "targets": ("edgekit.cli.targets:targets", "The devices that edgekit knows."),
        "models": ("edgekit.cli.models:models", "The models that it carries, and others."),
        "doctor": ("edgekit.cli.doctor:doctor", "What is wrong here, and what mends it."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        """Names in the order of the work."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command behind a name."""
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name][0].partition(":")
        command: click.Command = getattr(need(module, f"run `edgekit {cmd_name}`"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.places.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edgekit")
def cli() -> None:
    """From a Keras model to a verified, measured int8 model on a small device.

    \b
    Begin with:
      edgekit quickstart
      edgekit convert model.keras --target raspberry-pi-4 --calibrate photos/ -o out/

    Every command knows --help (with examples), --json, -v, -q and --debug.
    """


def main() -> None:
    """Run the command line; turn errors into one message and an exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    # A name of a file may be no valid text; it is shown as \udcNN, as JSON escapes it, too.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli(prog_name="edgekit", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit:  # how click ends when the reader of our output went away
        code = 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 (no traceback uninvited)
        if "--debug" in sys.argv:
            traceback.print_exc()
        code = tell(error)
    sys.exit(code)


@singledispatch
def tell(error: BaseException) -> int:
    """Say on standard error what went wrong and return the exit code."""
    text = f"unexpected {type(error).__name__}: {error}"
    hint = "This is a defect of edgekit; run again with --debug to see where."
    click.secho(f"error: {text}\n{hint}", fg="red", err=True)
    return 1


@tell.register
def _(error: EdgekitError) -> int:
    click.secho(f"error: {error}", fg="red", err=True)
    return error.exit_code


@tell.register
def _(error: ImportError) -> int:
    told = explain(error, "do this")
    return tell(told) if told else tell.dispatch(Exception)(error)


@tell.register
def _(error: click.ClickException) -> int:
    error.show()
    return error.exit_code


@tell.register(click.Abort)
@tell.register(KeyboardInterrupt)
def _(error: BaseException) -> int:  # noqa: ARG001 (there is nothing to say about it)
    click.echo("interrupted; nothing was left half-written", err=True)
    return INTERRUPTED


@tell.register
def _(error: BrokenPipeError) -> int:  # noqa: ARG001 (the reader of our output went away)
    # Python flushes standard output once more when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 (as signal wants)
    """End as after Ctrl-C, so that temporary files are removed."""
    raise KeyboardInterrupt

"""`edgekit calibrate-device`: time single operators on a device and save its law."""

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command


def show(found: Document) -> None:
    """Show what was timed, and how far the law can be trusted."""
    coverage = f"holds the truth {found['coverage']:.0%} of the time"
    tables.facts(
        [
            ("device", found["device"]),
            ("target", found["target"]),
            ("runtime", found["runtime"]),
            ("threads", ", ".join(map(str, found["threads"]))),
            ("timed", f"{found['ops_timed']} operators, {found['nets_timed']} nets"),
            ("within 10 %", f"{found['error_within_10pct']:.0%} of nets left out of the fit"),
            ("median error", tables.percent(found["median_error"])),
            ("range", f"x {found['low']:.2f} to x {found['high']:.2f}, {coverage}"),
            ("saved as", found["path"]),
        ]
    )
    tables.warned(found["notes"])


@command(show, name="calibrate-device")
@click.option("--on", default="local", show_default=True, help="ssh://user@host of the device.")
@click.option("--target", default="host", show_default=True, help="What it stands for.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    multiple=True,
    default=(1,),
    show_default=True,
    help="CPU threads; may be repeated.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=100.0,
    show_default=True,
    help="How long to time, all in all.",
)
@click.option("--backend", default="auto", help="Interpreter package on the device.")
@click.option("--even-if-busy", is_flag=True, help="Save it although the device was busy.")
@click.option(
    "-o", "--output", type=click.Path(), metavar="FILE.toml", help="Where to save it instead."
)
def calibrate_device(
    *,
    on: str,
    target: str,
    threads: tuple[int, ...],
    seconds: float,
    backend: str,
    even_if_busy: bool,
    output: str | None,
) -> object:
    """Time about 400 single operators and 62 nets on a device; takes two minutes.

    What is saved tells the time of any model on that device (`edgekit estimate`), with a
    range. The device must do nothing else meanwhile.

    \b
    Examples:
      edgekit calibrate-device
      edgekit calibrate-device --target raspberry-pi-4 --threads 1 --threads 4
      edgekit calibrate-device --on ssh://pi@raspberrypi --target raspberry-pi-4 --threads 4
    """
    from edgekit.profiling.calibration.device import calibrate_device as calibrate

    return calibrate(
        on=on,
        target=target,
        threads=threads,
        output=output,
        seconds=seconds,
        backend=backend,
        even_if_busy=even_if_busy,
    )

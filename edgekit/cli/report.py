"""`edgekit report`: one HTML page of one or more runs."""

from pathlib import Path

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command


def _show(found: Document) -> None:
    tables.facts(
        [
            ("report", found["path"]),
            ("size", tables.size(found["bytes"])),
            ("artifacts", found["artifacts"]),
            ("latencies", found["latencies"]),
        ]
    )


@command(_show)
@click.argument(
    "runs", nargs=-1, required=True, metavar="RUN.json...", type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    help="Page to write.",
)
def report(runs: tuple[Path, ...], *, output: Path) -> object:
    """Write one self-contained HTML page: sizes, accuracy, latency, placement, pruning.

    RUN.json is what `edgekit convert` writes, or what these print with --json: quantize,
    prune, evaluate, inspect, profile, estimate, profile-diff, calibrate-device.

    \b
    Examples:
      edgekit report out/run.json
      edgekit profile out/model.host.tflite --json > profile.json
      edgekit report out/run.json profile.json -o report.html
      edgekit report prune-30.json prune-50.json prune-70.json -o curve.html
    """
    from edgekit.report import write_report

    return write_report(runs, output)

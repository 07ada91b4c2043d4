"""`edgekit estimate`: how long a model takes on a device that is not attached."""

from collections import Counter
from pathlib import Path

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command


def show(found: Document) -> None:
    """Show the range, where it comes from, and the operators that stand out."""
    tables.line(
        f"{Path(found['model']).name} on {found['target']}: {_ms(found['low_ms'])} to "
        f"{_ms(found['high_ms'])}, typically {_ms(found['latency_ms'])} ({found['kind']}, "
        "not measured)"
    )
    coverage = found["coverage"]
    tables.facts(
        [
            (
                "range holds",
                None if coverage is None else f"the truth {coverage:.0%} of the time",
            ),
            ("runtime", found["runtime"]),
            ("threads", found["threads"]),
            ("from", found["method"]),
            *(("source", each) for each in found["sources"]),
        ]
    )
    share = found["uncovered_share"]
    thought = f", thought to be {share:.0%} of the time" if share else ""
    _stand_out(found["uncovered"], f"Not covered{thought}")
    _stand_out(found["undelegated"], "Not delegated")
    tables.warned(found["notes"])


def _ms(value: float) -> str:
    return tables.milliseconds(value)


def _stand_out(doubts: list[Document], title: str) -> None:
    """List operators by kind and reason."""
    kinds = Counter((each["op"], each["reason"]) for each in doubts)
    if kinds:
        rows = [(op, count, reason) for (op, reason), count in kinds.most_common()]
        tables.line()
        tables.table(["operator", "times", "why"], rows, numbers=("times",), title=title)


@command(show)
@click.argument("model", type=click.Path(), metavar="MODEL.tflite")
@click.option("--target", required=True, help="Name of a target, or a TOML file.")
@click.option(
    "--calibration", type=click.Path(), metavar="FILE.toml", help="Of calibrate-device."
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads there.")
def estimate(
    model: str, *, target: str, calibration: str | None, threads: int | None
) -> object:
    """Tell how long MODEL.tflite takes on a device that is not attached: always a range.

    calibrated: from operators timed on that device with `edgekit calibrate-device`.
    estimated: from times that others published, with their sources.

    \b
    Examples:
      edgekit estimate model.tflite --target raspberry-pi-4
      edgekit estimate model.tflite --target host --threads 1
      edgekit estimate model.tflite --target my-board.toml --calibration my-board-law.toml
    """
    from edgekit.profiling.estimate import estimate as tell

    return tell(model, target=target, calibration=calibration, threads=threads)

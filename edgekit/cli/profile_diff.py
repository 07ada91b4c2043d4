"""`edgekit profile-diff`: two measurements side by side."""

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command

_NUMBERS = ("before", "after", "change", "fast runs", "noise")


def show(found: Document) -> None:
    """Show each model, and the verdict."""
    rows = [
        (
            each["model"],
            tables.milliseconds(each["old_ms"]["median"]),
            tables.milliseconds(each["new_ms"]["median"]),
            f"{each['change_pct']:+.1f} %",
            f"{each['fast_change_pct']:+.1f} %",
            f"{each['noise_pct']:.1f} %",
            each["verdict"],
        )
        for each in found["models"]
    ]
    heads = ["model", *_NUMBERS, "verdict"]
    tables.table(heads, rows, numbers=_NUMBERS, title="Measured latency, medians")
    for each in found["models"]:
        tables.warned(each["notes"])
    tables.warned(found["notes"])


@command(show)
@click.argument("old", type=click.Path(), metavar="OLD.json")
@click.argument("new", type=click.Path(), metavar="NEW.json")
@click.option(
    "--fail-if-slower",
    type=click.FloatRange(min=0),
    metavar="PCT",
    help="Exit 5 if a model is slower by more percent, beyond the noise.",
)
def profile_diff(old: str, new: str, *, fail_if_slower: float | None) -> object:
    """Compare two files of `edgekit profile --json`.

    A model is slower or faster if its median and its fast runs say so beyond the noise. If
    only one of them does, something else was running: the verdict is unclear.

    \b
    Examples:
      edgekit profile model.tflite --json > new.json
      edgekit profile-diff old.json new.json
      edgekit profile-diff old.json new.json --fail-if-slower 5
    """
    from edgekit.profiling.diff import profile_diff as compare

    return compare(old, new, fail_if_slower=fail_if_slower)

"""`edgekit prune`: a smaller, faster Keras model, proved right."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import options, tables
from edgekit.cli.common import Document, command
from edgekit.cli.options import Numbers
from edgekit.manifest import Overrides
from edgekit_converters.prune.command import PruneRequest, PruneResult, prune_file

METHODS = ("channels",)


def show(found: Document) -> None:
    """Show what it bought, and which layers paid for it."""
    before, after = found["before"], found["after"]
    tables.line(
        f"{Path(found['source']).name}, {found['amount']} removed by {found['importance']}"
    )
    tables.line()
    rows = [
        (name, *(_cell(name, side) for side in (before, after)), _change(before, after, key))
        for name, key in _ROWS
        if before[key] is not None
    ]
    tables.table(["", "before", "after", "change"], rows, numbers=["before", "after", "change"])
    tables.line()
    lost = [
        (", ".join(group["layers"]), group["before"], group["after"], None)
        for group in found["thinned"]
        if group["after"] < group["before"]
    ]
    left = [
        (", ".join(group["layers"]), group["channels"], group["channels"], group["reason"])
        for group in found["frozen"]
    ]
    heads = ["layers that share channels", "before", "after", "left alone because"]
    tables.table(heads, lost + left, numbers=["before", "after"])
    tables.line()
    tables.line(
        f"Every tensor equals the masked original's within {found['proof_difference']:.1g}"
        f"{', before fine-tuning' if found['epochs'] else ''}."
    )
    if after["bytes"] is not None:
        tables.line("Sizes and latency are those of the float .tflite on this machine.")
    tables.line(f"Wrote {found['path']}.")


_ROWS = (
    ("parameters", "parameters"),
    ("multiply-adds", "macs"),
    (".tflite", "bytes"),
    ("gzip", "gzip_bytes"),
    ("latency", "latency_ms"),
    ("metric", "value"),
)


def _cell(name: str, side: Document) -> str:
    if name == "latency":
        return tables.milliseconds(side["latency_ms"]["median"])
    if name == "metric":
        return f"{side['metric']} {tables.metric(side['metric'], side['value'])}"
    if name in {".tflite", "gzip"}:
        return tables.size(side["bytes" if name == ".tflite" else "gzip_bytes"])
    return tables.count(side["macs" if name == "multiply-adds" else "parameters"])


def _change(before: Document, after: Document, key: str) -> str | None:
    """How large the second number is beside the first; metrics stand for themselves."""
    if key == "value":
        return None
    one, other = before[key], after[key]
    if key == "latency_ms":
        one, other = one["median"], other["median"]
    return f"x {other / one:.2f}"


@command(show)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="channels",
    show_default=True,
    help="channels: whole channels go, which makes the model faster everywhere.",
)
@click.option(
    "--amount",
    required=True,
    metavar="SHARE",
    help="Share that goes: 0.5 of the channels of each layer, or macs:0.5 of the work.",
)
@click.option(
    "--importance",
    type=click.Choice(["l1", "l2", "batchnorm", "taylor"]),
    default="l1",
    show_default=True,
    help="Which channels go first; taylor needs --data.",
)
@click.option(
    "--ranking",
    type=click.Choice(["layer", "global"]),
    help="Same share of each layer, or the least important anywhere.  [by --amount]",
)
@click.option("--data", metavar="DATA", help="Data to fine-tune on.")
@click.option("--epochs", type=click.IntRange(min=0), default=0, help="Fine-tune so long.  [0]")
@click.option("--distill", is_flag=True, help="Learn from the original's outputs too.")
@click.option("--evaluate", metavar="DATA", help="Other labelled data, for the metric.")
@click.option("--seed", default=0, show_default=True, help="Order of the samples.")
@click.option(
    "--input-shape", type=Numbers(*range(1, 7)), help="For a model that leaves it open."
)
@click.option(
    "--import-module",
    "import_modules",
    multiple=True,
    metavar="FILE.py",
    help="Python file that defines custom layers; may be given several times.",
)
@click.option("--trust", is_flag=True, help="Run code stored in the model.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The .keras file to write.",
)
@options.labels
@options.sample_rate
@options.preprocessing
def prune(
    model: Path,
    *,
    method: str,  # noqa: ARG001 (there is one so far, and scripts name it)
    labels: Path | None,
    input_shape: tuple[float, ...] | None,
    overrides: Overrides,
    output: Path,
    **wishes: Any,
) -> PruneResult:
    """Take the least important channels out of MODEL, a Keras file.

    Layers keep a multiple of 8 channels. The smaller model is proved equal to the original
    with the same channels set to zero; layers that must stay whole are named with the
    reason. Fine-tuning then wins back what the channels knew.

    \b
    Examples:
      edgekit prune model.keras --amount 0.5 -o small.keras
      edgekit prune model.keras --amount macs:0.5 --data train/ --epochs 5 \\
          --evaluate test/ -o small.keras
      edgekit prune model.h5 --amount 0.3 --importance taylor --data train.npz -o small.keras
    """
    request = PruneRequest(
        model=str(model),
        labels=str(labels) if labels else None,
        input_shape=tuple(int(side) for side in input_shape) if input_shape else None,
        overrides=overrides,
        **wishes,
    )
    return prune_file(request, output)

"""`edgekit prune`: a smaller, faster Keras model, or one that is a small download."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import options, tables
from edgekit.cli.common import Document, command
from edgekit.cli.options import Numbers
from edgekit.manifest import Overrides
from edgekit_converters.prune import amount as amounts
from edgekit_converters.prune.command import PruneRequest, PruneResult, prune_file

METHODS = ("channels", "magnitude", "2:4", "block", "cluster", "activations")


def show(found: Document) -> None:
    """Show what it bought, and which layers paid for it."""
    before, after = found["before"], found["after"]
    by = f", ranked by {found['importance']}" if found["importance"] else ""
    tables.line(f"{Path(found['source']).name}, pruned: {found['amount']}{by}")
    tables.line()
    rows = [
        (
            name,
            _cell(name, key, before),
            _cell(name, key, after),
            _change(before, after, key) if name not in {"metric", _SPREAD} else None,
        )
        for name, key in _ROWS
        if before[key] is not None
    ]
    tables.table(["", "before", "after", "change"], rows, numbers=["before", "after", "change"])
    tables.line()
    if found["activations"]:
        _show_activations(found)
    elif found["kernels"]:
        _show_kernels(found)
    else:
        _show_channels(found)
    if after["bytes"] is not None:
        tables.line(
            "Sizes and latency (median) of the .tflite files are those of this machine."
        )
    if found["advice"]:
        tables.line(found["advice"])
    tables.line(f"Wrote {found['path']}.")


_SPREAD = "p5 to p95"
_ROWS = (
    ("parameters", "parameters"),
    ("not zero", "nonzero"),
    ("multiply-adds", "macs"),
    ("float .tflite", "bytes"),
    ("float gzip", "gzip_bytes"),
    ("float latency", "latency_ms"),
    (_SPREAD, "latency_ms"),
    ("int8 .tflite", "int8_bytes"),
    ("int8 gzip", "int8_gzip_bytes"),
    ("int8 latency", "int8_latency_ms"),
    (_SPREAD, "int8_latency_ms"),
    ("metric", "value"),
)


def _show_channels(found: Document) -> None:
    """Show the layers that lost channels, and those that could not."""
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


def _show_activations(found: Document) -> None:
    """Show the layers that have ReLU in place of what they had."""
    names = found["activations"]
    tables.line(f"ReLU in {len(names)} layers: {', '.join(names)}.")
    if not found["epochs"]:
        tables.line("The net was trained with others: fine-tune it with --data and --epochs.")


def _show_kernels(found: Document) -> None:
    """Show the kernels that lost weights or values, and why others did not."""
    rows = [
        (name, weights, tables.percent(zeros / weights), values)
        for name, weights, zeros, values in (
            (each["name"], each["weights"], each["zeros"], each["values"])
            for each in found["kernels"]
        )
    ]
    heads = ["kernel", "weights", "zero", "different"]
    tables.table(heads, rows, numbers=heads[1:])
    tables.line()
    reasons: dict[str, list[str]] = {}
    for each in found["frozen"]:
        reasons.setdefault(each["reason"], []).extend(each["layers"])
    for reason, names in reasons.items():
        tables.line(f"Left alone: {', '.join(names)}: {reason}.")


def _cell(name: str, key: str, side: Document) -> str:
    value = side[key]
    if name == _SPREAD:
        return f"{value['p5']:.3g} - {value['p95']:.3g} ms"
    if key.endswith("latency_ms"):
        return tables.milliseconds(value["median"])
    if name == "metric":
        return f"{side['metric']} {tables.metric(side['metric'], value)}"
    return tables.size(value) if key.endswith("bytes") else tables.count(value)


def _change(before: Document, after: Document, key: str) -> str:
    """How large the second number is beside the first."""
    one, other = before[key], after[key]
    if key.endswith("latency_ms"):
        one, other = one["median"], other["median"]
    return f"x {other / one:.2f}"


@command(show)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--method",
    type=click.Choice(METHODS),
    help="channels is what makes models faster; activations is for accelerators, the "
    "others make downloads smaller.  "
    "[by --amount, else channels]",
)
@click.option(
    "--amount",
    metavar="SHARE|N",
    help="Share that goes: 0.5 of the channels of each layer, macs:0.5 of the work, "
    "latency:0.5@host of the time, here or on a target that was calibrated; 0.8 of the "
    "weights; of clusters, how many values stay.",
)
@click.option(
    "--importance",
    type=click.Choice(["auto", "l1", "l2", "batchnorm", "taylor"]),
    default="auto",
    show_default=True,
    help="Which channels go first. taylor needs labelled --data; auto tries it and l1 on "
    "them, and is l1 without.",
)
@click.option(
    "--ranking",
    type=click.Choice(["layer", "global"]),
    help="Same share of each layer, or the least important anywhere.  [by --amount]",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=1,
    help="Take channels in so many rounds, fine-tuning after each.  [1]",
)
@click.option("--depthwise", is_flag=True, help="Prune weights of depthwise kernels, too.")
@click.option(
    "--data",
    metavar="DATA",
    help="Typical inputs: layers make up for what is taken; with --epochs to fine-tune on.",
)
@click.option("--epochs", type=click.IntRange(min=0), default=0, help="Fine-tune so long.  [0]")
@click.option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    default=1e-3,
    help="Of fine-tuning, falling to zero; many zeros recover better from 0.004.  [0.001]",
)
@click.option("--distill", is_flag=True, help="Learn from the original's outputs too.")
@click.option(
    "--augment", is_flag=True, help="Show pictures cut, mirrored and lit differently each time."
)
@click.option("--evaluate", metavar="DATA", help="Other labelled data, for the metric.")
@click.option("--calibrate", metavar="DATA", help="Typical inputs, to measure int8 as well.")
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
    method: str | None,
    amount: str | None,
    labels: Path | None,
    input_shape: tuple[float, ...] | None,
    overrides: Overrides,
    output: Path,
    **wishes: Any,
) -> PruneResult:
    """Take out of MODEL, a Keras file, what it can do without.

    \b
    channels   whole channels go: faster everywhere, and smaller
    magnitude  the smallest weights become zero: a smaller download
    2:4        two of four consecutive inputs become zero: the same, in a pattern
    block      four consecutive inputs of an output become zero together: the same
    cluster    each kernel keeps N different values: a smaller download
    activations  HARD_SWISH, LeakyReLU and their like become ReLU, for accelerators

    Layers keep a multiple of 8 channels. The smaller model is proved equal to the original
    with the same channels set to zero; layers that must stay whole are named with the
    reason. With --data the layers that are left make up for what is gone, by least squares
    and without labels; fine-tuning (--epochs) wins back more. Zeros stay zero.

    \b
    Examples:
      edgekit prune model.keras --amount 0.5 -o small.keras
      edgekit prune model.keras --amount macs:0.5 --data train/ --epochs 5 \\
          --evaluate test/ -o small.keras
      edgekit prune model.h5 --amount 0.3 --importance taylor --data train.npz -o small.keras
      edgekit prune model.keras --method magnitude --amount 0.8 --data train/ --epochs 5 \\
          -o sparse.keras
      edgekit prune sparse.keras --method cluster --amount 32 -o tiny.keras
      edgekit prune mobilenet_v3.keras --method activations --data train/ --epochs 5 \\
          -o relu.keras
    """
    request = PruneRequest(
        model=str(model),
        amount=str(amounts.complete(method, amount)),
        labels=str(labels) if labels else None,
        input_shape=tuple(int(side) for side in input_shape) if input_shape else None,
        overrides=overrides,
        **wishes,
    )
    return prune_file(request, output)

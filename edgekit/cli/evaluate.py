"""`edgekit evaluate`: accuracy of a model on data."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import options, tables
from edgekit.cli.common import Document, command
from edgekit.manifest import Overrides


def show(found: Document) -> None:
    """Show the metric, and that of each class."""
    tables.facts(
        [
            ("model", Path(found["model"]).name),
            ("data", found["data"]),
            ("pictures", found["preprocessing"]),
            (found["metric"], tables.metric(found["metric"], found["value"])),
            *((name, tables.metric(name, each)) for name, each in found["others"].items()),
            ("samples", found["samples"]),
            ("skipped", found["skipped"] or None),
        ]
    )
    parts = found["per_class"] or found["per_output"]
    if len(parts) > 1:
        what = "class" if found["per_class"] else "output"
        rows = [(name, tables.metric(found["metric"], value)) for name, value in parts.items()]
        tables.line()
        tables.table([what, found["metric"]], rows, numbers=[found["metric"]])


@command(show)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@options.labels
@click.option("--metric", help="accuracy, map50, map or sqnr_db; the default suits the model.")
@click.option("--limit", type=click.IntRange(min=1), help="Use no more than so many samples.")
@click.option("--seed", default=0, show_default=True, help="Which samples --limit chooses.")
@click.option(
    "--split",
    metavar="NAME",
    help="Set of pictures with boxes: train, val, test or all; the default is test, if any.",
)
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    help="Float model that sqnr_db compares with.",
)
@options.preprocessing
@options.sample_rate
@options.interpreter
def evaluate(
    model: Path,
    data: Path,
    *,
    labels: Path | None,
    overrides: Overrides,
    backend: str,
    threads: int | None,
    delegate: str | None,
    **wishes: Any,
) -> object:
    """Run MODEL over DATA and print its metric; any Keras or .tflite file.

    DATA is a folder with one folder for each class, flat files named
    label_speaker_take.ext, or an .npz with x and y; for a detector pictures with
    boxes: Pascal VOC, COCO (annotations.json) or YOLO (images/, labels/).

    \b
    Examples:
      edgekit evaluate model.tflite photos/
      edgekit evaluate model.keras photos/ --limit 500 --input-range=-1,1
      edgekit evaluate model.tflite test.npz --json | jq .value
      edgekit evaluate cards.tflite playing-cards/ --metric map
      edgekit evaluate autoencoder.tflite x.npy --metric sqnr_db --reference model.keras
    """
    from edgekit.data import read_labels
    from edgekit.evaluation.evaluate import evaluate as work
    from edgekit.evaluation.subject import Interpreter

    return work(
        model,
        data,
        labels=read_labels(labels) if labels else (),
        overrides=overrides,
        interpreter=Interpreter(backend=backend, threads=threads, delegate=delegate),
        **wishes,
    )

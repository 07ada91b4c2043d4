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
    if found["spotting"]:
        _show_spotting(found["spotting"])
        return
    parts = found["per_class"] or found["per_output"]
    if len(parts) > 1:
        what = "class" if found["per_class"] else "output"
        rows = [(name, tables.metric(found["metric"], value)) for name, value in parts.items()]
        tables.line()
        tables.table([what, found["metric"]], rows, numbers=[found["metric"]])


def _show_spotting(found: Document) -> None:
    hours = found["hours"]
    length = f"{hours:.2f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    tables.facts(
        [
            ("recordings", f"{length} without foreign words"),
            (
                "false alarms an hour",
                _rate(found, "false_alarms", "false_alarms_per_hour"),
            ),
            (
                "in 1000 foreign words",
                _rate(found, "foreign_alarms", "foreign_alarms_per_thousand"),
            ),
            ("thresholds", _thresholds(found["budget"])),
        ]
    )
    rows = [
        (
            each["word"],
            each["said"],
            tables.percent(each["false_rejects"]),
            each["false_alarms"],
            each["foreign_alarms"],
            f"{each['threshold']:.3f}",
        )
        for each in found["words"]
    ]
    heads = ["said", "not heard", "false alarms", "in foreign words", "threshold"]
    tables.line()
    tables.table(["word", *heads], rows, numbers=heads)


def _rate(found: Document, count: str, rate: str) -> str | None:
    """Return a rate, the count behind it and its upper bound; None if nothing was counted."""
    if found[rate] is None:
        return None
    value, upper = (
        f"{each:.0f}" if each >= 100 else f"{each:.3g}"
        for each in (found[rate], found[f"{rate}_upper"])
    )
    heard = found[count] or "none"
    return f"{value} ({heard} heard; with 95 % confidence not above {upper})"


def _thresholds(budget: float | None) -> str:
    if budget is None:
        return "the model's own"
    return f"chosen on these recordings for {budget:g} false alarms an hour"


@command(show)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@options.labels
@click.option(
    "--metric",
    help="accuracy, map50, map, sqnr_db or false_rejects; the default suits the model.",
)
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
@click.option(
    "--false-alarms-per-hour",
    type=click.FloatRange(min=0),
    metavar="N",
    help="On recordings with marks: choose the thresholds for so many false alarms an hour.",
)
@click.option(
    "--det",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg",
    help="On recordings with marks: draw misses against false alarms, for every threshold.",
)
@options.preprocessing
@options.sample_rate
@options.front_end
@options.interpreter
def evaluate(
    model: Path,
    data: Path,
    *,
    labels: Path | None,
    det: Path | None,
    overrides: Overrides,
    backend: str,
    threads: int | None,
    delegate: str | None,
    front_end: str | None,
    **wishes: Any,
) -> object:
    """Run MODEL over DATA and print its metric; any Keras or .tflite file.

    DATA is a folder with one folder for each class, flat files named
    label_speaker_take.ext, or an .npz with x and y; for a detector pictures with
    boxes: Pascal VOC, COCO (annotations.json) or YOLO (images/, labels/).
    For a keyword model also a recording, however long, with a text file of marks
    beside it (start end label, in seconds), or a folder of such pairs: how many words
    are missed, and how many are imagined an hour.

    \b
    Examples:
      edgekit evaluate model.tflite photos/
      edgekit evaluate model.keras photos/ --limit 500 --input-range=-1,1
      edgekit evaluate model.tflite test.npz --json | jq .value
      edgekit evaluate cards.tflite playing-cards/ --metric map
      edgekit evaluate words.tflite evening.wav --det det.svg
      edgekit evaluate words.tflite recordings/ --false-alarms-per-hour 0.5
      edgekit evaluate autoencoder.tflite x.npy --metric sqnr_db --reference model.keras
    """
    from edgekit.data import read_labels
    from edgekit.data.frontend import preset
    from edgekit.evaluation.evaluate import evaluate as work
    from edgekit.evaluation.subject import Interpreter
    from edgekit.report.det import need_svg, write_det

    if det is not None:
        need_svg(det)
    found = work(
        model,
        data,
        labels=read_labels(labels) if labels else (),
        overrides=overrides,
        front_end=preset(front_end) if front_end else None,
        interpreter=Interpreter(backend=backend, threads=threads, delegate=delegate),
        **wishes,
    )
    if det is not None:
        write_det(found, det)
    return found

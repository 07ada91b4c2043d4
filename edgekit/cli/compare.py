"""`edgekit compare`: two models on the same data."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import options, tables
from edgekit.cli.common import Document, command
from edgekit.manifest import Overrides

_EQUAL_DB = 200.0  # what the metric gives for outputs without any difference


def _show(found: Document) -> None:
    names = [(side, Path(found[side]["model"]).name) for side in ("a", "b")]
    if found["a"]["metric"] is None:
        tables.table(["", "model"], names)
    else:
        metric = found["a"]["metric"]
        rows = [(*name, tables.metric(metric, found[name[0]]["value"])) for name in names]
        tables.table(["", "model", metric], rows, numbers=[metric])
    tables.line()
    noise = ", ".join(map(_decibel, found["sqnr_db"].values()))
    largest = found["max_abs_diff"]
    tables.facts(
        [
            ("data", found["data"]),
            ("samples", found["samples"]),
            ("skipped", found["skipped"] or None),
            ("agreement", tables.percent(found["agreement"])),
            ("largest difference", None if largest is None else f"{largest:.4g}"),
            ("signal to difference", noise or None),
        ]
    )


def _decibel(value: float) -> str:
    return "equal" if value >= _EQUAL_DB else f"{value:.1f} dB"


@command(_show)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), help="What to feed.")
@options.labels
@click.option("--limit", type=click.IntRange(min=1), help="Use no more than so many samples.")
@click.option("--seed", default=0, show_default=True, help="Which samples --limit chooses.")
@options.preprocessing
@options.sample_rate
@options.front_end
@options.interpreter
def compare(
    a: Path,
    b: Path,
    *,
    data: Path,
    labels: Path | None,
    overrides: Overrides,
    backend: str,
    threads: int | None,
    delegate: str | None,
    front_end: str | None,
    **wishes: Any,
) -> object:
    """Feed A and B the same data and say how far they agree.

    Each model gets the samples prepared as it says itself. The data need no classes;
    where they have some, the accuracy of both is printed too. Two detectors agree as far
    as their boxes do (F1 at an overlap of 0.5), whatever the form of their outputs.

    \b
    Examples:
      edgekit compare model.keras model.tflite --data photos/
      edgekit compare a.tflite b.tflite --data photos/ --limit 500 --json | jq .agreement
    """
    from edgekit.data import read_labels
    from edgekit.data.frontend import preset
    from edgekit.evaluation.compare import compare as work
    from edgekit.evaluation.subject import Interpreter

    return work(
        a,
        b,
        data,
        labels=read_labels(labels) if labels else (),
        overrides=overrides,
        front_end=preset(front_end) if front_end else None,
        interpreter=Interpreter(backend=backend, threads=threads, delegate=delegate),
        **wishes,
    )

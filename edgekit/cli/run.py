"""`edgekit run`: files through a model, the result in words."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import options, tables
from edgekit.cli.common import Document, command
from edgekit.manifest import Overrides
from edgekit.records import to_json


def _show(found: Document) -> None:
    for result in found["results"]:
        tables.line(result["input"])
        if "top" in result:
            rows = [(f"  {each['label']}", f"{each['score']:.3f}") for each in result["top"]]
            tables.table(["  label", "score"], rows, numbers=["score"])
        elif "keywords" in result:
            _show_keywords(result["keywords"])
        elif "detections" in result:
            _show_detections(result["detections"])
        else:
            _show_outputs(result["outputs"])
        tables.line()


def _show_keywords(found: list[Document]) -> None:
    if not found:
        tables.line("  nothing heard")
        return
    rows = [
        (f"  {each['keyword']}", f"{each['t']:.2f} s", f"{each['score']:.3f}") for each in found
    ]
    tables.table(["  keyword", "heard at", "score"], rows, numbers=["heard at", "score"])


def _show_detections(found: list[Document]) -> None:
    if not found:
        tables.line("  nothing found")
        return
    sides = ["left", "top", "right", "bottom"]
    rows = [
        (f"  {each['label']}", f"{each['score']:.3f}", *(f"{side:.0f}" for side in each["box"]))
        for each in found
    ]
    tables.table(["  label", "score", *sides], rows, numbers=["score", *sides])


def _show_outputs(outputs: list[Document]) -> None:
    rows = [
        (
            each["name"],
            tables.shape(each["shape"]),
            *(_number(each[key]) for key in ("min", "mean", "max")),
            " ".join(_number(value) for value in each["first"][:4]),
        )
        for each in outputs
    ]
    heads = ["output", "shape", "min", "mean", "max", "first values"]
    tables.table(heads, rows, numbers=heads[2:5])


def _number(value: float | None) -> str:
    return tables.NONE if value is None else f"{value:.4g}"


@command(_show)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path())
@options.labels
@options.preprocessing
@options.sample_rate
@options.front_end
@options.interpreter
def run(
    model: Path,
    inputs: tuple[str, ...],
    *,
    labels: Path | None,
    overrides: Overrides,
    backend: str,
    threads: int | None,
    delegate: str | None,
    front_end: str | None,
    **wishes: Any,
) -> object:
    """Run pictures, sounds or arrays through MODEL and print the result in words.

    INPUT is a picture, a sound, an .npy or .npz file, or a folder of these. A detector
    gives the objects with their boxes, in pixels of the picture; a keyword model the words
    that it hears in a sound, and when.

    \b
    Examples:
      edgekit run model.tflite cat.jpg dog.jpg
      edgekit run model.tflite photos/ --json | jq '.results[].top[0]'
      edgekit run words.tflite speech.wav
      edgekit run model.tflite x.npy --delegate edgetpu
    """
    from edgekit.data import read_labels
    from edgekit.data.frontend import preset
    from edgekit.evaluation.run import run as work
    from edgekit.evaluation.subject import Interpreter

    document = to_json(
        work(
            model,
            inputs,
            labels=read_labels(labels) if labels else (),
            overrides=overrides,
            front_end=preset(front_end) if front_end else None,
            interpreter=Interpreter(backend=backend, threads=threads, delegate=delegate),
            **wishes,
        )
    )
    for result in document["results"]:  # only what the model's task has
        for key in [key for key, value in result.items() if value is None]:
            del result[key]
    return document

"""`edgekit demo`: live demos, from a camera to boxes or classes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgekit.cli import options
from edgekit.cli.common import Document, command
from edgekit.errors import UsageError
from edgekit.extras import need
from edgekit.manifest import Overrides
from edgekit.records import to_json

Function = TypeVar("Function", bound=Callable[..., Any])

_STDOUT = "-"
_STAGES = ("capture", "preprocess", "inference", "postprocess", "total")


@click.group()
def demo() -> None:
    """See a model at work: on a camera, a film, a stream, or drawn pictures.

    \b
    Examples:
      edgekit demo detect --source synthetic --headless --frames 50
      edgekit demo detect --source 0 --preview 127.0.0.1:8080

    Each has more examples in its own --help, and knows --json, --verbose, --quiet and
    --debug.
    """


def _show(found: Document) -> None:
    """Show how it went, unless standard output is for the lines."""
    if found["jsonl"] != _STDOUT:
        _show_run(found)
    if found["interrupted"]:
        raise KeyboardInterrupt


def _show_run(found: Document) -> None:
    from edgekit.cli import tables  # only in the end: what comes before it is to begin soon

    rate = f"{found['fps']:.1f} frames a second"
    tables.facts(
        [
            ("model", Path(found["model"]).name),
            ("source", found["source"]),
            ("frames", f"{found['frames']} in {found['seconds']:.1f} s, {rate}"),
            ("dropped", found["dropped"] or None),
            ("damaged", found["damaged"] or None),
            ("lines", found["jsonl"]),
            ("film", found["saved"]),
        ]
    )
    ms = found["ms"]
    rows = [
        (stage, *(tables.milliseconds(ms[stage][each]) for each in ("p50", "p95")))
        for stage in _STAGES
        if stage in ms
    ]
    if rows:
        tables.line()
        tables.table(["stage", "p50", "p95"], rows, numbers=["p50", "p95"])
    seen = found["seen"].items()
    rows = [(label, count, tables.percent(count / found["frames"])) for label, count in seen]
    if rows:
        tables.line()
        heads = ["found", "frames", "share"]
        tables.table(heads, rows, numbers=heads[1:])


def _live(function: Function) -> Function:
    """Add the options that the live demos share."""
    for option in reversed(
        [
            click.option("--model", help="A .tflite, or the name of a carried model."),
            click.option(
                "--source",
                default="0",
                show_default=True,
                help="Camera number, /dev/videoN, picamera, film, pictures, http://, "
                "rtsp://, tcp://, udp:// or synthetic.",
            ),
            click.option("--headless", is_flag=True, help="Open no window."),
            click.option("--frames", type=click.IntRange(min=1), help="End after so many."),
            click.option(
                "--threshold",
                type=click.FloatRange(0, 1),
                help="Lowest score that counts; the model's own by default.",
            ),
            click.option(
                "--jsonl", metavar="FILE|-", help="One JSON line a frame; - is standard output."
            ),
            click.option("--save", metavar="FILE.mp4", help="Film with the findings drawn."),
            click.option("--preview", metavar="HOST:PORT", help="Page to watch in a browser."),
            options.labels,
            options.preprocessing,
            options.interpreter,
        ]
    ):
        function = option(function)
    return function


@demo.add_command
@command(_show)
@_live
def detect(**wishes: Any) -> Document:
    """Find objects in live frames, and follow them.

    Without --model it finds playing cards with the detector that edgekit carries. A key
    press q in the window, or Ctrl-C, ends it; a film that is saved is finished first.

    \b
    Examples:
      edgekit demo detect --source synthetic --headless --frames 50
      edgekit demo detect --source 0 --preview 127.0.0.1:8080
      edgekit demo detect --model m.tflite --source film.mp4 --jsonl - | jq .detections
      edgekit demo detect --source rtsp://10.0.0.9/live --headless --save seen.mp4
    """
    return _run("detect", **wishes)


@demo.add_command
@command(_show)
@_live
def classify(**wishes: Any) -> Document:
    """Tell what live frames show.

    Without --model it tells drawn shapes apart, with the classifier that edgekit carries.

    \b
    Examples:
      edgekit demo classify --source photos/ --headless --jsonl -
      edgekit demo classify --model flowers.tflite --source picamera --preview 0.0.0.0:8080
    """
    return _run("classify", **wishes)


def _run(
    name: str, *, model: str | None, labels: Path | None, overrides: Overrides, **rest: Any
) -> Document:
    from edgekit.data import read_labels

    context = click.get_current_context(silent=True)
    as_json = bool(context and context.params.get("as_json"))
    if as_json and rest["jsonl"] == _STDOUT:
        msg = "--json and --jsonl - both want standard output; give --jsonl a file."
        raise UsageError(msg)
    demos = need(f"edgekit_demos.{name}", f"run `edgekit demo {name}`")
    request = need("edgekit_demos.live", "run a live demo").Request(
        model=model or demos.MODEL,
        labels=read_labels(labels) if labels else (),
        overrides=overrides,
        **rest,
    )
    document: Document = to_json(getattr(demos, name)(request, hear=_hear))
    if document["interrupted"] and as_json:
        raise KeyboardInterrupt
    return document


def _hear(news: dict[str, Any]) -> None:
    """Pass on what comes while it runs."""
    if "line" in news:
        sys.stdout.write(json.dumps(news["line"]) + "\n")
        sys.stdout.flush()
    if "preview" in news:
        click.echo(f"Watch it at {news['preview']}", err=True)

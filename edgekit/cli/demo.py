"""`edgekit demo`: live demos, from a camera to boxes or classes, from a microphone to words."""

import functools
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from edgekit.cli import options
from edgekit.cli.common import Document, command
from edgekit.errors import UsageError
from edgekit.extras import need
from edgekit.records import to_json

Option = Callable[[Callable[..., Any]], Callable[..., Any]]

_STDOUT = "-"
_STAGES = ("capture", "preprocess", "inference", "postprocess", "total")


@click.group()
def demo() -> None:
    """See a model at work: on a camera, a film, a stream, a microphone.

    \b
    Examples:
      edgekit demo detect --source synthetic --headless --frames 50
      edgekit demo detect --source 0 --preview 127.0.0.1:8080
      edgekit demo keywords --source mic

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


def _show_heard(found: Document) -> None:
    """Show what was heard, or the devices."""
    from edgekit.cli import tables

    if "devices" not in found:
        if found["jsonl"] != _STDOUT:
            _show_words(found)
        if found["interrupted"]:
            raise KeyboardInterrupt
        return
    heads = ["source", "name", "channels", "rate"]
    rows = [
        (
            f"mic:{each['index']}" + (" or mic" if each["default"] else ""),
            each["name"],
            each["channels"] or tables.NONE,
            f"{each['rate_hz']} Hz" if each["rate_hz"] else tables.NONE,
        )
        for each in found["devices"]
    ]
    if rows:
        tables.table(heads, rows, numbers=heads[2:])
    else:
        tables.line("There is no microphone.")


def _show_words(found: Document) -> None:
    from edgekit.cli import tables

    factor = found["real_time_factor"]
    tables.facts(
        [
            ("model", Path(found["model"]).name),
            ("source", found["source"]),
            ("heard", f"{found['seconds']:.1f} s of sound"),
            ("work", f"{tables.percent(factor)} of that time" if factor is not None else None),
            ("lost", f"{found['lost_s']:.2f} s" if found["lost_s"] else None),
            ("lines", found["jsonl"]),
        ]
    )
    tables.line()
    tables.table(["word", "heard"], list(found["heard"].items()), numbers=["heard"])


def _shared(source: Option, line: str) -> Option:
    """Add the options that all live demos share.

    Args:
        source: The option of where it takes its input.
        line: What gets a line in `--jsonl`.
    """
    every: list[Option] = [
        click.option(
            "--model", help="A .tflite, or the name of a carried or downloaded model."
        ),
        source,
        click.option(
            "--threshold",
            type=click.FloatRange(0, 1),
            help="Lowest score that counts; the model's own by default.",
        ),
        click.option(
            "--jsonl", metavar="FILE|-", help=f"One JSON line {line}; - is standard output."
        ),
        click.option("--preview", metavar="HOST:PORT", help="Page to watch in a browser."),
        options.labels,
        options.interpreter,
    ]
    return _together(every)


def _together(every: Sequence[Option]) -> Option:
    """Return what adds all options, in their order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(every):
            function = option(function)
        return function

    return add


_SEEN = click.option(
    "--source",
    default="0",
    show_default=True,
    help="Camera number, /dev/videoN, picamera, film, pictures, http://, rtsp://, tcp://, "
    "udp:// or synthetic.",
)
_HEARD = click.option(
    "--source",
    default="mic",
    show_default=True,
    help="mic, mic:DEVICE, a recording, a folder of them, or synthetic.",
)
_live = _together(
    [
        _shared(_SEEN, "a frame"),
        click.option("--headless", is_flag=True, help="Open no window."),
        click.option("--frames", type=click.IntRange(min=1), help="End after so many."),
        click.option("--save", metavar="FILE.mp4", help="Film with the findings drawn."),
        options.preprocessing,
    ]
)


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


@demo.add_command
@command(_show_heard)
@_shared(_HEARD, "a word")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="End after.")
@options.front_end
@click.option("--list-devices", is_flag=True, help="List the microphones, and end.")
def keywords(*, list_devices: bool, **wishes: Any) -> Document:
    """Hear words in live sound.

    Without --model it hears the words of the model that edgekit carries. Ctrl-C ends it.
    On a terminal a meter shows how loud it is, and each word comes as it is heard.

    \b
    Examples:
      edgekit demo keywords --source synthetic --seconds 60
      edgekit demo keywords --list-devices
      edgekit demo keywords --source mic:1 --preview 0.0.0.0:8080
      edgekit demo keywords --model m.tflite --source talk.flac --jsonl - | jq .keyword
    """
    if list_devices:
        found = need("edgekit_demos.keywords", "list microphones").devices()
        return {"devices": found}
    return _run("keywords", **wishes)


def _run(name: str, *, model: str | None, labels: Path | None, **rest: Any) -> Document:
    from edgekit.data import read_labels

    context = click.get_current_context(silent=True)
    as_json = bool(context and context.params.get("as_json"))
    if as_json and rest["jsonl"] == _STDOUT:
        msg = "--json and --jsonl - both want standard output; give --jsonl a file."
        raise UsageError(msg)
    demos = need(f"edgekit_demos.{name}", f"run `edgekit demo {name}`")
    request = demos.Request(
        model=model or demos.MODEL, labels=read_labels(labels) if labels else (), **rest
    )
    hear = functools.partial(_hear, as_json=as_json)
    document: Document = to_json(getattr(demos, name)(request, hear=hear))
    if document["interrupted"] and as_json:
        raise KeyboardInterrupt
    return document


def _hear(news: dict[str, Any], *, as_json: bool) -> None:
    """Pass on what comes while it runs."""
    if "line" in news:
        sys.stdout.write(json.dumps(news["line"]) + "\n")
        sys.stdout.flush()
    if "heard" in news and not as_json:
        heard = news["heard"]
        click.echo(f"{heard['t']:8.1f} s  {heard['keyword']}  {heard['score']:.2f}")
    if "preview" in news:
        click.echo(f"Watch it at {news['preview']}", err=True)

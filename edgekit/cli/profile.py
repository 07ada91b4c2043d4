"""`edgekit profile`: measured latency and memory."""

from pathlib import Path

import click

from edgekit.cli import options, tables
from edgekit.cli.common import Document, command

_COLUMNS = ("min", "p5", "median", "p95", "p99", "max")


def show(found: Document) -> None:
    """Show the latencies, and how each was measured."""
    profiles = found.get("profiles", [found])
    heads = ["model", *_COLUMNS]
    rows = [
        (Path(each["model"]).name, *(_ms(each["latency_ms"][key]) for key in _COLUMNS))
        for each in profiles
    ]
    tables.table(heads, rows, numbers=_COLUMNS, title="Measured latency in milliseconds")
    for each in profiles:
        tables.line()
        _show_one(each)


def _show_one(found: Document) -> None:
    machine = found["machine"]
    threads = found["threads"]
    memory = found["peak_rss_mb"]
    heat = [found["machine"]["temperature_c"], found["temperature_after_c"]]
    tables.facts(
        [
            ("model", f"{Path(found['model']).name}, {tables.size(found['bytes'])}"),
            ("runs", f"{found['runs']} after {found['warmup_runs']} to warm up"),
            ("runtime", ", ".join(filter(None, [found["runtime"], found["delegate"]]))),
            ("threads", threads),
            ("load, first run", " ".join(map(tables.milliseconds, _start(found)))),
            ("peak memory", None if memory is None else f"{memory:.0f} MiB"),
            ("machine", ", ".join(filter(None, [machine["board"], machine["cpu"]]))),
            ("cores, load", f"{machine['cores']}, {machine['load']}"),
            ("governor", machine["governor"]),
            ("temperature", None if None in heat else f"{heat[0]:.0f} to {heat[1]:.0f} °C"),
        ]
    )
    tables.warned(found["notes"])


def _ms(value: float) -> str:
    return tables.milliseconds(value).removesuffix(" ms")


def _start(found: Document) -> tuple[float, float]:
    return found["load_ms"], found["first_ms"]


@command(show)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", type=click.Path())
@click.option("--runs", type=click.IntRange(min=1), help="Timed runs; default as needed.")
@click.option(
    "--warm-up",
    "warmup_s",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="Longest warm-up in seconds.",
)
@options.interpreter
def profile(
    models: tuple[str, ...],
    *,
    runs: int | None,
    warmup_s: float,
    backend: str,
    threads: int | None,
    delegate: str | None,
) -> object:
    """Measure latency and memory of MODEL on this machine; the file is never altered.

    Several models are measured in turns, so that a busy moment meets all of them alike.

    \b
    Examples:
      edgekit profile model.tflite
      edgekit profile model.tflite --threads 1 --runs 200 --json > profile.json
      edgekit profile float.tflite int8.tflite
    """
    from edgekit.profiling.profile import profile_many
    from edgekit.records import to_json

    found = profile_many(
        models,
        backend=backend,
        threads=threads,
        delegate=delegate,
        runs=runs,
        warmup_s=warmup_s,
    )
    return found[0] if len(found) == 1 else {"profiles": to_json(found)}

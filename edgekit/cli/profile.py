"""`edgekit profile`: measured latency and memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli import options, profile_details, tables
from edgekit.cli.common import Document, command
from edgekit.records import to_json

if TYPE_CHECKING:
    from edgekit.profiling.profile import Profile

_MOST_OPERATORS = 20
_COLUMNS = ("min", "p5", "median", "p95", "p99", "max")


def show(found: Document) -> None:
    """Show the latencies, and how each was measured."""
    if "devices" in found:
        _show_fleet(found)
        return
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


def _show_fleet(found: Document) -> None:
    rows = [
        (
            device["name"],
            Path(each["model"]).name,
            *(_ms(each["latency_ms"][key]) for key in ("p5", "median", "p95")),
            each["machine"]["board"] or each["machine"]["cpu"],
        )
        for device in found["devices"]
        for each in device["profiles"]
    ]
    numbers = ("p5", "median", "p95")
    heads = ["device", "model", *numbers, "board"]
    tables.table(heads, rows, numbers=numbers, title="Measured latency in milliseconds")
    for device in found["devices"]:
        notes = {note for each in device["profiles"] for note in each["notes"]}
        tables.warned(f"{device['name']}: {note}" for note in sorted(notes))
        if device["error"]:
            tables.line(f"\n{device['name']} was not measured. {device['error']}")


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
            ("values between operators", _arena(found["arena_mb"])),
            ("machine", ", ".join(filter(None, [machine["board"], machine["cpu"]]))),
            (
                "cores, load",
                f"{machine['cores']}, {machine['load']}" if machine["cores"] else None,
            ),
            ("governor", machine["governor"]),
            ("reached by", None if found["on"] == "local" else found["on"]),
            ("temperature", None if None in heat else f"{heat[0]:.0f} to {heat[1]:.0f} °C"),
        ]
    )
    tables.warned(found["notes"])
    profile_details.show(found)
    if found["ops"] and not found["per_op"]:
        _show_told_operators(found["ops"])


def _show_told_operators(ops: list[Document]) -> None:
    """Show what another tool said of operators, the longest first."""
    order = sorted(ops, key=lambda each: -each["ms"])[:_MOST_OPERATORS]
    tables.line()
    tables.table(
        ["#", "kernel", "ms", "share", "layer"],
        [
            (
                each["index"] if each["index"] >= 0 else None,
                each["kernel"],
                _ms(each["ms"]),
                tables.percent(each["share"]),
                each["name"],
            )
            for each in order
        ],
        numbers=("#", "ms", "share"),
        title="Time of each operator, the longest first",
    )


def _ms(value: float) -> str:
    return tables.milliseconds(value).removesuffix(" ms")


def _arena(value: float | None) -> str | None:
    return None if value is None else f"{value:.3g} MiB at least"


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
@click.option(
    "--on",
    default="local",
    metavar="ADDRESS",
    help="Where: local, ssh://user@host[:port], adb://serial, or @devices.toml for many.",
)
@click.option("--target", help="Profile of the device; default: what its board says.")
@click.option(
    "--benchmark-model",
    type=click.Path(),
    help="Android's benchmark_model, for adb://; default: the one in the cache.",
)
@click.option("--per-op", "operators", is_flag=True, help="Also the time of each operator.")
@click.option(
    "--per-op-by",
    "method",
    type=click.Choice(["auto", "profiler", "cut"]),
    default="auto",
    help="By the runtime's profiler, or each operator cut out and run alone.",
)
@click.option("--sweep", is_flag=True, help="First try threads and delegates; take the best.")
@click.option("--seconds", type=float, help="Also run it so long without pause.")
@click.option(
    "--node-data",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write times of operators for Model Explorer; with --per-op.",
)
@options.interpreter
def profile(
    models: tuple[str, ...],
    *,
    on: str,
    target: str | None,
    benchmark_model: str | None,
    operators: bool,
    method: str,
    sweep: bool,
    seconds: float | None,
    node_data: Path | None,
    runs: int | None,
    warmup_s: float,
    backend: str,
    threads: int | None,
    delegate: str | None,
) -> object:
    """Measure latency and memory of MODEL, here or on a device; the file is never altered.

    Several models are measured in turns, so that a busy moment meets all of them alike.
    --per-op says what each operator takes, and what to change. Through ssh edgekit brings
    itself: the device needs Python 3 and no network. Recorded output of benchmark_model or
    litert-benchmark (.txt, .log, .csv, .json) is read instead.

    \b
    Examples:
      edgekit profile model.tflite
      edgekit profile model.tflite --threads 1 --runs 200 --json > profile.json
      edgekit profile float.tflite int8.tflite
      edgekit profile model.tflite --per-op --node-data times.json
      edgekit profile model.tflite --sweep --seconds 600
      edgekit profile model.tflite --on ssh://pi@raspberrypi.local
      edgekit profile model.tflite --on adb:// --benchmark-model android_benchmark_model
      edgekit profile model.tflite --on @devices.toml --json
      edgekit profile pixel.txt --json
    """
    from edgekit.files import atomic_write
    from edgekit.profiling.node_data import node_data_text
    from edgekit.profiling.recorded import is_recorded, read_recorded
    from edgekit.profiling.ways import profile_fleet, profile_on

    how: dict[str, Any] = {
        "backend": backend,
        "threads": threads,
        "delegate": delegate,
        "runs": runs,
        "warmup_s": warmup_s,
        "target": target,
        "benchmark_model": benchmark_model,
    }
    if any(is_recorded(each) for each in models):
        if on != "local" or not all(is_recorded(each) for each in models):
            msg = "Recorded measurements are read, not run: give them alone, without --on."
            raise click.UsageError(msg)
        return _shown([read_recorded(each, target=target) for each in models])
    if node_data is not None and (not operators or len(models) > 1 or on.startswith("@")):
        msg = "--node-data takes the operators of one model on one device: add --per-op."
        raise click.UsageError(msg)
    if operators or sweep or seconds is not None:
        how |= {"operators": operators, "method": method, "settings": sweep}
        how |= {"seconds": seconds, "function": "edgekit.profiling.thorough:measure"}
    if on.startswith("@"):
        return profile_fleet(on[1:], models, **how)
    found = profile_on(on, models, **how)
    if node_data is not None:
        atomic_write(node_data, node_data_text(found))
    return _shown(found)


def _shown(found: "Sequence[Profile]") -> object:
    """One document, or several in one."""
    return found[0] if len(found) == 1 else {"profiles": to_json(found)}

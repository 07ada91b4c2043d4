"""Commands that test_main.py adds to the command line; as a program, `edgekit` with them."""

import logging
import sys
import time
from typing import Any

import click

from edgekit import errors, guard, progress
from edgekit.cli import main
from edgekit.cli.common import command

TEXT = "asked; found\ndo this"


def render(document: dict[str, Any]) -> None:
    click.echo(f"for people: {document['value']}")


@command(render)
@click.argument("value", default="ü")
def give(value: str) -> dict[str, Any]:
    logging.getLogger("edgekit.give").warning("a warning")
    logging.getLogger("edgekit_converters.give").info("a detail")
    with progress.task("Giving"):
        sys.stdout.flush()
    return {"value": value, "number": float("nan")}


@command(render)
@click.argument("name")
def fail(name: str) -> dict[str, Any]:
    if name == "ValueError":
        raise ValueError(TEXT)
    if name == "GateError":
        raise errors.GateError(TEXT, {"value": "rejected", "rejected": True})
    kind = getattr(errors, name)
    raise kind("target", TEXT, ["host"]) if name == "UnknownName" else kind(TEXT)


@command(render)
@click.option("--guarded", is_flag=True)
def sleep(*, guarded: bool) -> dict[str, Any]:
    sys.stderr.write("ready\n")
    if guarded:
        guard.call("time:sleep", doing="sleeping", seconds=60)
    time.sleep(60)
    return {"value": "rested"}


@command(render)
def long() -> dict[str, Any]:
    return {"value": ["line"] * 200_000}


if __name__ == "__main__":
    for name in ("give", "fail", "sleep", "long"):
        main.LazyGroup.places[name] = (f"cli_jobs:{name}", "for a test")
    main.main()

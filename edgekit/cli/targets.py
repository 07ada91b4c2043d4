"""`edgekit targets`: the devices that edgekit knows."""

from typing import Any

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command
from edgekit.targets import Target

_PAGE = """\
# Targets

Made from `targets/*.toml` with `edgekit targets --markdown > docs/targets.md`.
`edgekit targets NAME` shows one with all its numbers and their sources;
[targets/README.md](../targets/README.md) explains the fields, for a file of your own.

| target | device | machine | runs on | scheme | in, out | runtime | bounded by | for a model |
|---|---|---|---|---|---|---|---|---|
{rows}"""


def _show(found: Any) -> None:
    if "markdown" in found:
        click.echo(found["markdown"])
    elif isinstance(found, list):
        rows = [(each["name"], each["title"], each["delegate"], each["io"]) for each in found]
        tables.table(["target", "device", "runs on", "in, out"], rows)
        tables.line("\nA target of your own: pass the path of a TOML file instead of a name.")
    else:
        _show_one(found)


def _show_one(found: Document) -> None:
    runtime = found["runtime"]
    memory = found["memory_mb"]
    tables.facts(
        [
            ("target", found["name"]),
            ("device", found["title"]),
            ("machine", found["arch"]),
            ("processor", found["cpu"]),
            ("cores", found["cores"]),
            ("threads", found["threads"]),
            ("memory", None if found["ram_mb"] is None else f"{found['ram_mb']:g} MiB"),
            ("for a model", None if memory is None else f"{memory:g} MiB"),
            ("operators on", found["delegate"]),
            ("scheme", found["scheme"]),
            ("inputs, outputs", found["io"]),
            ("runtime", f"{runtime['package']} {runtime['version']}"),
            ("python", ", ".join(runtime["python"])),
            ("op versions", found["op_versions"]),
        ]
    )
    tables.warned(found["notes"])
    tables.line()
    tables.table(["what", "source"], sorted(found["sources"].items()))


def _page(known: list[Target]) -> str:
    """All targets as one Markdown page."""
    return _PAGE.format(rows="\n".join(_row(target) for target in known))


def _row(target: Target) -> str:
    others = [each for each in target.io_choices if each != target.io]
    cells = (
        f"`{target.name}`",
        target.title,
        target.arch,
        target.npu.accelerator if target.npu else target.delegate,
        target.scheme,
        target.io + (f" (or {', '.join(others)})" if others else ""),
        f"{target.runtime.package} {target.runtime.version}",
        f"`{target.op_versions}`",
        f"{target.memory_mb:g} MiB" if target.memory_mb is not None else "",
    )
    return f"| {' | '.join(cells)} |"


@command(_show)
@click.argument("name", required=False)
@click.option("--markdown", is_flag=True, help="All of them as a page for the documentation.")
def targets(name: str | None, *, markdown: bool) -> object:
    """List the devices that edgekit knows, or show NAME in full.

    NAME may be the path of a TOML file of your own.

    \b
    Examples:
      edgekit targets
      edgekit targets raspberry-pi-4
      edgekit targets --json | jq '.[].name'
    """
    from edgekit.targets import load_target, target_names

    if name is not None:
        return load_target(name)
    known = [load_target(each) for each in target_names()]
    return {"markdown": _page(known)} if markdown else known

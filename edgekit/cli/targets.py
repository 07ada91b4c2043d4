"""`edgekit targets`: the devices that edgekit knows."""

from typing import Any

import click

from edgekit.cli import tables
from edgekit.cli.common import command


def _show(found: Any) -> None:
    if isinstance(found, list):
        rows = [(each["name"], each["title"], each["delegate"], each["io"]) for each in found]
        tables.table(["target", "device", "runs on", "in, out"], rows)
        tables.line("\nA target of your own: pass the path of a TOML file instead of a name.")
        return
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


@command(_show)
@click.argument("name", required=False)
def targets(name: str | None) -> object:
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
    return [load_target(each) for each in target_names()]

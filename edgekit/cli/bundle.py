"""`edgekit bundle`: what a device needs, in one file."""

from pathlib import Path

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command


class _Version(click.ParamType):  # type: ignore[type-arg] # generic from click 8.5 on
    """A Python version as `major.minor`."""

    name = "version"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """See that it is one."""
        major, _, minor = value.partition(".")
        if not (major.isdecimal() and minor.isdecimal()):
            self.fail(f"{value!r} is no Python version like 3.13", param, ctx)
        return value


def _show(found: Document) -> None:
    wheels = found["wheels"]
    total = sum(each["bytes"] for each in wheels)
    tables.facts(
        [
            ("bundle", f"{found['bundle']}, {tables.size(found['bytes'])}"),
            ("target", f"{found['target']} ({found['machine']})"),
            ("python", ", ".join(found["python"])),
            ("models", ", ".join(Path(each["file"]).name for each in found["models"])),
            ("edgekit", found["edgekit"]),
            ("wheels", f"{len(wheels)}, {tables.size(total)}"),
        ]
    )
    tables.warned(found["warnings"])
    folder = Path(found["bundle"]).stem
    tables.line("\nCopy it to the device, and there:")
    tables.line(f"  python3 -m zipfile -e {Path(found['bundle']).name} .")
    tables.line(f"  sh {folder}/run.sh")


@command(_show)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", type=click.Path())
@click.option("--target", help="The device; default is what the models were made for.")
@click.option("--wheels", is_flag=True, help="Pack all wheels: the device needs no network.")
@click.option(
    "--python",
    "pythons",
    multiple=True,
    type=_Version(),
    metavar="X.Y",
    help="Python on the device; default: those of Raspberry Pi OS 12 and 13.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The zip; default: edgekit-TARGET.zip.",
)
def bundle(
    models: tuple[str, ...],
    *,
    target: str | None,
    wheels: bool,
    pythons: tuple[str, ...],
    output: Path | None,
) -> object:
    """Pack MODEL, edgekit and what it needs into one zip for a Raspberry Pi.

    The zip holds a program, run.sh, that installs all of it into a folder of its own and
    runs edgekit there; without arguments it measures the models.

    \b
    Examples:
      edgekit bundle model.raspberry-pi-4.tflite
      edgekit bundle *.tflite --target raspberry-pi-5 --wheels -o pi.zip
      edgekit bundle model.tflite --target raspberry-pi-32bit --wheels
    """
    from edgekit.bundle import bundle as work

    return work(models, target=target, wheels=wheels, pythons=pythons, output=output)

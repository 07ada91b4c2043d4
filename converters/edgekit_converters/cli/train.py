"""`edgekit train`: a detector, a classifier or a keyword model on one's own data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command
from edgekit.known.table import path_or_known
from edgekit_converters.cli.train_keywords import keywords
from edgekit_converters.train.command import train_file
from edgekit_converters.train.request import BACKBONE, TrainRequest, TrainResult

Function = TypeVar("Function", bound=Callable[..., Any])


@click.group()
def train() -> None:
    """Train a small model on pictures or recordings of your own.

    \b
    Examples:
      edgekit train detect photos/ -o cards.keras
      edgekit train classify flowers/ -o flowers.keras --weights mobilenet_v1_0.25_224.h5
      edgekit train keywords recordings/ -o words.keras

    Each has more examples in its own --help, and knows --json, --verbose, --quiet and
    --debug.
    """


def show(found: Document) -> None:
    """Show how good it is, as a whole and class by class."""
    rows = [(name, tables.percent(value)) for name, value in found["per_class"].items()]
    tables.table(["class", found["metric"]], rows, numbers=[found["metric"]])
    tables.line()
    others = [f"{name} {tables.percent(value)}" for name, value in found["others"].items()]
    said = ", ".join([f"{found['metric']} {tables.percent(found['value'])}", *others])
    tables.line(
        f"{said} on {len(found['held_out'])} pictures held out; learned from "
        f"{found['trained_on']}, {found['epochs']} epochs, {found['seconds']:.0f} s."
    )
    wrote = f"{found['path']} ({tables.count(found['parameters'])} parameters)"
    if found["picture"]:
        wrote += f" and {found['picture']}, sample detections"
    tables.line(f"Wrote {wrote}.")


def _shared(
    *, epochs: int, size: int, batch: int, rate: float, mirror: bool
) -> Callable[[Function], Function]:
    """Add the options of both kinds, each with its own defaults."""
    added = (
        click.argument("data", type=click.Path(path_type=Path)),
        click.option(
            "--backbone",
            default=BACKBONE,
            show_default=True,
            help="mobilenet_v1_W or mobilenet_v2_W, W its width.",
        ),
        click.option(
            "--weights",
            type=click.Path(path_type=Path),
            help="Keras file whose weights it begins with, or a downloaded model's name.",
        ),
        click.option(
            "--epochs",
            type=click.IntRange(min=1),
            default=epochs,
            show_default=True,
            help="Times through the data.",
        ),
        click.option(
            "--size",
            type=click.IntRange(min=32),
            default=size,
            show_default=True,
            help="Side of the square input, a multiple of 32.",
        ),
        click.option(
            "--batch",
            type=click.IntRange(min=2),
            default=batch,
            show_default=True,
            help="Pictures at once.",
        ),
        click.option(
            "--rate",
            type=click.FloatRange(min=0, min_open=True),
            default=rate,
            show_default=True,
            help="Highest learning rate.",
        ),
        click.option(
            "--hold-out",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            default=0.2,
            show_default=True,
            help="Share of the pictures to judge by, where the data are not divided.",
        ),
        click.option(
            "--skip",
            multiple=True,
            metavar="NAME",
            help="Picture to leave out, e.g. for its wrong label; may be given several times.",
        ),
        click.option(
            "--mirror/--no-mirror",
            default=mirror,
            show_default=True,
            help="Left and right may be swapped; not for text and playing cards.",
        ),
        click.option(
            "--turn/--no-turn",
            default=False,
            show_default=True,
            help="Pictures may be turned by quarters: what lies on a table.",
        ),
        click.option(
            "--patience",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="End when so many looks, one in 10 epochs, found nothing better; 0: never.",
        ),
        click.option("--seed", default=0, show_default=True, help="Everything that is drawn."),
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path, dir_okay=False),
            required=True,
            help="The .keras file to write.",
        ),
    )

    def add(function: Function) -> Function:
        made: Any = function
        for option in reversed(added):
            made = option(made)
        return made  # type: ignore[no-any-return] # the same callable with options

    return add


def _request(kind: str, wishes: dict[str, Any]) -> TrainRequest:
    if wishes["weights"]:
        wishes["weights"] = path_or_known(wishes["weights"])
    paths = {
        key: str(value) if value else None for key, value in wishes.items() if key in _PATHS
    }
    return TrainRequest(kind=kind, **{**wishes, **paths})  # type: ignore[arg-type] # one of two


_PATHS = frozenset({"data", "weights", "background"})


@command(show)
@_shared(epochs=120, size=320, batch=16, rate=2e-3, mirror=False)
@click.option(
    "--background",
    type=click.Path(path_type=Path),
    help="Pictures without any of the objects, to learn what is none.",
)
@click.option(
    "--anchors",
    type=click.IntRange(min=1),
    default=6,
    show_default=True,
    help="Anchors, found from the boxes.",
)
@click.option(
    "--width",
    type=click.IntRange(min=8),
    default=64,
    show_default=True,
    help="Channels behind the backbone.",
)
def detect(output: Path, **wishes: Any) -> TrainResult:
    """Train a detector on DATA: pictures with boxes.

    DATA is a Pascal VOC, COCO or YOLO folder. Where it is not divided into sets, whole
    shootings are held out: runs of pictures that look alike. A run that was killed goes on
    where it stood when it is asked again in the same words.

    \b
    Examples:
      edgekit train detect photos/ -o things.keras
      edgekit train detect cards/ --weights mobilenet_v1_0.25_224.h5 --turn \\
          --skip IMG_2396 -o cards.keras
      edgekit train detect cells/ --backbone mobilenet_v2_0.35 --turn --mirror -o cells.keras
    """
    return train_file(_request("detect", wishes), output)


@command(show)
@_shared(epochs=30, size=224, batch=32, rate=1e-3, mirror=True)
def classify(output: Path, **wishes: Any) -> TrainResult:
    """Train a classifier on DATA: a folder of pictures for each class.

    With --weights the last layer learns first, then everything. The same share of each
    class is held out.

    \b
    Examples:
      edgekit models mobilenet-v1-0.25 --download
      edgekit train classify flowers/ --weights mobilenet-v1-0.25 -o flowers.keras
      edgekit train classify parts/ --epochs 100 --no-mirror -o parts.keras
    """
    return train_file(_request("classify", wishes), output)


train.add_command(detect)
train.add_command(classify)
train.add_command(keywords)

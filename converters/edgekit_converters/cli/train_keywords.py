"""`edgekit train keywords`: a model that hears some words."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli import tables
from edgekit.cli.common import Document, command
from edgekit_converters.train.command import train_file
from edgekit_converters.train.keywords import request
from edgekit_converters.train.request import TrainResult

NETWORKS = ("tc-resnet", "ds-cnn", "streaming", "lstm")
_PATHS = ("unknown", "background")


def show(found: Document) -> None:
    """Show how good it is, as a whole and word by word."""
    rows = [(name, tables.percent(value)) for name, value in found["per_class"].items()]
    tables.table(["word", found["metric"]], rows, numbers=[found["metric"]])
    tables.line()
    tables.line(
        f"{found['metric']} {tables.percent(found['value'])} on {len(found['held_out'])} "
        f"recordings held out; learned from {found['trained_on']}, {found['epochs']} epochs, "
        f"{found['seconds']:.0f} s."
    )
    wrote = f"{found['path']} ({tables.count(found['parameters'])} parameters)"
    tables.line(f"Wrote {', '.join([wrote, *found['files']])}.")


@command(show)
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--words", metavar="A,B", help="Words to learn; otherwise all that are there.")
@click.option(
    "--unknown",
    type=click.Path(path_type=Path),
    help="Folder of speech without these words; the more, the fewer false alarms.",
)
@click.option("--background", type=click.Path(path_type=Path), help="Folder of noises.")
@click.option(
    "--network",
    type=click.Choice(NETWORKS),
    default=request.NETWORK,
    show_default=True,
    help="What the model is built like.",
)
@click.option(
    "--false-alarms-per-hour",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="Budget that the thresholds are chosen for.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=request.EPOCHS,
    show_default=True,
    help="Times that each recording is shown, as another view each time.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=8),
    default=request.BATCH,
    show_default=True,
    help="Views at once.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    default=request.RATE,
    show_default=True,
    help="Highest learning rate.",
)
@click.option(
    "--hold-out",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=request.HOLD_OUT,
    show_default=True,
    help="Share of the recordings to judge by.",
)
@click.option(
    "--synthesis/--no-synthesis",
    default=True,
    show_default=True,
    help="Let espeak-ng and flite, where installed, say words and what sounds like them.",
)
@click.option(
    "--language",
    default=request.LANGUAGE,
    show_default=True,
    help="Language of the words, as espeak-ng names it.",
)
@click.option("--seed", default=0, show_default=True, help="Everything that is drawn.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The .keras file to write.",
)
def keywords(data: Path, output: Path, words: str | None, **wishes: Any) -> TrainResult:
    """Train a model that hears words on DATA: recordings of each word.

    DATA holds a folder of recordings for each word, or files whose names begin with the
    word, such as yes_anna_1.wav. The word may stand anywhere in a recording, and any sample
    rate will do. Whole speakers are held out where names tell them, else whole files. A run
    that was killed goes on where it stood when it is asked again in the same words.

    \b
    Examples:
      edgekit train keywords digits/ -o digits.keras
      edgekit train keywords recordings/ --words alexa,computer --unknown speech/ \\
          --background noises/ -o words.keras
      edgekit train keywords recordings/ --network streaming -o words.keras
    """
    paths = {name: str(given) if (given := wishes[name]) else None for name in _PATHS}
    chosen = tuple(word.strip() for word in (words or "").split(",") if word.strip())
    asked = request.KeywordRequest(data=str(data), words=chosen, **{**wishes, **paths})
    return train_file(asked, output)

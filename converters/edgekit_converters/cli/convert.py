"""`edgekit convert`: a Keras model in, one verified artifact for each target out."""

from pathlib import Path

import click

from edgekit.cli import options as common_options
from edgekit.cli.common import command
from edgekit_converters.cli import options
from edgekit_converters.cli.tables import show_conversion
from edgekit_converters.pipeline import Conversion
from edgekit_converters.pipeline import convert as run_convert
from edgekit_converters.recipe import Recipe


@command(show_conversion)
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME|FILE.toml",
    help="Device to convert for; may be given several times. See: edgekit targets  [host]",
)
@click.option(
    "--prune",
    metavar="AMOUNT",
    help="Prune first: channels:0.5, macs:0.5 or latency:0.5@host makes it faster; "
    "magnitude:0.8, 2:4, block:0.8 or clusters:32 a smaller download.",
)
@click.option(
    "--importance",
    type=click.Choice(["auto", "l1", "l2", "batchnorm", "taylor"]),
    help="Which channels go first; taylor needs --data, auto tries it on them.  [auto]",
)
@click.option(
    "--steps",
    "prune_steps",
    type=click.IntRange(min=1),
    help="Take channels in so many rounds, fine-tuning after each.  [1]",
)
@click.option(
    "--distill", is_flag=True, default=None, help="Fine-tune on the original's outputs, too."
)
@click.option("--epochs", type=click.IntRange(min=0), help="Fine-tune on --data after pruning.")
@common_options.output_dir
@common_options.edgetpu_compiler
@options.recipe
def convert(recipe: Recipe, output: Path) -> Conversion:
    """Convert MODEL for each target, verify every artifact, and say what it cost.

    MODEL is a Keras file (.keras, .h5, .hdf5), a SavedModel folder or a float .tflite.
    DATA is a folder with one folder per class, an .npz with x and y, or an .npy.

    \b
    Examples:
      edgekit convert model.keras --target raspberry-pi-4 --calibrate photos/ -o out/
      edgekit convert model.h5 --target coral-usb --target android \\
          --calibrate photos/ --evaluate labelled/ --max-drop 1 -o out/
      edgekit convert model.keras --prune channels:0.5 --epochs 5 --data labelled/ \\
          --calibrate photos/ --round -o out/
      edgekit convert model.keras --qat 3 --data labelled/ --evaluate labelled/ -o out/
      edgekit convert model.keras --calibrate synthetic --integer-only -o out/
      edgekit convert model.keras --scheme float16 -o out/
      edgekit convert --recipe out/recipe.toml -o again/
    """
    return run_convert(recipe, output)

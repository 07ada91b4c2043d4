"""`edgekit quantize`: one quantized file, for this machine or any other."""

from pathlib import Path

import click

from edgekit.cli.common import command
from edgekit_converters.cli import options
from edgekit_converters.cli.tables import show_artifact
from edgekit_converters.pipeline import ArtifactResult
from edgekit_converters.pipeline import quantize as run_quantize
from edgekit_converters.recipe import Recipe


@command(show_artifact)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The .tflite file to write.",
)
@options.recipe
def quantize(recipe: Recipe, output: Path) -> ArtifactResult:
    """Quantize MODEL into one .tflite file and verify it.

    \b
    Examples:
      edgekit quantize model.keras --calibrate photos/ -o model.tflite
      edgekit quantize model.keras --calibrate photos/ --round --estimator auto \\
          --diagnose -o model.tflite
      edgekit quantize model.keras --calibrate photos/ --evaluate labelled/ \\
          --auto-keep-float --max-drop 1 -o model.tflite
      edgekit quantize model.keras --qat 3 --data labelled/ -o model.tflite
      edgekit quantize model.keras --calibrate synthetic --integer-only -o model.tflite
      edgekit quantize model.keras --scheme dynamic -o model.tflite
      edgekit quantize model.h5 --calibrate x.npy --io int8 --evaluate test.npz \\
          --max-drop 1 -o model.tflite
    """
    return run_quantize(recipe, output)

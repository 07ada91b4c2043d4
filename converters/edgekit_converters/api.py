"""The heavy half for Python: `edgekit.convert` and `edgekit.quantize`."""

from pathlib import Path
from typing import Any

from edgekit.records import from_json, to_json
from edgekit_converters import pipeline
from edgekit_converters.pipeline import ArtifactResult, Conversion
from edgekit_converters.recipe import Recipe


def convert(model: str | Path, output: str | Path = "out", **wishes: Any) -> Conversion:
    """Make, verify and gate one artifact for each target.

    Args:
        model: A Keras file, a SavedModel folder or a float .tflite.
        output: Folder to write into.
        **wishes: Fields of `edgekit_converters.recipe.Recipe`, e.g.
            `targets=["raspberry-pi-4"], calibrate="photos/", max_drop=1.0`.

    Raises:
        As `edgekit_converters.pipeline.convert`.
    """
    return pipeline.convert(_recipe(model, wishes), Path(output))


def quantize(model: str | Path, output: str | Path, **wishes: Any) -> ArtifactResult:
    """Make one artifact, for this machine or the one in `targets`.

    Args:
        model: A Keras file, a SavedModel folder or a float .tflite.
        output: The .tflite file to write.
        **wishes: As for `convert`.

    Raises:
        As `edgekit_converters.pipeline.quantize`.
    """
    return pipeline.quantize(_recipe(model, wishes), Path(output))


def _recipe(model: str | Path, wishes: dict[str, Any]) -> Recipe:
    return from_json(Recipe, to_json({**wishes, "model": model}), "the call")

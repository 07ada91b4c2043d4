"""The nouns of import: a source, and what goes into it and comes out of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.manifest import Manifest

Kind = Literal["keras", "tf_keras", "saved_model", "tflite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One input of a source.

    Attributes:
        name: Name of the input.
        shape: Shape of one sample, without the batch; None where the model leaves it open.
        dtype: numpy name of its type, e.g. `float32`.
        batch: Number of samples that the model takes at once, or None for any number.
        indices: Number of rows of the Embedding that reads this input, so that its values
            are whole numbers in [0, indices); None where no Embedding does.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    batch: int | None = None
    indices: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model that was imported.

    Attributes:
        kind: What `model` is.
        model: A `keras.Model`, a `tf_keras.Model`, a loaded SavedModel, or the path of a
            `.tflite`.
        path: The file or folder that it came from.
        loaded_by: How, in the words of the manifest (`edgekit.manifest.Source.loaded_by`).
        inputs: What goes in, in the order of the model.
        outputs: Names of what comes out, in the order of the model.
        manifest: What the file carries about itself, or None.
        normalizes_itself: Whether the graph scales its input before the first layer with
            weights, so that a picture goes in as 0..255.
        difference: Largest relative difference to what tf_keras computes from the same
            file, see `checking.relative_difference`; None where tf_keras cannot read it.
        notes: Sentences for the person at the keyboard.
        attempts: Why each earlier way of loading failed, for `--debug`.
    """

    kind: Kind
    model: Any
    path: Path
    loaded_by: str
    inputs: tuple[InputSpec, ...] = ()
    outputs: tuple[str, ...] = ()
    manifest: Manifest | None = None
    normalizes_itself: bool = False
    difference: float | None = None
    notes: tuple[str, ...] = ()
    attempts: tuple[str, ...] = ()

"""What a `.tflite` and a Keras model opened by the sibling have in common."""

from collections.abc import Sequence
from typing import Any, Protocol

from edgekit.manifest import Manifest
from edgekit.runtime.model import TensorSpec


class AnyModel(Protocol):
    """A model that is ready to run."""

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """What goes in."""

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """What comes out."""

    @property
    def manifest(self) -> Manifest | None:
        """What the file says about itself."""

    def __call__(self, x: Any) -> Any:
        """Take and give real values; a dict by name where there are several."""

"""Which output of a model holds one score for each class."""

import math
from collections.abc import Sequence
from typing import Protocol

from edgekit.manifest import Manifest

SCORES = ("probabilities", "logits")


class Spec(Protocol):
    """An input or output: its name and shape, with the batch of 1 in front."""

    @property
    def name(self) -> str:
        """Name of the tensor."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""


def class_output(
    inputs: Sequence[Spec], outputs: Sequence[Spec], manifest: Manifest | None
) -> str | None:
    """Return the name of the output that holds one score for each class, or None.

    The manifest says which. Without one it is the only output, if that is a vector of at
    least two values and not of the shape of an input, as an autoencoder's is.
    """
    roles = {each.name: each.role for each in manifest.outputs} if manifest else {}
    for spec in outputs:
        if roles.get(spec.name) in SCORES:
            return spec.name
    if roles or len(outputs) != 1:
        return None
    only = outputs[0]
    is_vector = max(only.shape, default=0) == math.prod(only.shape) >= 2
    is_copy = any(spec.shape == only.shape for spec in inputs)
    return only.name if is_vector and not is_copy else None

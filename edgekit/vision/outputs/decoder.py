"""What all families of detectors share: roles of outputs, and how they become boxes."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.data.boxes import Detections
from edgekit.data.scores import Spec
from edgekit.flatbuffer.graph import Graph
from edgekit.manifest import Manifest, Preprocessing

Outputs = Mapping[str, NDArray[np.float32]]  # by name, with the batch of 1
How = Literal["manifest", "metadata", "graph", "shapes"]

WORDS: dict[How, str] = {
    "manifest": "from the model's manifest",
    "metadata": "from its metadata",
    "graph": "from the operator that makes it",
    "shapes": "inferred from the shapes",
}


@dataclass(frozen=True, slots=True)
class Role:
    """What one output means, and how that is known.

    Attributes:
        name: The output.
        role: E.g. `boxes`, `scores`, `classes` or `count`.
        how: What says so.
    """

    name: str
    role: str
    how: How

    def __str__(self) -> str:
        return f"{self.name} holds {self.role} ({WORDS[self.how]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there is to tell the meaning of outputs from.

    Attributes:
        outputs: The outputs, in the model's order.
        size: Height and width of the model's input.
        manifest: What the model carries, or None.
        graph: The .tflite, or None for a Keras model.
        labels: How many labels are known; 0 if none are.
    """

    outputs: Sequence[Spec]
    size: tuple[int, int]
    manifest: Manifest | None = None
    graph: Graph | None = None
    labels: int = 0

    @property
    def decoding(self) -> Mapping[str, Any]:
        """Anchors and box coding of the manifest; empty if it has none."""
        return (self.manifest.decoding if self.manifest else None) or {}

    def said(self) -> dict[str, Role]:
        """Return the outputs that the manifest gives a role, by role."""
        names = {each.name for each in self.outputs}
        listed = self.manifest.outputs if self.manifest else ()
        return {
            each.role: Role(each.name, each.role, "manifest")
            for each in listed
            if each.name in names and each.role != "values"
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """How the outputs of one model become boxes.

    Attributes:
        kind: Its family, e.g. `ssd`.
        roles: What each output means.
        read: Turns outputs and a threshold into detections in pixels of the model's input.
        classes: How many classes it tells apart; None where the outputs do not say it.
        threshold: The score from which on something counts as found, unless one asks
            otherwise.
        labels: Names of the classes that stand in the file, beside the manifest's.
        preprocessing: What models of the family are usually fed, for a file that does not
            say it.
    """

    kind: str
    roles: tuple[Role, ...]
    read: Callable[[Outputs, float], Detections] = field(repr=False)
    classes: int | None = None
    threshold: float = 0.5
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None

    def decode(self, outputs: Outputs, threshold: float | None = None) -> Detections:
        """Turn outputs into what was found.

        Args:
            outputs: Real values by name, with the batch of 1.
            threshold: Lowest score; None takes the model's own.

        Returns:
            Boxes in pixels of the model's input; they may reach beyond its edges.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            found = self.read(outputs, self.threshold if threshold is None else threshold)
            wrong = np.flatnonzero(~np.isfinite(found.boxes.sum(axis=1) + found.scores))
        return found.without(wrong) if wrong.size else found

    def renamed(self, names: Mapping[str, str]) -> Self:
        """Return the decoder of the same model under other names of its outputs.

        Args:
            names: The other name of each output, by the one that this decoder knows.
        """
        roles = (replace(role, name=names[role.name]) for role in self.roles)
        return replace(self, roles=tuple(roles), read=_Renamed(self.read, names))


@dataclass(frozen=True, slots=True)
class _Renamed:
    """Reads outputs that have other names."""

    read: Callable[[Outputs, float], Detections]
    names: Mapping[str, str]

    def __call__(self, outputs: Outputs, threshold: float) -> Detections:
        known = {mine: outputs[theirs] for mine, theirs in self.names.items()}
        return self.read(known, threshold)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-x)), without overflow.

    >>> sigmoid(np.array([0.0, -1000.0], np.float32)).tolist()
    [0.5, 0.0]
    """
    half = np.float32(0.5)
    probabilities: NDArray[np.float32] = half * (np.tanh(half * logits) + 1)
    return probabilities


def logit(probability: float) -> float:
    """Return the number whose sigmoid is a probability; infinite for 0 and 1.

    >>> logit(0.5), logit(0.0), logit(1.0)
    (0.0, -inf, inf)
    """
    if not 0 < probability < 1:
        return -math.inf if probability <= 0 else math.inf
    return math.log(probability / (1 - probability))

"""What training is asked, and what it gives back."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from edgekit.records import to_json

BACKBONE = "mobilenet_v1_0.25"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of any training.

    Attributes:
        FILES: Names of the attributes that are files or folders.
    """

    FILES: ClassVar[tuple[str, ...]] = ()

    def absolute(self) -> Self:
        """Return the same request for another working folder."""
        files: dict[str, Any] = {
            key: str(Path(value).absolute()) for key, value in self._files()
        }
        return dataclasses.replace(self, **files)

    def told(self) -> dict[str, Any]:
        """Return what a model may say of it to others: files without their folders."""
        return {**to_json(self), **{key: Path(value).name for key, value in self._files()}}

    def _files(self) -> list[tuple[str, str]]:
        return [(key, value) for key in self.FILES if (value := getattr(self, key))]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest(Request):
    """One training of a detector or a classifier.

    Attributes:
        kind: `detect` or `classify`.
        data: Pictures with boxes, or a folder of pictures for each class.
        backbone: What the network is built on; see `backbones.build`.
        weights: A Keras file whose weights it begins with; None begins with random ones.
        epochs: Times through the data.
        seed: Everything that is drawn.
        size: Side of the square input, a multiple of 32.
        batch: Pictures that are learned from at once.
        rate: Highest learning rate.
        hold_out: Share of the pictures that is held out, where the data are not divided.
        skip: Names of pictures to leave out, e.g. because their labels are wrong.
        mirror: Left and right may be swapped.
        turn: Pictures may be turned by quarters.
        background: A folder of pictures without objects; detectors only.
        anchors: Anchors of a detector, all levels together.
        width: Channels of a detector's pyramid.
        patience: Looks at the held-out pictures without a better value after which training
            ends; 0: never.
    """

    FILES: ClassVar[tuple[str, ...]] = ("data", "weights", "background")

    kind: Literal["detect", "classify"]
    data: str
    backbone: str = BACKBONE
    weights: str | None = None
    epochs: int = 120
    seed: int = 0
    size: int = 320
    batch: int = 16
    rate: float = 2e-3
    hold_out: float = 0.2
    skip: tuple[str, ...] = ()
    mirror: bool = False
    turn: bool = False
    background: str | None = None
    anchors: int = 6
    width: int = 64
    patience: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What one training made.

    Attributes:
        path: The .keras file.
        metric: Name of the metric on the held-out pictures.
        value: Its value.
        others: Other metrics of the same pictures.
        per_class: The metric of each class.
        labels: Names of the classes in the order of the outputs.
        epochs: Epochs that were trained.
        seconds: Wall time.
        parameters: Weights of the model.
        trained_on: Pictures that were learned from.
        held_out: Names of the pictures that were not.
        picture: Sample detections, or None.
        files: What else was written beside it.
    """

    path: str
    metric: str
    value: float | None
    others: dict[str, float | None]
    per_class: dict[str, float]
    labels: tuple[str, ...]
    epochs: int
    seconds: float
    parameters: int
    trained_on: int
    held_out: tuple[str, ...]
    picture: str | None
    files: tuple[str, ...] = ()

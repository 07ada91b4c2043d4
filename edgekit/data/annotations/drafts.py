"""What the readers of all formats hand over, before anything is checked."""

from dataclasses import dataclass, field
from pathlib import Path

# Names of folders and lists that divide a data set, and what edgekit calls them.
SETS = {
    "train": "train",
    "training": "train",
    "trainval": "trainval",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """One box as somebody drew it.

    Attributes:
        label: Name of its class.
        box: (x_min, y_min, x_max, y_max) in pixels.
        difficult: It need not be found.
        crowd: It goes around many objects.
    """

    label: str
    box: tuple[float, float, float, float]
    difficult: bool = False
    crowd: bool = False


@dataclass(slots=True)
class Draft:
    """One picture that exists, and what was drawn on it.

    Attributes:
        name: Path below the data folder.
        path: The picture.
        marks: The boxes.
        size: Height and width as the annotation says; None if it does not.
        sets: Names of the sets that it belongs to.
    """

    name: str
    path: Path
    marks: list[Mark] = field(default_factory=list)
    size: tuple[int, int] | None = None
    sets: frozenset[str] = frozenset()


@dataclass(slots=True)
class Found:
    """What a reader found in a folder.

    Attributes:
        kind: Name of the format.
        drafts: The pictures.
        labels: Names of the classes in the order of the data, if they have one.
        lost: One text for each picture that is missing or whose annotation is damaged.
        faults: One text for each box that cannot be understood.
    """

    kind: str
    drafts: list[Draft] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    lost: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def skipped(self) -> list[str]:
        """All that is left out, one text each."""
        return self.lost + self.faults


def sets_of(path: Path) -> frozenset[str]:
    """Return the sets that the folders of a relative path name.

    >>> sets_of(Path("valid/images/1.jpg"))
    frozenset({'val'})
    """
    return frozenset(SETS[part.lower()] for part in path.parts[:-1] if part.lower() in SETS)

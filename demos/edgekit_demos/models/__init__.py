"""The models that edgekit carries, each with its model card beside it.

A name is the file's without its ending: `shapes` is the float model `shapes.keras`,
`shapes.coral-usb` the artifact `shapes.coral-usb.tflite`.
"""

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edgekit.errors import UnknownName

_ENDINGS = (".keras", ".tflite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a model card says.

    Attributes:
        about: The card's first sentence.
        licence: Licence of the model.
        accuracy: How good it is: the `accuracy` row of the card's table, else the first
            paragraph below `Accuracy`.
        text: The whole card.
    """

    about: str
    licence: str
    accuracy: str
    text: str


def model_names() -> list[str]:
    """Names of the carried models."""
    return sorted(_carried())


def model_path(name: str) -> Path:
    """Where a carried model lies.

    Raises:
        UnknownName: No model of that name is carried.
    """
    carried = _carried()
    if name not in carried:
        raise UnknownName(kind="carried model", name=name, known=sorted(carried))
    return carried[name]


def read_card(name: str) -> Card:
    """Read the card of a carried model; an artifact shares its float model's.

    Raises:
        UnknownName: No model of that name is carried.
    """
    path = model_path(name)
    text = path.with_name(f"{name.partition('.')[0]}.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", text, re.MULTILINE))
    paragraphs = [" ".join(each.split()) for each in text.split("\n\n")]
    return Card(
        about=paragraphs[1].partition(". ")[0].rstrip("."),
        licence=rows["licence"].partition(",")[0],
        accuracy=rows.get("accuracy") or paragraphs[paragraphs.index("## Accuracy") + 1],
        text=text,
    )


def _carried() -> dict[str, Path]:
    # Wheels are always unpacked, so that every resource is a file.
    folder = Path(str(resources.files(__name__)))
    return {path.stem: path for path in folder.iterdir() if path.suffix in _ENDINGS}

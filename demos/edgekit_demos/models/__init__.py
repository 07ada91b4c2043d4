"""The models that edgekit carries, each with its model card beside it.

A name is the file's without its ending: `shapes` is the float model `shapes.keras`,
`shapes.coral-usb` the artifact `shapes.coral-usb.tflite`.
"""

from importlib import resources
from pathlib import Path

from edgekit.errors import UnknownName

_ENDINGS = (".keras", ".tflite")


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


def _carried() -> dict[str, Path]:
    # Wheels are always unpacked, so that every resource is a file.
    folder = Path(str(resources.files(__name__)))
    return {path.stem: path for path in folder.iterdir() if path.suffix in _ENDINGS}

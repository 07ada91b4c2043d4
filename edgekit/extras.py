"""Reach what may not be installed: the two sibling packages and the optional libraries."""

import importlib
from types import ModuleType

from edgekit.errors import MissingExtra

# Top-level module -> the extra that brings it.
EXTRAS = {
    "ai_edge_quantizer": "convert",
    "cv2": "camera",
    "edgekit_converters": "convert",  # not in the light half that a bundle installs
    "h5py": "convert",
    "keras": "convert",
    "sounddevice": "audio",
    "tensorflow": "convert",
    "tf_keras": "convert",
}


def need(module: str, why: str) -> ModuleType:
    """Import a module, or say which extra brings it.

    Args:
        module: Dotted name, e.g. `cv2` or `edgekit_converters.pipeline`.
        why: What it is needed for, as the end of "... is needed to", e.g. `read images`.

    Raises:
        MissingExtra: The module, or something it imports, is not installed or broken.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        told = explain(error, why)
        if told is None:
            raise
        raise told from error


def explain(error: ImportError, why: str) -> MissingExtra | None:
    """Say which extra mends a failed import; None if no extra does.

    Args:
        error: What the import raised.
        why: As for `need`.
    """
    missing = (error.name or "").partition(".")[0]
    if missing not in EXTRAS:
        return None
    if isinstance(error, ModuleNotFoundError):
        return MissingExtra(
            f"{missing} is needed to {why}, and it is not installed.\n"
            f"Install it with: pip install 'edgekit[{EXTRAS[missing]}]'"
        )
    return MissingExtra(  # e.g. a cv2 that needs a library of the system
        f"{missing} is needed to {why}; it is installed, but cannot be loaded: {error}.\n"
        f"Install it anew with: pip install --force-reinstall 'edgekit[{EXTRAS[missing]}]'"
    )

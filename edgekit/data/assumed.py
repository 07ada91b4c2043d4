"""How pictures are prepared for a model, where nobody said it in full.

In this order: what a person asked for; what the model's manifest says, or the standard
metadata of a file from elsewhere; the range of a quantized input; 0..255 if the graph
normalizes itself; what is usual for the family of the model; else 0..1. What was assumed,
and what overrides a manifest, is always said.
"""

import logging
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.data.foreign import Foreign, is_picture
from edgekit.manifest import Manifest, Overrides, Preprocessing

_log = logging.getLogger(__name__)


def resolve(
    overrides: Overrides,
    *,
    shapes: Mapping[str, tuple[int, ...]],
    manifest: Manifest | None = None,
    foreign: Foreign | None = None,
    normalizes_itself: bool = False,
    pictures: bool = True,
    usual: Preprocessing | None = None,
) -> Preprocessing | None:
    """Return how pictures are prepared; None if the model takes none.

    Args:
        overrides: What a person asked for.
        shapes: Shape of one sample of each input.
        manifest: What the model carries.
        foreign: What the graph of a file tells that says nothing.
        normalizes_itself: Whether the graph scales pixels itself.
        pictures: Whether the data hold any; without, an assumption is not worth saying.
        usual: What models of this one's family are usually fed.

    Raises:
        RecordError: The wishes contradict themselves.
    """
    if manifest is not None and manifest.preprocessing is not None:
        return _on_manifest(overrides, manifest.preprocessing)
    if not any(is_picture(shape) for shape in shapes.values()):
        return None
    base = usual or Preprocessing()
    if overrides.scaling:
        return overrides.on(base)
    if foreign is not None and foreign.preprocessing is not None:
        told, why = foreign.preprocessing, f"from {foreign.origin}"
    elif normalizes_itself or (foreign is not None and foreign.normalizes_itself):
        told, why = _PIXELS, "as the graph normalizes itself"
    elif usual is not None:
        told, why = usual, "as is usual for its family"
    else:
        told, why = base, "as nothing says more"
    wanted = overrides.on(replace(told, resize=base.resize))
    level = logging.WARNING if pictures else logging.DEBUG
    _log.log(level, "Assumed %s, %s.%s", describe(wanted), why, _REMEDY)
    return wanted


_PIXELS = Preprocessing.from_range(0.0, 255.0)
_REMEDY = " Say otherwise with --input-range or --mean and --std."


def describe(preprocessing: Preprocessing) -> str:
    """Put it into words.

    >>> describe(Preprocessing.from_range(-1, 1))
    'pixels 0..255 become -1..1 (rgb, stretch)'
    """
    low, high = preprocessing.input_range
    how = f"{preprocessing.color}, {preprocessing.resize}"
    return f"pixels 0..255 become {low + 0.0:.4g}..{high + 0.0:.4g} ({how})"  # no -0


def holds_pictures(data: Path) -> bool:
    """Whether data may hold 8-bit pictures; only arrays of other types surely do not."""
    try:
        if data.suffix == ".npy":
            return bool(np.load(data, mmap_mode="r").dtype == np.uint8)
        if data.suffix != ".npz":
            return True
        with zipfile.ZipFile(data) as archive:
            return any(_is_bytes(archive, name) for name in archive.namelist())
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return True  # the reader of the data has the better message


def _is_bytes(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as file:
        if np.lib.format.read_magic(file)[0] > 1:
            return False
        return bool(np.lib.format.read_array_header_1_0(file)[2] == np.uint8)


def _on_manifest(overrides: Overrides, said: Preprocessing) -> Preprocessing:
    wanted = overrides.on(said)
    if wanted != said:
        _log.warning(
            "The options override what the model says about itself: %s instead of %s.",
            describe(wanted),
            describe(said),
        )
    return wanted

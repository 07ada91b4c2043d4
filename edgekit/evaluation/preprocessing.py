"""How pictures are prepared for a model, where nobody said it in full.

In this order: what a person asked for; what the model's manifest says, or the standard
metadata of a file from elsewhere; the range of a quantized input; 0..255 if the graph
normalizes itself, else 0..1. What was assumed, and what overrides a manifest, is always
said.
"""

import logging
from collections.abc import Mapping

from edgekit.evaluation.foreign import Foreign, is_picture
from edgekit.manifest import Manifest, Overrides, Preprocessing

_log = logging.getLogger(__name__)


def resolve(
    overrides: Overrides,
    *,
    shapes: Mapping[str, tuple[int, ...]],
    manifest: Manifest | None = None,
    foreign: Foreign | None = None,
    normalizes_itself: bool = False,
) -> Preprocessing | None:
    """Return how pictures are prepared; None if the model takes none.

    Args:
        overrides: What a person asked for.
        shapes: Shape of one sample of each input.
        manifest: What the model carries.
        foreign: What the graph of a file tells that says nothing.
        normalizes_itself: Whether the graph scales pixels itself.

    Raises:
        RecordError: The wishes contradict themselves.
    """
    if manifest is not None and manifest.preprocessing is not None:
        return _on_manifest(overrides, manifest.preprocessing)
    if not any(is_picture(shape) for shape in shapes.values()):
        return None
    if overrides.scaling:
        return overrides.on(Preprocessing())
    if foreign is not None and foreign.preprocessing is not None:
        wanted = overrides.on(foreign.preprocessing)
        _log.warning("Assumed %s, from %s.%s", describe(wanted), foreign.origin, _REMEDY)
        return wanted
    itself = normalizes_itself or (foreign is not None and foreign.normalizes_itself)
    high, why = (255.0, "the graph normalizes itself") if itself else (1.0, "nothing says more")
    wanted = overrides.on(Preprocessing.from_range(0.0, high))
    _log.warning("Assumed %s: %s.%s", describe(wanted), why, _REMEDY)
    return wanted


_REMEDY = " Say otherwise with --input-range or --mean and --std."


def describe(preprocessing: Preprocessing) -> str:
    """Put it into words.

    >>> describe(Preprocessing.from_range(-1, 1))
    'pixels 0..255 become -1..1 (rgb, stretch)'
    """
    low, high = preprocessing.input_range
    how = f"{preprocessing.color}, {preprocessing.resize}"
    return f"pixels 0..255 become {low + 0.0:.4g}..{high + 0.0:.4g} ({how})"  # no -0


def _on_manifest(overrides: Overrides, said: Preprocessing) -> Preprocessing:
    wanted = overrides.on(said)
    if wanted != said:
        _log.warning(
            "The options override what the model says about itself: %s instead of %s.",
            describe(wanted),
            describe(said),
        )
    return wanted

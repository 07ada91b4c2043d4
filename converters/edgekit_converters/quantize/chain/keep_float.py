"""The fewest layers that must stay in float for a model to be good enough.

Layers are ranked by what they cost at the outputs per multiply-accumulate, so that much
accuracy comes back for little float work. How many of the first ones are needed is found
by doubling and halving; then those that turn out not to be needed are taken out again,
the most expensive one first. Every choice is a file that is made and measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgekit_converters.quantize.chain.diagnosis import LayerDiagnosis

TRIES = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """Layers that stay in float.

    Attributes:
        names: Which ones.
        macs: Multiply-accumulates of all of them.
    """

    names: tuple[str, ...]
    macs: int


def fewest(
    layers: Sequence[LayerDiagnosis],
    good_enough: Callable[[tuple[str, ...]], bool],
    tries: int = TRIES,
) -> Choice | None:
    """Choose layers to keep in float.

    Args:
        layers: What is known of them.
        good_enough: Makes the model with these layers in float and says whether it will do.
        tries: How often that may be asked.

    Returns:
        The choice, or None if nothing that was tried is good enough.
    """
    ranked = sorted(
        (each for each in layers if each.sensitivity > 0),
        key=lambda each: -each.sensitivity / max(each.macs, 1),
    )
    asked = _Asked(good_enough, tries)
    enough = _first(ranked, asked)
    if enough is None:
        return None
    chosen = ranked[:enough]
    for layer in sorted(chosen, key=lambda each: -each.macs):
        others = [each for each in chosen if each is not layer]
        if others and asked.left and asked(others):
            chosen = others
    return Choice(tuple(each.name for each in chosen), sum(each.macs for each in chosen))


class _Asked:
    """Asks as often as it may."""

    def __init__(self, good_enough: Callable[[tuple[str, ...]], bool], tries: int) -> None:
        self._good_enough = good_enough
        self.left = tries

    def __call__(self, layers: Sequence[LayerDiagnosis]) -> bool:
        self.left -= 1
        return self._good_enough(tuple(each.name for each in layers))


def _first(ranked: Sequence[LayerDiagnosis], asked: _Asked) -> int | None:
    """Return how many of the first layers are enough."""
    too_few, enough = 0, None
    while asked.left and too_few < len(ranked):
        if enough is None:
            count = min(max(2 * too_few, 1), len(ranked))
        elif enough - too_few > 1:
            count = (too_few + enough) // 2
        else:
            break
        if asked(ranked[:count]):
            enough = count
        else:
            too_few = count
    return enough

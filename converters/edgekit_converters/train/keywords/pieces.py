"""Hard negatives from the words themselves: parts of them, in their own voices.

A part of a word, one word's beginning with another's end, or a word backwards is said by the
same people in the same rooms, and is none of the words.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
Random = np.random.Generator

_LEAST, _MOST = 0.25, 0.55  # share of a word that a part has
_FADE = 0.01  # of a word, at a cut


def beginning(one: Wave, _other: Wave, rng: Random) -> Wave:
    """Return the beginning of a word."""
    return faded(one[: _part(one, rng)])


def end(one: Wave, _other: Wave, rng: Random) -> Wave:
    """Return the end of a word."""
    return faded(one[-_part(one, rng) :])


def spliced(one: Wave, other: Wave, rng: Random) -> Wave:
    """Return the beginning of one word with the end of another."""
    return joined(one[: _part(one, rng)], other[-_part(other, rng) :])


def swapped(one: Wave, _other: Wave, rng: Random) -> Wave:
    """Return the end of a word with its beginning behind it."""
    cut = round(one.size * rng.uniform(0.35, 0.65))
    return joined(one[cut:], one[:cut])


def backwards(one: Wave, _other: Wave, _rng: Random) -> Wave:
    """Return a word backwards."""
    return one[::-1].copy()


def doubled(one: Wave, other: Wave, rng: Random) -> Wave:
    """Return the beginnings of two words."""
    return joined(one[: _part(one, rng)], other[: _part(other, rng)])


KINDS: Sequence[Callable[[Wave, Wave, Random], Wave]] = (
    beginning,
    end,
    spliced,
    spliced,
    swapped,
    backwards,
    doubled,
)


def piece(one: Wave, other: Wave, rng: Random) -> Wave:
    """Make something that is no word of two words.

    Args:
        one: A word, shape (n,).
        other: A recording of another word, or of the same where there is only one.
        rng: The draws.
    """
    return KINDS[int(rng.integers(len(KINDS)))](one, other, rng)


def joined(one: Wave, other: Wave) -> Wave:
    """Join two sounds, one as loud as the other, without a click."""
    loud = [float(np.abs(each).max(initial=0.0)) + 1e-9 for each in (one, other)]
    return np.concatenate([faded(one), faded(other) * np.float32(loud[0] / loud[1])])


def faded(wave: Wave) -> Wave:
    """Fade the ends of a sound."""
    count = max(1, min(wave.size // 2, round(_FADE * wave.size) + 40))
    ramp = np.linspace(0, 1, count, dtype=np.float32)
    made = wave.copy()
    if wave.size > 1:
        made[:count] *= ramp
        made[-count:] *= ramp[::-1]
    return made


def _part(wave: Wave, rng: Random) -> int:
    return max(1, round(wave.size * rng.uniform(_LEAST, _MOST)))

"""Hold some pictures out, whole shootings at a time.

Photos of one shooting look alike: with one of them in training, the others prove nothing.
A shooting is a run of pictures whose names count up without a large gap and that look much
the same; colours at large are compared, in which the same table or carpet shows.
"""

import logging
import math
import re
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from edgekit.data.opencv import Pixels

GAP = 5  # numbers that may be missing within a shooting
ALIKE = 0.6  # share of the colours that neighbours of one shooting have in common
_DRAWS = 500
_FEWEST = 4  # groups

_log = logging.getLogger(__name__)
_NUMBERED = re.compile(r"(.*?)(\d+)$")


def shootings(names: Sequence[str], colours: Sequence[NDArray[np.float64]]) -> list[list[int]]:
    """Group pictures by shooting.

    Args:
        names: Names of the pictures.
        colours: The `histogram` of each.

    Returns:
        Places of the pictures of each shooting.
    """
    keys = [_key(name) for name in names]
    groups: list[list[int]] = []
    before: int | None = None
    for place in sorted(range(len(names)), key=lambda each: keys[each]):
        joins = (
            before is not None
            and keys[place][0] == keys[before][0]
            and keys[place][1] - keys[before][1] <= GAP
            and float(np.minimum(colours[place], colours[before]).sum()) >= ALIKE
        )
        if not joins:
            groups.append([])
        groups[-1].append(place)
        before = place
    return groups


def _key(name: str) -> tuple[str, int]:
    """Split the number off the end of a name."""
    stem = str(PurePath(name).with_suffix(""))
    match = _NUMBERED.match(stem)
    return (match[1], int(match[2])) if match else (stem, 0)


def histogram(pixels: Pixels) -> NDArray[np.float64]:
    """Share of each of 64 colours in a picture."""
    step = max(1, min(pixels.shape[:2]) // 64)
    few = pixels[::step, ::step].reshape(-1, 3) >> 6
    counts = np.bincount(few @ np.array([16, 4, 1], np.uint8), minlength=64)
    return np.asarray(counts / counts.sum(), np.float64)


def hold_out(
    groups: Sequence[Sequence[int]],
    classes: Sequence[NDArray[np.intp]],
    share: float,
    seed: int,
) -> tuple[list[int], list[int]]:
    """Choose the groups to hold out: of many draws the one with the evenest classes.

    Where there are too few groups, they are cut into runs first, and that is said.

    Args:
        groups: Places of the pictures of each group; a group stays on one side.
        classes: Class numbers of the objects in each picture.
        share: Share of the objects to hold out, in (0, 1).
        seed: The draws.

    Returns:
        Places to train on and places held out, both rising.
    """
    if len(groups) < _FEWEST:
        _log.warning(
            "There are %d shootings; what is held out is a part of them, and may look like "
            "what was learned from. Judge on pictures of another day.",
            len(groups),
        )
        groups = _cut(groups, share)
    count = max((int(each.max(initial=-1)) for each in classes), default=-1) + 1
    table = np.array(
        [
            [
                *np.bincount(
                    np.concatenate([classes[place] for place in group]), minlength=count
                ),
                len(group),
            ]
            for group in groups
        ],
        np.float64,
    )
    wanted = table.sum(axis=0) * share
    rng = np.random.default_rng(seed)
    best: tuple[float, NDArray[np.intp]] | None = None
    for _ in range(_DRAWS):
        order = rng.permutation(len(groups))
        filled = np.cumsum(table[order, -1])
        chosen = order[: max(1, int(np.searchsorted(filled, wanted[-1])))]
        miss = np.abs(table[chosen].sum(axis=0) - wanted) / np.maximum(wanted, 1)
        if best is None or float(miss.max()) < best[0]:
            best = (float(miss.max()), chosen)
    assert best is not None
    held = sorted(place for number in best[1] for place in groups[number])
    out = set(held)
    return [place for place in range(len(classes)) if place not in out], held


def _cut(groups: Sequence[Sequence[int]], share: float) -> list[list[int]]:
    """Cut groups into runs, each no longer than what is to be held out."""
    longest = max(1, math.floor(share * sum(map(len, groups))))
    return [
        list(group[start : start + longest])
        for group in groups
        for start in range(0, len(group), longest)
    ]

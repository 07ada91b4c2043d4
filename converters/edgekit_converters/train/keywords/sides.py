"""Hold recordings out: whole speakers where names tell them, else whole files."""

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from edgekit.errors import DataError
from edgekit_converters.train.keywords.recordings import Recording
from edgekit_converters.train.split import hold_out

FEWEST_SPEAKERS = 4  # of fewer, one would be too much to learn without
_MANY = 20  # recordings, from which on whole files are held out
_NAMED_SHARE = 0.9  # of the recordings must tell their speaker

_log = logging.getLogger(__name__)


def divide(
    recordings: Sequence[Recording], share: float, seed: int
) -> tuple[list[Recording], list[Recording]]:
    """Divide recordings into those to learn from and those held out.

    The same sound, and the same speaker where names tell them, is never on both sides.

    Args:
        recordings: All of them.
        share: Share to hold out, in (0, 1).
        seed: The draws.

    Raises:
        DataError: A word would have nothing on one side.
    """
    labels = sorted({each.label for each in recordings})
    held: set[int] = set()
    if _speakers_known(recordings):
        groups = _groups([each.group for each in recordings])
        classes = [np.array([labels.index(each.label)], np.intp) for each in recordings]
        held.update(hold_out(groups, classes, _at_least_one(share, len(groups)), seed)[1])
    else:
        for number, label in enumerate(labels):
            held.update(_of_one_word(recordings, label, share, [seed, number]))
    sides = (
        [each for place, each in enumerate(recordings) if place not in held],
        [each for place, each in enumerate(recordings) if place in held],
    )
    for label in labels:
        counts = [sum(each.label == label for each in side) for side in sides]
        if not min(counts):
            msg = (
                f"'{label}' has {sum(counts)} recordings that differ; to learn from some and "
                "to judge by others, give two or more."
            )
            raise DataError(msg)
    return sides


def divide_others(
    recordings: Sequence[Recording], share: float, seed: int
) -> tuple[list[Recording], list[Recording]]:
    """Divide speech or noises: many recordings as whole files, few each in time.

    Args:
        recordings: All of them, none of which has a word.
        share: Share to hold out, in (0, 1).
        seed: The draws.
    """
    if len({each.group for each in recordings}) >= _MANY:
        return divide(recordings, share, seed)
    cuts = [round((1 - share) * each.wave.size) for each in recordings]
    pairs = list(zip(recordings, cuts, strict=True))
    return (
        [dataclasses.replace(each, wave=each.wave[:cut]) for each, cut in pairs],
        [dataclasses.replace(each, wave=each.wave[cut:]) for each, cut in pairs],
    )


def _speakers_known(recordings: Sequence[Recording]) -> bool:
    known = [each.speaker for each in recordings if each.speaker]
    if len(known) < _NAMED_SHARE * len(recordings):
        return False
    if len(set(known)) < FEWEST_SPEAKERS:
        _log.warning(
            "The names tell %d speakers. What is held out is spoken by those that were "
            "learned from; judge on another voice.",
            len(set(known)),
        )
        return False
    return True


def _at_least_one(share: float, speakers: int) -> float:
    return max(share, 1 / speakers)


def _groups(keys: Sequence[str]) -> list[list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        found[key].append(place)
    return list(found.values())


def _of_one_word(
    recordings: Sequence[Recording], label: str, share: float, seed: list[int]
) -> list[int]:
    """Choose files of one word at random; equal sounds go together."""
    places = [place for place, each in enumerate(recordings) if each.label == label]
    groups = defaultdict(list)
    for place in places:
        groups[recordings[place].wave.tobytes()].append(place)
    order = np.random.default_rng(seed).permutation(len(groups))
    several = list(groups.values())
    chosen: list[int] = []
    for number in order[: max(1, len(groups) - 1)]:
        if chosen and len(chosen) >= round(share * len(places)):
            break
        chosen += several[number]
    return chosen if len(groups) > 1 else []

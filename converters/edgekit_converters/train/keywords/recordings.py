"""Find the recordings of words, of other speech and of noises, and read them."""

import collections
import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.data import find
from edgekit.data.sounds import SUFFIXES, read_sound
from edgekit.errors import DataError, UsageError
from edgekit.progress import track

FEW = 20  # recordings of a word below which there is a warning
HIGHEST_HZ = 16_000  # speech needs no more
_SILENT = 1e-4  # a recording that is nowhere louder holds nothing, -80 dB
_MOST_UNREADABLE = 0.05
_THREE_PARTS = re.compile(r"[^_]+_([^_]+)_[^_]+")
_HASHED = re.compile(r"([0-9a-f]{8})_nohash_\d+")  # as Speech Commands names its files
_NAMED = 10

Wave = NDArray[np.float32]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One recording.

    Attributes:
        name: Its path below the folder that it is of.
        label: The word that is said in it; empty where it is none of the words.
        speaker: Who says it; empty where the file's name does not tell.
        wave: Shape (n,), in [-1, 1].
    """

    name: str
    label: str
    speaker: str
    wave: Wave

    @property
    def group(self) -> str:
        """What must stay on one side: the speaker, else the sound itself."""
        return self.speaker or hashlib.sha256(self.wave.tobytes()).hexdigest()


def find_words(data: Path, words: Sequence[str]) -> dict[str, list[Path]]:
    """Find the files of each word, in folders or by names that begin with the word.

    Args:
        data: The folder.
        words: The words wanted; none takes all that are found, sorted.

    Raises:
        DataError: There is no sound, or a word has none.
        UsageError: A word is asked for twice.
    """
    if len(set(words)) < len(words):
        msg = f"--words names a word twice: {', '.join(words)}."
        raise UsageError(msg)
    if not data.is_dir():
        msg = f"{data} is no folder.\nGive one that has a folder of recordings for each word."
        raise DataError(msg)
    found = {
        name: find.files_below(data / name, SUFFIXES)
        for name in words or find.class_folders(data, SUFFIXES)
        if (data / name).is_dir()
    }
    if not any(found.values()):
        found = _by_name(find.files_in(data, SUFFIXES), words)
    lacking = [word for word in words if not found.get(word)]
    if lacking or not any(found.values()):
        known = ", ".join(find.class_folders(data, SUFFIXES)) or "no folder with sound"
        msg = (
            f"{data} holds no recording of {', '.join(lacking) or 'any word'}; found {known}, "
            f"{find.what_is_in(data)}.\nGive one folder of recordings for each word, or files "
            "whose names begin with the word, e.g. yes_anna_1.wav."
        )
        raise DataError(msg)
    return {word: files for word, files in found.items() if files}


def _by_name(files: Sequence[Path], words: Sequence[str]) -> dict[str, list[Path]]:
    """Sort files `label_speaker_take` by what stands before the first `_`."""
    found = collections.defaultdict(list)
    for file in files:
        label, mark, _ = file.stem.partition("_")
        if mark:
            found[label].append(file)
    return {label: found[label] for label in words or sorted(found)}


def usual_rate(files: Sequence[Path]) -> int:
    """Return the sample rate that most of the files have, at most 16 kHz."""
    import soundfile

    rates: collections.Counter[int] = collections.Counter()
    for file in files:
        try:
            rates[int(soundfile.info(str(file)).samplerate)] += 1
        except (soundfile.SoundFileError, OSError):
            continue  # reading it says why
    return min(HIGHEST_HZ, rates.most_common(1)[0][0]) if rates else HIGHEST_HZ


def read_words(root: Path, files: dict[str, list[Path]], rate: int) -> list[Recording]:
    """Read the recordings of all words; those that cannot be used are named and left out.

    Raises:
        DataError: More than 5 % cannot be used, or nothing of a word.
    """
    pairs = [(label, file) for label, each in files.items() for file in each]
    found = _read(root, pairs, rate)
    for word, paths in files.items():
        count = sum(each.label == word for each in found)
        if not count:
            msg = f"None of the {len(paths)} recordings of '{word}' can be used."
            raise DataError(msg)
        if count < FEW:
            _log.warning(
                "'%s' has %d recordings. Expect it to be found from the same voices only, and "
                "numbers about it that mean little; %d of many people are a beginning.",
                word,
                count,
                10 * FEW,
            )
    return found


def read_others(folder: Path | None, rate: int) -> list[Recording]:
    """Read speech or noises; no folder holds none.

    Raises:
        DataError: There is no sound in it, or more than 5 % cannot be used.
    """
    if folder is None:
        return []
    files = find.files_below(folder, SUFFIXES) if folder.is_dir() else []
    if not files:
        msg = f"{folder} holds no sound; found {find.what_is_in(folder)}."
        raise DataError(msg)
    return _read(folder, [("", file) for file in files], rate)


def _read(root: Path, pairs: Sequence[tuple[str, Path]], rate: int) -> list[Recording]:
    found, wrong = [], []
    for label, file in track(pairs, f"Reading {root.name}", len(pairs), "recording"):
        try:
            wave = read_sound(file, rate)
        except DataError as error:
            wrong.append((file, str(error).splitlines()[0]))
            continue
        if float(np.abs(wave).max()) < _SILENT or not np.isfinite(wave).all():
            wrong.append((file, f"{file} holds silence only."))
            continue
        name = file.relative_to(root).as_posix()
        found.append(Recording(name, label, _speaker(file.stem) if label else "", wave))
    for _, reason in wrong[:_NAMED]:
        _log.warning("Left out: %s", reason)
    if wrong:
        _log.warning("%s: %d of %d recordings are left out.", root, len(wrong), len(pairs))
    if len(wrong) > max(1, _MOST_UNREADABLE * len(pairs)):
        msg = (
            f"{len(wrong)} of {len(pairs)} recordings in {root} cannot be used, more than 5 %; "
            f"the first: {wrong[0][1]}"
        )
        raise DataError(msg)
    return found


def _speaker(stem: str) -> str:
    """Tell from `label_speaker_take`, or `speaker_nohash_take`, who speaks."""
    match = _HASHED.fullmatch(stem) or _THREE_PARTS.fullmatch(stem)
    return match[1] if match else ""

"""Recordings with marks: which words are said where, in a text file beside each sound.

A line of it is `start end label`, in seconds: what Audacity exports as labels, with tabs;
commas, semicolons and blanks do as well, and a line of titles before.
"""

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.audio.tuning import Mark
from edgekit.data.find import files_below
from edgekit.data.sounds import SUFFIXES
from edgekit.errors import DataError

MARK_SUFFIXES = (".txt", ".csv")

_NUMBER = re.compile(r"[-+]?\d*[.,]?\d+(e[-+]?\d+)?", re.IGNORECASE)
_SEPARATORS = ("\t", ";", ",", None)  # None: blanks
_LONGEST = 1_000_000  # characters of a file of marks that is looked at to see what it is
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Marked:
    """A recording and the words in it.

    Attributes:
        path: The sound.
        marks: The words, by their start.
    """

    path: Path
    marks: tuple[Mark, ...]


def looks_marked(data: str | Path) -> bool:
    """Whether data are recordings: a sound, its file of marks, or a folder of such pairs."""
    path = Path(data)
    if not path.is_dir():
        known = path.suffix.lower() in SUFFIXES or _sound_of(path) is not None
        return path.is_file() and known
    beside = map(_marks_of, files_below(path, SUFFIXES))
    return any(each is not None and _has_marks(each) for each in beside)


def open_marked(data: str | Path) -> tuple[Marked, ...]:
    """Read which words are said in recordings.

    Args:
        data: A sound with a file of marks beside it, that file, or a folder of such pairs;
            in a sound of the folder that has no file of marks no word is said.

    Raises:
        DataError: There is no such file, or one holds something else.
    """
    path = Path(data)
    sounds = files_below(path, SUFFIXES) if path.is_dir() else [_sound_of(path) or path]
    bare = [sound for sound in sounds if _marks_of(sound) is None]
    if bare:
        _log.warning(
            "No marks beside %s%s: no word is taken to be said there.",
            bare[0].name,
            f" and {len(bare) - 1} more" if len(bare) > 1 else "",
        )
    return tuple(Marked(sound, _read(_marks_of(sound))) for sound in sounds)


def read_marks(path: Path) -> tuple[Mark, ...]:
    """Read a file of marks.

    Raises:
        DataError: It cannot be read, or a line is no mark.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        msg = f"Cannot read the marks in {path}: {error.strerror}."
        raise DataError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"The marks in {path} are not UTF-8 text; give lines of: start end label."
        raise DataError(msg) from error
    found = []
    for number, line in enumerate(lines, 1):
        parts = _parts(line)
        if parts is not None:
            found.append(_mark(parts, f"{path}, line {number},"))
        elif line.strip() and not _is_beside(line, number):
            raise _no_mark(path, number, line)
    return tuple(sorted(found, key=lambda mark: (mark.start_s, mark.end_s)))


def check_marks(recording: Marked, seconds: float) -> None:
    """Make sure that the marks lie in the recording.

    Raises:
        DataError: One begins behind its end.
    """
    for mark in recording.marks:
        if mark.start_s > seconds:
            msg = (
                f"{recording.path} is {seconds:.1f} s long, and '{mark.label}' is marked at "
                f"{mark.start_s:.1f} s.\nAre these the marks of this recording, in seconds?"
            )
            raise DataError(msg)


def warn_of_foreign(recordings: Sequence[Marked], words: Sequence[str], name: str) -> None:
    """Name the labels that are no words of a model, as a misspelt word would be one."""
    labels = {mark.label for each in recordings for mark in each.marks}
    foreign = sorted(labels - set(words))
    if labels and not labels & set(words):
        _log.warning(
            "No mark names a word of %s: it hears %s, and the marks say %s. All of them count "
            "as foreign words.",
            name,
            ", ".join(words),
            ", ".join(foreign[:10]),
        )
    elif foreign:
        _log.warning("Marks that count as foreign words: %s.", ", ".join(foreign[:10]))


def _no_mark(path: Path, number: int, line: str) -> DataError:
    return DataError(
        f"{path}, line {number}, is no mark: {line.strip()[:40]!r}.\n"
        "Write one mark a line: start end label, in seconds, e.g. 12.5 13.1 alexa."
    )


def _read(path: Path | None) -> tuple[Mark, ...]:
    return () if path is None else read_marks(path)


def _marks_of(sound: Path) -> Path | None:
    """Return the file of marks beside a sound."""
    beside = (sound.with_suffix(suffix) for suffix in MARK_SUFFIXES)
    return next((each for each in beside if each.is_file()), None)


def _sound_of(marks: Path) -> Path | None:
    """Return the sound beside a file of marks."""
    if marks.suffix.lower() not in MARK_SUFFIXES:
        return None
    beside = (marks.with_suffix(suffix) for suffix in sorted(SUFFIXES))
    return next((each for each in beside if each.is_file()), None)


def _has_marks(path: Path) -> bool:
    """Whether a text file holds marks, or nothing, rather than a transcript."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = file.read(_LONGEST).splitlines()[:2]
    except (OSError, UnicodeDecodeError):
        return False
    return not lines or any(_parts(line) is not None for line in lines)


def _parts(line: str) -> tuple[str, str, str] | None:
    """Split a line into start, end and label; None if it is no mark."""
    for separator in _SEPARATORS:
        if separator is None or separator in line:
            parts = [each.strip() for each in line.split(separator, 2)]
            numbers = [bool(_NUMBER.fullmatch(each)) for each in parts[:2]]
            if len(parts) == 3 and all(numbers):
                return parts[0], parts[1], parts[2].strip('"')
    return None


def _is_beside(line: str, number: int) -> bool:
    """Whether a line is one of titles, or of frequencies, as Audacity adds them to a mark."""
    return line.startswith("\\") or (number == 1 and not line.strip()[0].isdigit())


def _mark(parts: tuple[str, str, str], where: str) -> Mark:
    start, end = (float(each.replace(",", ".")) for each in parts[:2])
    if not (0 <= start <= end and math.isfinite(end)):
        msg = f"{where} marks {start:g} to {end:g} s; a mark goes from 0 or more upwards."
        raise DataError(msg)
    if not parts[2]:
        msg = f"{where} has no label; write which word is said there."
        raise DataError(msg)
    return Mark(start, end, parts[2])

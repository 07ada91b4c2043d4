"""Find the files of a data folder, in an order that repeats."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from edgekit.data import images, sounds
from edgekit.errors import DataError

# Folders of these names hold a set, they are no classes.
CONTAINERS = frozenset({"images", "img", "imgs", "jpegimages", "test", "train", "val"})
_WILD = frozenset("*?[")
MEDIA = images.SUFFIXES | sounds.SUFFIXES | {".npy", ".npz"}


def class_folders(path: Path, suffixes: frozenset[str] = MEDIA) -> tuple[str, ...]:
    """Return the sorted names of the subfolders that hold at least one usable file."""
    return tuple(sub.name for sub in _subfolders(path) if next(_walk(sub, suffixes), None))


def files_below(path: Path, suffixes: frozenset[str]) -> list[Path]:
    """Return the usable files of a folder and all its subfolders, sorted by their path."""
    return sorted(_walk(path, suffixes), key=lambda file: file.relative_to(path).as_posix())


def files_in(path: Path, suffixes: frozenset[str]) -> list[Path]:
    """Return the usable files that lie directly in a folder, sorted by name."""
    return sorted(
        entry
        for entry in _entries(path)
        if entry.suffix.lower() in suffixes and entry.is_file()
    )


def is_several(text: str) -> bool:
    """Whether a text names files: a folder, or a pattern such as `photos/*.jpg`."""
    path = Path(text)
    if text and path.is_dir():
        return True
    return "://" not in text and not path.is_file() and not _WILD.isdisjoint(text)


def several(text: str, suffixes: frozenset[str], what: str) -> list[Path]:
    """Return the usable files that a text names, sorted.

    Args:
        text: A folder, read with all folders in it, or a pattern.
        suffixes: What usable files end with.
        what: What they are, for messages, e.g. `picture`.

    Raises:
        DataError: There is none.
    """
    if Path(text).is_dir():
        files = files_below(Path(text), suffixes)
    else:
        found = sorted(Path(each) for each in glob.glob(text, recursive=True))  # noqa: PTH207 (takes absolute patterns)
        files = [each for each in found if each.suffix.lower() in suffixes and each.is_file()]
    if not files:
        msg = f"There is no {what} in {text}; known are {' '.join(sorted(suffixes))}."
        raise DataError(msg)
    return files


def what_is_in(path: Path) -> str:
    """Say which kinds of files a folder holds, e.g. `12 .txt, 1 .csv`; for messages."""
    counts: dict[str, int] = {}
    for folder, _, names in os.walk(path):
        for name in names:
            suffix = (Path(folder) / name).suffix.lower() or "files without suffix"
            counts[suffix] = counts.get(suffix, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{count} {suffix}" for suffix, count in ranked) or "nothing"


def _subfolders(path: Path) -> list[Path]:
    return sorted(entry for entry in _entries(path) if entry.is_dir())


def _entries(path: Path) -> list[Path]:
    try:
        return [entry for entry in path.iterdir() if not _hidden(entry.name)]
    except OSError as error:
        msg = f"Cannot read the data folder {path}: {error.strerror}."
        raise DataError(msg) from error


def _walk(path: Path, suffixes: frozenset[str]) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if not _hidden(name))
        for name in sorted(names):
            if not _hidden(name) and Path(name).suffix.lower() in suffixes:
                yield Path(folder) / name


def _hidden(name: str) -> bool:
    """Say whether a name is hidden, or what archives made on a Mac leave behind."""
    return name.startswith(".") or name == "__MACOSX"

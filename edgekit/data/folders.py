"""Data folders: one folder a class, flat files that begin with their label, or plain files."""

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.data import find
from edgekit.data.arrays import ArrayStore, Rows, archive_store
from edgekit.data.feed import Feed
from edgekit.data.labels import match
from edgekit.data.samples import Dataset, Inputs
from edgekit.errors import DataError

_THREE_PARTS = re.compile(r"[^_]+_[^_]+_[^_]+")
_NAMED = 5
_log = logging.getLogger(__name__)

Classes = tuple[tuple[str, ...], NDArray[np.intp]]  # names, and the number of each sample


class FileStore:
    """Samples that are files."""

    def __init__(self, root: Path, files: Sequence[Path], feed: Feed) -> None:
        self._root = root
        self._files = files
        self._feed = feed

    def __len__(self) -> int:
        return len(self._files)

    def name(self, index: int) -> str:
        """Return the path below the data folder."""
        return self._files[index].relative_to(self._root).as_posix()

    def read(self, indices: Sequence[int]) -> Iterator[Inputs | DataError]:
        """Read the files one by one."""
        for index in indices:
            try:
                inputs = self._read(self._files[index])
            except DataError as error:
                yield error
            else:
                yield inputs

    def _read(self, path: Path) -> Inputs:
        if self._feed.kind != "array" and path.suffix.lower() not in {".npy", ".npz"}:
            return self._feed.from_file(path)
        return _one_sample(path, self._feed)


def _one_sample(path: Path, feed: Feed) -> Inputs:
    """Read an array file that holds one sample.

    Raises:
        DataError: It holds another number of samples, or does not fit.
    """
    if feed.single is None:
        store = archive_store(path, feed)
    else:
        store = ArrayStore(path, {feed.single: Rows(path)}, feed)
    if len(store) != 1:
        msg = f"{path} holds {len(store)} samples; in a folder each file holds one."
        raise DataError(msg)
    inputs = next(store.read([0]))
    if isinstance(inputs, DataError):
        raise inputs
    return inputs


def open_folder(path: Path, feed: Feed, labels: Sequence[str], *, labelled: bool) -> Dataset:
    """Open a folder of files.

    Raises:
        DataError: There is nothing in it that the model takes, or its classes are not
            those of the model.
    """
    suffixes = _suffixes(path, feed)
    groups = find.class_folders(path, suffixes)
    loose = find.files_in(path, suffixes)
    if groups and (labelled or not loose):
        files = [file for name in groups for file in find.files_below(path / name, suffixes)]
        if labelled:
            _refuse_containers(path, groups)
            _warn_left_out(path, loose, groups)
        names = [file.relative_to(path).parts[0] for file in files]
        classes = _folder_classes(path, names, labels, labelled=labelled)
    elif groups:
        files, classes = find.files_below(path, suffixes), None
    else:
        files, classes = _flat(path, loose, labels, labelled=labelled)
    kind = feed.kind if suffixes == feed.suffixes else "array"
    counted = f", {len(classes[0])} classes" if classes else ""
    return Dataset(
        FileStore(path, files, feed),
        description=f"{path.name}: {len(files)} {kind}s{counted}",
        labels=classes[0] if classes else (),
        classes=classes[1] if classes else None,
        decoded=kind == "picture",
    )


def _suffixes(path: Path, feed: Feed) -> frozenset[str]:
    """Choose the kind of files: what the model takes, else arrays.

    Raises:
        DataError: There are neither.
    """
    arrays = frozenset({".npy"} if feed.single else {".npz"})
    for suffixes in (feed.suffixes, arrays):
        if find.files_in(path, suffixes) or find.class_folders(path, suffixes):
            return suffixes
    wanted = f"{feed.kind} files ({', '.join(sorted(feed.suffixes))})"
    shapes = ", ".join(f"{name} {shape}" for name, shape in feed.shapes.items())
    msg = (
        f"The data folder {path} holds no {wanted}; found {find.what_is_in(path)}.\n"
        f"The model takes {shapes}. {feed.lacks}"
    )
    raise DataError(msg)


def _refuse_containers(path: Path, groups: tuple[str, ...]) -> None:
    """Refuse a folder of sets, such as `train` and `test`, that is taken for one of classes."""
    if {name.lower() for name in groups} <= find.CONTAINERS:
        msg = (
            f"The folders in {path} have the names of sets, not of classes: "
            f"{', '.join(groups)}.\nGive the one that holds the classes: {path / groups[0]}"
        )
        raise DataError(msg)


def _warn_left_out(path: Path, loose: list[Path], groups: tuple[str, ...]) -> None:
    """Name what lies in a folder of class folders and is not used."""
    empty = sorted(
        entry.name
        for entry in path.iterdir()
        if entry.is_dir() and entry.name not in groups and not entry.name.startswith(".")
    )
    if empty:
        _log.warning("%s: no usable file in %s; left out.", path, ", ".join(empty[:_NAMED]))
    if loose:
        _log.warning("%s: %d files beside the class folders are left out.", path, len(loose))


def _folder_classes(
    path: Path, names: list[str], labels: Sequence[str], *, labelled: bool
) -> Classes | None:
    """Number the classes by the labels, or by the sorted names of the folders."""
    found = sorted(set(names))
    if labels and (labelled or set(found) <= set(labels)):
        return tuple(labels), match(names, labels, str(path))
    if not labelled and len(found) == 1 and found[0].lower() in find.CONTAINERS:
        return None
    return tuple(found), match(names, found, str(path))


def _flat(
    path: Path, files: list[Path], labels: Sequence[str], *, labelled: bool
) -> tuple[list[Path], Classes | None]:
    """Take the classes from file names `label_speaker_take.ext`."""
    if labelled:
        usable = [file for file in files if "_" in file.stem]
        if not usable:
            msg = (
                f"The files in {path} have no labels.\nGive one folder for each class, or "
                "names that begin with the label, e.g. yes_anna_1.wav, or an .npz with x and y."
            )
            raise DataError(msg)
        if len(usable) < len(files):
            left = [file.name for file in files if "_" not in file.stem][:_NAMED]
            _log.warning("%s: left out, as no label begins them: %s", path, ", ".join(left))
        names = [_label(file.stem, labels) for file in usable]
        known = tuple(labels) or tuple(sorted(set(names)))
        return usable, (known, match(names, known, str(path)))
    if not all(_THREE_PARTS.fullmatch(file.stem) for file in files):
        return files, None
    names = [_label(file.stem, labels) for file in files]
    found = tuple(sorted(set(names)))
    known = tuple(labels) if set(found) <= set(labels) else found
    return files, (known, match(names, known, str(path))) if len(found) > 1 else None


def _label(stem: str, labels: Sequence[str]) -> str:
    """Return the longest label that begins the name, else what stands before the first `_`."""
    known = [label for label in labels if stem.startswith(f"{label}_")]
    return max(known, key=len, default=stem.partition("_")[0])

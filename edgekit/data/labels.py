"""Names of classes: where they come from and whether they fit the model."""

import difflib
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.data.find import class_folders
from edgekit.data.samples import Dataset
from edgekit.errors import DataError

_NUMBERED = re.compile(r"\s*(\d+)(?:\s*[:,]\s*|\s+)(\S.*)")
_log = logging.getLogger(__name__)


def read_labels(path: Path) -> tuple[str, ...]:
    """Read the names of classes, one a line.

    Where every line begins with a number, as in `0  person`, the numbers are the class
    numbers; one that is left out gets the name `???`. Empty lines at the end do not count.

    Raises:
        DataError: The file is missing, no text, empty, or a number occurs twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        msg = f"Cannot read the labels in {path}: {error.strerror}."
        raise DataError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"The labels in {path} are not UTF-8 text; give a file with one label a line."
        raise DataError(msg) from error
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        msg = f"{path} holds no labels; give a file with one label a line."
        raise DataError(msg)
    numbered = [_NUMBERED.fullmatch(line) for line in lines if line.strip()]
    if all(numbered):
        return _by_number([(int(m[1]), m[2].strip()) for m in numbered if m], path)
    return tuple(line.strip() for line in lines)


def _by_number(pairs: list[tuple[int, str]], path: Path) -> tuple[str, ...]:
    names = dict(pairs)
    if len(names) < len(pairs):
        msg = f"A class number occurs twice in {path}; give each class one line."
        raise DataError(msg)
    if max(names) > 100 * len(names) + 1000:
        msg = f"{path} numbers {len(names)} labels up to {max(names)}; is it a label file?"
        raise DataError(msg)
    return tuple(names.get(number, "???") for number in range(max(names) + 1))


def labels_of(path: Path) -> tuple[str, ...]:
    """Return the sorted names of the class folders of a data folder, opening no file.

    Empty if the folder has none.

    Raises:
        DataError: There is no such folder.
    """
    return tuple(sorted(class_folders(path)))


def match(
    names: Sequence[str], labels: Sequence[str], where: str, *, rename: str = "the folders"
) -> NDArray[np.intp]:
    """Return the class number of each name.

    Args:
        names: Class names as found in a data set.
        labels: Class names in the order of the model's outputs.
        where: The data set, for messages.
        rename: What holds the names in the data set, for the message.

    Raises:
        DataError: A name is none of the labels.
    """
    numbers = {label: number for number, label in reversed(list(enumerate(labels)))}
    if unknown := sorted(set(names) - numbers.keys()):
        close = difflib.get_close_matches(unknown[0], list(labels), 1)
        hint = f" Is '{unknown[0]}' meant to be '{close[0]}'?" if close else ""
        shown = ", ".join(labels[:10]) + (", ..." if len(labels) > 10 else "")
        msg = (
            f"{where} has classes that the model does not know: {', '.join(unknown[:10])}.\n"
            f"The model's labels: {shown}.{hint}\nRename {rename}, or give --labels FILE."
        )
        raise DataError(msg)
    return np.array([numbers[name] for name in names], np.intp)


def check_classes(dataset: Dataset, n_outputs: int) -> None:
    """Make sure that the classes of a labelled set are those of a model.

    Args:
        dataset: The set.
        n_outputs: How many classes the model tells apart.

    Raises:
        DataError: Their number differs, or a class number is too high.
    """
    if dataset.labels and len(dataset.labels) != n_outputs:
        msg = (
            f"{dataset.description}: there are {len(dataset.labels)} class names and the "
            f"model has {n_outputs} outputs.\n"
            "Give the names in the order of the outputs with --labels FILE, one a line."
        )
        raise DataError(msg)
    highest = dataset.highest_class
    if highest is not None and highest >= n_outputs:
        msg = (
            f"{dataset.description}: class {highest} occurs, and the model has "
            f"{n_outputs} outputs, 0 to {n_outputs - 1}.\nIs this the data of that model?"
        )
        raise DataError(msg)

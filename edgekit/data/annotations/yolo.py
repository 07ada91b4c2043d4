"""YOLO: a text file for each picture, one line a box, places as shares of the picture."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from edgekit.data.annotations.drafts import SETS, Draft, Found, Mark, sets_of
from edgekit.data.find import files_below
from edgekit.data.images import SUFFIXES, displayed_size
from edgekit.data.labels import read_labels
from edgekit.errors import DataError

_NAMES = ("classes.txt", "labels/classes.txt", "obj.names")
_YAML = ("data.yaml", "dataset.yaml")
# `names: [cat, dog]`, `names: {0: cat, 1: dog}`, or lines below it that are indented.
_YAML_NAMES = re.compile(
    r"^names:[ \t]*(?:\[([^\]]*)\]|\{([^}]*)\}|((?:\r?\n[ \t-]+[^\r\n]*)+))", re.MULTILINE
)
_NO_LABELS = frozenset({"classes.txt", "train.txt", "val.txt", "test.txt", "readme.txt"})


def read_yolo(path: Path, labels: Sequence[str] = ()) -> Found | None:
    """Read a folder of YOLO annotations; None if it holds none.

    Pictures in `images` have their lines in `labels`, by the same path below it; both may
    lie in `train`, `valid` and `test`, or be divided into these. A picture without lines
    shows no object. Where there is no `labels`, lines lie beside the pictures.

    Args:
        path: The folder, with `classes.txt` (or `data.yaml`): the names, one a line.
        labels: Names of the classes, where the folder has no such file.

    Raises:
        DataError: There are no names, or a class number has none.
    """
    folders, named = _label_folders(path), _names(path)
    files = _label_files(path, folders) if folders or named else []
    if not files:
        return None
    found = Found("YOLO", labels=named or tuple(labels))
    if not found.labels:
        msg = (
            f"{path} has no classes.txt.\nWrite one, the name of a class a line in their order."
        )
        raise DataError(msg)
    used = set()
    for picture in files_below(path, SUFFIXES):
        lines = _lines_of(picture, path)
        used.add(lines)
        draft = _draft(picture, path, found)
        if draft is not None and lines.is_file():
            draft.marks = _marks(lines, draft, found)
    for file in files:
        if file not in used:
            found.lost.append(f"{file} belongs to no picture.")
    if found.drafts and not any(draft.marks for draft in found.drafts):
        msg = f"No picture in {path} has a line in labels; are images and labels of one set?"
        raise DataError(msg)
    return found


def has_yolo(path: Path) -> bool:
    """Whether a folder has text files where YOLO annotations lie."""
    folders = _label_folders(path)
    return bool(folders or _named(path)) and bool(_label_files(path, folders))


def _label_folders(path: Path) -> list[Path]:
    inner = [
        path / each.name / "labels" for each in path.iterdir() if each.name.lower() in SETS
    ]
    return sorted(each for each in [path / "labels", *inner] if each.is_dir())


def _label_files(path: Path, folders: list[Path]) -> list[Path]:
    places = folders or [path]
    files = [file for each in places for file in files_below(each, frozenset({".txt"}))]
    return [file for file in files if file.name.lower() not in _NO_LABELS]


def _lines_of(picture: Path, root: Path) -> Path:
    """Return where the lines of a picture are: `images` becomes `labels` in its path."""
    parts = list(picture.relative_to(root).with_suffix(".txt").parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return root.joinpath(*parts)


def _draft(picture: Path, root: Path, found: Found) -> Draft | None:
    relative = picture.relative_to(root)
    try:
        size = displayed_size(picture)
    except DataError as error:
        found.lost.append(str(error))
        return None
    draft = Draft(relative.as_posix(), picture, size=size, sets=sets_of(relative))
    found.drafts.append(draft)
    return draft


def _marks(file: Path, draft: Draft, found: Found) -> list[Mark]:
    """Read the lines of one picture.

    Raises:
        DataError: A class number has no name.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        found.faults.append(f"{file} cannot be read: {error}.")
        return []
    height, width = draft.size or (1, 1)
    marks = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        values = _numbers(line)
        box = _corners(values[1:]) if values else None
        if values is None or box is None:
            found.faults.append(f"{file}, line {number} is no 'class x y width height'.")
            continue
        place = int(values[0])
        if not 0 <= place < len(found.labels):
            msg = (
                f"{file}, line {number} has class {place}, and there are "
                f"{len(found.labels)} names: {', '.join(found.labels[:10])}."
            )
            raise DataError(msg)
        x_min, y_min, x_max, y_max = box
        corners = (x_min * width, y_min * height, x_max * width, y_max * height)
        marks.append(Mark(found.labels[place], corners))
    return marks


def _numbers(line: str) -> list[float] | None:
    try:
        values = [float(each) for each in line.split()]
    except ValueError:
        return None
    fine = len(values) >= 5 and all(map(math.isfinite, values)) and values[0] == int(values[0])
    return values if fine else None


def _corners(values: list[float]) -> tuple[float, float, float, float] | None:
    """Turn centre and size, or the corners of a polygon, into a box."""
    if len(values) == 4:
        x, y, width, height = values
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(values) % 2 or len(values) < 6:
        return None
    return min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])


def _named(path: Path) -> Path | None:
    """Return the file that holds the names of the classes."""
    return next((path / n for n in (*_NAMES, *_YAML) if (path / n).is_file()), None)


def _names(path: Path) -> tuple[str, ...]:
    """Return the names of the classes; empty if no file has them."""
    file = _named(path)
    if file is None:
        return ()
    return _yaml_names(file) if file.name in _YAML else read_labels(file)


def _yaml_names(file: Path) -> tuple[str, ...]:
    """Read `names` of a YAML file: a list or numbered lines, in one line or below it.

    Raises:
        DataError: There is no such entry.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file} cannot be read: {error}."
        raise DataError(msg) from error
    entry = _YAML_NAMES.search(text)
    if entry is None:
        msg = f"{file} has no names of classes; write them into classes.txt, one a line."
        raise DataError(msg)
    rows = re.split(r"\r?\n" if entry[3] else r",", entry[1] or entry[2] or entry[3] or "")
    plain = (re.sub(r"^\s*(?:-|\d+\s*:)?\s*", "", row).strip().strip("'\"") for row in rows)
    return tuple(name for name in plain if name)

"""COCO: one JSON file with all boxes, beside the pictures."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekit.data.annotations.drafts import SETS, Draft, Found, Mark, sets_of
from edgekit.errors import DataError, RecordError
from edgekit.records import read_json

_NAMES = ("annotations.json", "_annotations.coco.json")
_IMAGES = ("", "images", "JPEGImages")  # where pictures lie, below the JSON's own folder


def read_coco(path: Path) -> Found | None:
    """Read COCO annotations; None if there are none.

    Args:
        path: The JSON file; or a folder with `annotations.json`, with one in each of
            `train`, `valid`, `test`, or with `annotations/instances_train.json` and the like.

    Raises:
        DataError: The JSON is damaged, or no COCO file.
    """
    files = [path] if path.is_file() else list(_files(path))
    if not files:
        return None
    root = path.parent if path.is_file() else path
    found = Found("COCO")
    for file in files:
        _File(file, root, found)
    return found


def has_coco(path: Path) -> bool:
    """Whether a folder has JSON files where COCO annotations lie."""
    return next(_files(path), None) is not None


def _files(path: Path) -> Iterator[Path]:
    folders = [path, *sorted(each for each in path.iterdir() if each.name.lower() in SETS)]
    for folder in folders:
        for name in _NAMES:
            if (folder / name).is_file():
                yield folder / name
    yield from sorted((path / "annotations").glob("instances_*.json"))


class _File:
    """One JSON file, taken into what was found.

    Args:
        file: The JSON file.
        root: The data folder.
        found: What was found in the files before.

    Raises:
        DataError: It is damaged, or contradicts itself.
    """

    def __init__(self, file: Path, root: Path, found: Found) -> None:
        content = _content(file)
        self._file, self._root, self._found = file, root, found
        self._names = _categories(content["categories"], file)
        self._drafts: dict[Any, Draft | None] = {}  # by the image's id; None is missing
        ordered = tuple(self._names[number] for number in sorted(self._names))
        if found.labels and set(found.labels) != set(ordered):
            msg = f"{file} has other categories than the JSON files beside it."
            raise DataError(msg)
        found.labels = found.labels or ordered
        for record in content["images"]:
            self._add_image(record)
        for record in content["annotations"]:
            self._add_box(record)
        found.drafts += [draft for draft in self._drafts.values() if draft is not None]

    def _add_image(self, record: dict[str, Any]) -> None:
        number, name = record.get("id"), record.get("file_name")
        if not isinstance(number, int | str) or number in self._drafts:
            text = str(record)[:80]
            msg = f"{self._file}: an image has no id, or one that occurs twice: {text}."
            raise DataError(msg)
        picture = self._picture(name) if isinstance(name, str) else None
        if picture is None:
            self._found.lost.append(f"{self._file} names the picture {name}, which is missing.")
            self._drafts[number] = None
            return
        relative = picture.relative_to(self._root)
        self._drafts[number] = Draft(
            relative.as_posix(), picture, size=_size(record), sets=self._sets(relative)
        )

    def _picture(self, name: str) -> Path | None:
        """Find a picture by its name, in the data folder only."""
        if Path(name).is_absolute() or ".." in Path(name).parts:
            return None
        divided = self._file.stem.removeprefix("instances_")
        below = (*_IMAGES, divided, f"images/{divided}")
        places = [self._file.parent / each / name for each in _IMAGES]
        places += [self._root / each / name for each in below]
        return next((place for place in places if place.is_file()), None)

    def _sets(self, picture: Path) -> frozenset[str]:
        """Tell the set from the folder, or from a name such as `instances_val2017.json`."""
        word = self._file.stem.removeprefix("instances_").rstrip("0123456789").lower()
        return sets_of(picture) or frozenset({SETS[word]} if word in SETS else ())

    def _add_box(self, record: dict[str, Any]) -> None:
        where = f"{self._file}: annotation {record.get('id')}"
        number, category = record.get("image_id"), record.get("category_id")
        label = self._names.get(category) if isinstance(category, int) else None
        if label is None:
            msg = f"{where} has category {category}, which is not defined."
            raise DataError(msg)
        box = _corners(record.get("bbox"))
        if not isinstance(number, int | str) or number not in self._drafts:
            self._found.faults.append(f"{where} belongs to image {number}, which is not there.")
        elif box is None:
            self._found.faults.append(
                f"{where} lacks a bbox of four numbers (x, y, width, height)."
            )
        elif (draft := self._drafts[number]) is not None:
            draft.marks.append(Mark(label, box, crowd=record.get("iscrowd") == 1))


def _content(file: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the JSON and make sure that it holds three lists of tables.

    Raises:
        DataError: It does not.
    """
    try:
        content = read_json(file)
    except RecordError as error:
        raise DataError(str(error)) from error
    wanted = ("images", "annotations", "categories")
    for key in wanted:
        rows = content.get(key) if isinstance(content, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            msg = f"{file} is no COCO file: it needs lists of {', '.join(wanted)}."
            raise DataError(msg)
    return {key: content[key] for key in wanted}


def _categories(rows: list[dict[str, Any]], file: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for row in rows:
        number, name = row.get("id"), row.get("name")
        if not isinstance(number, int) or not isinstance(name, str):
            msg = f"{file}: each category needs an id, a whole number, and a name."
            raise DataError(msg)
        names[number] = name
    if len(set(names.values())) < len(rows):
        msg = f"{file}: two categories have the same id or the same name."
        raise DataError(msg)
    return names


def _size(record: dict[str, Any]) -> tuple[int, int] | None:
    height, width = record.get("height"), record.get("width")
    if isinstance(height, int) and isinstance(width, int) and min(height, width) > 0:
        return height, width
    return None


def _corners(bbox: Any) -> tuple[float, float, float, float] | None:
    try:
        x, y, width, height = (float(each) for each in bbox)
    except (TypeError, ValueError, OverflowError):
        return None
    box = (x, y, x + width, y + height)
    return box if all(map(math.isfinite, box)) else None

"""Pascal VOC: one XML file for each picture, with or without lists in `ImageSets`.

Corners are taken as they stand, as the tools that write such files today mean them; the
original sets count pixels from 1, which shifts a box by less than a pixel.
"""

import math
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

from edgekit.data.annotations.drafts import SETS, Draft, Found, Mark, sets_of
from edgekit.data.find import files_below, files_in
from edgekit.data.images import SUFFIXES
from edgekit.errors import DataError

_MAX_BYTES = 2**24
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(path: Path) -> Found | None:
    """Read a folder of Pascal VOC annotations; None if it holds none.

    Images lie in `JPEGImages` or beside the XML files, in any subfolder. Sets are named by
    `ImageSets/Main/train.txt` and the like, else by folders such as `train` and `valid`.

    Raises:
        DataError: A list of `ImageSets` cannot be read.
    """
    found = Found("Pascal VOC")
    pictures = _by_stem(path)
    lists = _lists(path)
    for file in files_below(path, frozenset({".xml"})):
        try:
            root = _parse(file)
        except DataError as error:
            found.lost.append(str(error))
            continue
        if root.tag != "annotation":
            continue
        picture = _picture(file, root, pictures)
        if picture is None:
            name = root.findtext("filename") or file.stem
            found.lost.append(f"{file} describes the picture {name}, which is missing.")
            continue
        relative = picture.relative_to(path)
        draft = Draft(relative.as_posix(), picture, size=_size(root))
        draft.sets = frozenset(name for name, stems in lists.items() if file.stem in stems)
        draft.sets |= sets_of(relative) if not lists else frozenset()
        draft.marks = _marks(root, file, found.faults)
        found.drafts.append(draft)
    if not found.drafts and not found.lost:
        return None
    known = {draft.path.stem for draft in found.drafts}
    for name, stems in lists.items():
        found.faults += [
            f"ImageSets lists {stem} in {name}, and there is no such annotated picture."
            for stem in sorted(stems - known)
        ]
    return found


def has_voc(path: Path) -> bool:
    """Whether a folder has XML files beside pictures, or an `Annotations` folder of them."""
    folder = path / "Annotations"
    return bool(files_in(folder if folder.is_dir() else path, frozenset({".xml"}))) or any(
        files_in(path / name, frozenset({".xml"})) for name in SETS if (path / name).is_dir()
    )


def _by_stem(path: Path) -> dict[str, list[Path]]:
    pictures = defaultdict(list)
    for file in files_below(path, SUFFIXES):
        pictures[file.stem].append(file)
    return pictures


def _picture(file: Path, root: ET.Element, pictures: dict[str, list[Path]]) -> Path | None:
    """Find the picture of an annotation: of the same stem, the nearest, as it is named."""
    named = Path((root.findtext("filename") or "").replace("\\", "/")).name
    near = pictures.get(file.stem) or pictures.get(Path(named).stem) or []

    def distance(picture: Path) -> tuple[int, bool]:
        shared = sum(1 for each in picture.parents if each in file.parents)
        return -shared, picture.name != named

    return min(near, key=distance, default=None)


def _parse(file: Path) -> ET.Element:
    """Parse an XML file of a stranger.

    Raises:
        DataError: It is no XML, too large, or declares entities.
    """
    try:
        if file.stat().st_size > _MAX_BYTES:
            msg = f"{file} has more than {_MAX_BYTES >> 20} MiB; is it an annotation?"
            raise DataError(msg)
        data = file.read_bytes()
    except OSError as error:
        msg = f"Cannot read {file}: {error.strerror}."
        raise DataError(msg) from error
    if b"<!ENTITY" in data:
        msg = f"{file} declares entities, which no annotation needs."
        raise DataError(msg)
    try:
        return ET.fromstring(data)  # noqa: S314 (without entities it cannot grow)
    except (ET.ParseError, ValueError, LookupError) as error:
        msg = f"{file} is not valid XML: {error}."
        raise DataError(msg) from error


def _size(root: ET.Element) -> tuple[int, int] | None:
    """Return height and width; None where they are missing or 0, as some tools write."""
    try:
        height = int(root.findtext("size/height") or 0)
        width = int(root.findtext("size/width") or 0)
    except ValueError:
        return None
    return (height, width) if min(height, width) > 0 else None


def _marks(root: ET.Element, file: Path, faults: list[str]) -> list[Mark]:
    marks = []
    for each in root.iter("object"):
        label = (each.findtext("name") or "").strip()
        try:
            x_min, y_min, x_max, y_max = (
                float(each.findtext(f"bndbox/{corner}") or "nan") for corner in _CORNERS
            )
        except ValueError:
            x_min = y_min = x_max = y_max = math.nan
        box = (x_min, y_min, x_max, y_max)
        if not label or not all(map(math.isfinite, box)):
            faults.append(f"{file}: an object '{label}' lacks its name or its four corners.")
            continue
        difficult = (each.findtext("difficult") or "0").strip() == "1"
        marks.append(Mark(label, box, difficult=difficult))
    return marks


def _lists(path: Path) -> dict[str, set[str]]:
    """Read which pictures belong to which set; a line may end in 1 or -1.

    Raises:
        DataError: A list cannot be read.
    """
    lists: dict[str, set[str]] = {}
    folder = path / "ImageSets"
    for file in sorted([*folder.glob("*.txt"), *folder.glob("Main/*.txt")]):
        name = SETS.get(file.stem.lower())
        if name is None:  # a list of one class, such as aeroplane_train.txt
            continue
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"The list {file} cannot be read: {error}."
            raise DataError(msg) from error
        stems = {line.split()[0] for line in lines if line.split()}
        lists.setdefault(name, set()).update(stems)
    return lists

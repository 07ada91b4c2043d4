"""Open annotated pictures, whatever format they are in."""

from collections.abc import Sequence
from pathlib import Path

from edgekit.data.annotations.annotated import Annotations, build
from edgekit.data.annotations.coco import has_coco, read_coco
from edgekit.data.annotations.drafts import SETS
from edgekit.data.annotations.voc import has_voc, read_voc
from edgekit.data.annotations.yolo import has_yolo, read_yolo
from edgekit.data.find import CONTAINERS, class_folders, what_is_in
from edgekit.errors import DataError

_FORMATS = (
    "Give a Pascal VOC folder (pictures and .xml), a COCO one (annotations.json beside the "
    "pictures) or a YOLO one (images/, labels/, classes.txt)."
)


def open_annotations(path: str | Path, labels: Sequence[str] = ()) -> Annotations:
    """Open a folder of annotated pictures: Pascal VOC, COCO or YOLO.

    Boxes without area or outside their picture, and pictures that are missing, are named in
    a warning and skipped; boxes that reach over an edge are cut there.

    Args:
        path: The folder; for COCO also the JSON file.
        labels: Names of the classes in the order of the model's outputs. Empty: as the data
            order them (COCO by id, YOLO by `classes.txt`), else sorted.

    Raises:
        DataError: There are no annotations, they are damaged, more than 5 % of the pictures
            are missing, or a class is none of the labels.
    """
    path = Path(path)
    if not path.exists():
        msg = f"There is no data at {path}."
        raise DataError(msg)
    if path.is_file() and path.suffix.lower() != ".json":
        msg = f"{path} holds no annotated pictures.\n{_FORMATS}"
        raise DataError(msg)
    found = read_coco(path)
    if found is None:
        found = read_yolo(path, labels) or read_voc(path)
    if found is None:
        msg = f"{path} holds no annotated pictures; found {what_is_in(path)}.\n{_FORMATS}"
        raise DataError(msg)
    return build(found, path, labels)


def looks_annotated(path: str | Path) -> bool:
    """Whether a folder or file seems to hold pictures with boxes; reads no annotation.

    A folder with a folder for each class holds none, whatever lies beside these.
    """
    path = Path(path)
    if not path.is_dir():
        return path.suffix.lower() == ".json"
    names = {name.lower() for name in class_folders(path)}
    if len(names - CONTAINERS - SETS.keys()) > 1:
        return False
    return has_coco(path) or has_yolo(path) or has_voc(path)

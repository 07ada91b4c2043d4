"""Annotated pictures, whatever format they were read from."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgekit.data.annotations.drafts import Draft, Found, Mark
from edgekit.data.boxes import Boxes, area, as_boxes, clip
from edgekit.data.images import displayed_size, read_image
from edgekit.data.labels import match
from edgekit.data.opencv import Pixels
from edgekit.data.samples import MAX_UNREADABLE
from edgekit.errors import DataError

_NAMED = 5  # how many of them a message names
_ROUNDING = 2.0  # pixels that a box may reach beyond its picture without a word
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotated:
    """One picture and the boxes in it.

    Attributes:
        name: Path of the picture below the data folder.
        path: The picture.
        boxes: Shape (N, 4), in pixels, inside the picture.
        classes: Shape (N,), class numbers.
        difficult: Shape (N,); boxes that count neither as found nor as missed.
        crowd: Shape (N,); boxes around many objects, which count like difficult ones and
            take up any number of detections inside them.
        size: Height and width of the picture; None where nobody says it.
        sets: Names of the sets that it belongs to, e.g. `train`.
    """

    name: str
    path: Path
    boxes: Boxes
    classes: NDArray[np.intp]
    difficult: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    size: tuple[int, int] | None = None
    sets: frozenset[str] = frozenset()

    @classmethod
    def bare(cls, name: str, path: Path) -> Self:
        """Return a picture without boxes."""
        return cls(
            name=name,
            path=path,
            boxes=np.empty((0, 4), np.float32),
            classes=np.empty(0, np.intp),
            difficult=np.empty(0, np.bool_),
            crowd=np.empty(0, np.bool_),
        )

    def read(self) -> Pixels:
        """Read the picture, shape (height, width, 3), red first.

        Raises:
            DataError: It cannot be read, or is not of the size that the boxes were drawn on.
        """
        pixels = read_image(self.path)
        if self.size is not None and pixels.shape[:2] != self.size:
            (height, width), (found_height, found_width) = self.size, pixels.shape[:2]
            msg = (
                f"{self.path} is {found_width} x {found_height}, and its boxes were drawn on "
                f"{width} x {height}.\nIs it another picture, or one resized or turned since?"
            )
            raise DataError(msg)
        return pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotations:
    """A set of annotated pictures; the pictures themselves are read one by one.

    Attributes:
        labels: Names of the classes, in the order of their numbers.
        items: The pictures, sorted by name.
        description: What the set is, e.g. `bccd: 364 pictures, 4888 boxes, 3 classes`.
        skipped: What could not be used, with the reason, one text each.
    """

    labels: tuple[str, ...]
    items: tuple[Annotated, ...]
    description: str
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets that the pictures are divided into; empty if they are not."""
        return tuple(sorted(set().union(*(each.sets for each in self.items))))

    def split(self, name: str) -> Self:
        """Return the pictures of one set.

        Args:
            name: E.g. `train`, `val` or `test`.

        Raises:
            DataError: There is no such set.
        """
        chosen = [each for each in self.items if name in each.sets]
        if not chosen:
            has = f"it is divided into {', '.join(self.sets)}" if self.sets else "it has none"
            msg = f"{self.description}: there is no set '{name}'; {has}."
            raise DataError(msg)
        return self._of(chosen, f"set {name}")

    def subset(self, n: int, seed: int) -> Self:
        """Choose n pictures at random; the choice depends on their names and the seed alone.

        Args:
            n: How many, above 0; all if there are no more.
            seed: Which choice.
        """
        if n >= len(self):
            return self
        ranked = sorted(self.items, key=lambda item: _lot(item.name, seed))[:n]
        return self._of(sorted(ranked, key=lambda item: item.name), f"{n} of them")

    def _of(self, items: Sequence[Annotated], which: str) -> Self:
        counted = f"{len(items)} pictures, {_count(items)} boxes"
        name = self.description.partition(":")[0]
        return replace(self, items=tuple(items), description=f"{name}: {counted} ({which})")


def build(found: Found, path: Path, labels: Sequence[str]) -> Annotations:
    """Check what a reader found and number its classes.

    Args:
        found: What the reader found.
        path: The data folder.
        labels: Names of the classes in the order of the model's outputs; empty takes those
            of the data.

    Raises:
        DataError: There is nothing of use, too much is missing, or the classes are not
            those of the labels.
    """
    known = tuple(labels) or found.labels or _names(found.drafts)
    _refuse_too_many(found, path)
    match(_names(found.drafts), known, str(path), rename="the classes")
    check = _Check(path, known)
    items = [item for draft in found.drafts if (item := check.item(draft)) is not None]
    items.sort(key=lambda item: item.name)
    if not _count(items):
        msg = f"{path} holds {len(items)} annotated pictures without a single box in them."
        raise DataError(msg)
    skipped = (*found.skipped, *check.skipped)
    for text in skipped[:_NAMED]:
        _log.warning("Skipped: %s", text)
    if len(skipped) > _NAMED:
        _log.warning("%s: %d more were skipped.", path, len(skipped) - _NAMED)
    if check.cut:
        _log.warning("%s: %d boxes reach beyond their picture; cut there.", path, check.cut)
    counted = f"{len(items)} pictures, {_count(items)} boxes, {len(known)} classes"
    return Annotations(
        labels=known,
        items=tuple(items),
        description=f"{path.name}: {counted} ({found.kind})",
        skipped=skipped,
    )


class _Check:
    """Turns drafts into annotated pictures and notes what cannot be used.

    Attributes:
        skipped: One text for each box or picture that is left out.
        cut: How many boxes reached far beyond their picture.
    """

    def __init__(self, root: Path, labels: tuple[str, ...]) -> None:
        self._root = root
        self._labels = labels
        self.skipped: list[str] = []
        self.cut = 0

    def item(self, draft: Draft) -> Annotated | None:
        """Return the picture with its usable boxes; None if the picture is none."""
        try:
            size = draft.size or displayed_size(draft.path)
        except DataError as error:
            self.skipped.append(str(error))
            return None
        marks = [mark for mark in draft.marks if self._usable(draft, mark, size)]
        boxes = as_boxes([mark.box for mark in marks])
        inside = clip(boxes, size)
        self.cut += int((np.abs(boxes - inside).max(axis=1, initial=0) > _ROUNDING).sum())
        names = [mark.label for mark in marks]
        return Annotated(
            name=draft.name,
            path=draft.path,
            boxes=inside,
            classes=match(names, self._labels, str(self._root), rename="the classes"),
            difficult=np.array([mark.difficult for mark in marks], np.bool_),
            crowd=np.array([mark.crowd for mark in marks], np.bool_),
            size=size,
            sets=draft.sets,
        )

    def _usable(self, draft: Draft, mark: Mark, size: tuple[int, int]) -> bool:
        x_min, y_min, x_max, y_max = mark.box
        corners = f"({x_min:g}, {y_min:g}, {x_max:g}, {y_max:g})"
        if not (x_max > x_min and y_max > y_min):
            problem = "has no area"
        elif not area(clip(as_boxes([mark.box]), size))[0]:
            problem = f"lies outside the picture of {size[1]} x {size[0]}"
        else:
            return True
        self.skipped.append(f"{draft.name}: the box {corners} of a '{mark.label}' {problem}.")
        return False


def _refuse_too_many(found: Found, path: Path) -> None:
    """Refuse a set of which too many pictures cannot be used."""
    total = len(found.drafts) + len(found.lost)
    if not total or len(found.lost) > MAX_UNREADABLE * total:
        shown = "\n".join(found.lost[:_NAMED])
        msg = (
            f"{path}: {len(found.lost)} of {total} annotated pictures cannot be used, more "
            f"than {MAX_UNREADABLE:.0%}:\n{shown}\nIs it the whole folder, as it was packed?"
        )
        raise DataError(msg)


def _names(drafts: Iterable[Draft]) -> tuple[str, ...]:
    return tuple(sorted({mark.label for draft in drafts for mark in draft.marks}))


def _count(items: Iterable[Annotated]) -> int:
    return sum(len(item.boxes) for item in items)


def _lot(name: str, seed: int) -> bytes:
    text = f"{seed} {name}".encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=8).digest()

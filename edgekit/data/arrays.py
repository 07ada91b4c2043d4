"""Arrays in .npy and .npz files, read row by row so that memory does not grow with them."""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from edgekit.data.feed import Feed
from edgekit.data.labels import match
from edgekit.data.samples import Array, Dataset, Inputs
from edgekit.errors import DataError

MAX_WHOLE_BYTES = 2**30  # of an array that cannot be read row by row


class Rows:
    """One array in a file.

    Args:
        path: A .npy file, or a .npz file.
        member: Name of the array in the .npz file; None for a .npy file.

    Attributes:
        where: The file and the array, for messages.
        shape: Shape of the whole array.
        dtype: Its type.

    Raises:
        DataError: The file is missing, damaged, cut off, or holds Python objects.
    """

    def __init__(self, path: Path, member: str | None = None) -> None:
        self.where = f"{path}, array '{member}'," if member else str(path)
        self._path = path
        self._member = member
        with self._open() as (file, size):
            self.shape, self._column_first, self.dtype = self._header(file)
            self._start = file.tell()
        if size - self._start < self._bytes(self.shape):
            raise DataError(self._damaged("it is cut off"))
        if self._column_first and self._bytes(self.shape) > MAX_WHOLE_BYTES:
            msg = f"{self.where} is stored column by column; store np.ascontiguousarray(x)."
            raise DataError(msg)

    def read(self, indices: Sequence[int]) -> Iterator[Array]:
        """Read rows, in ascending order."""
        if self._column_first:
            whole = self.whole()
            yield from (whole[index] for index in indices)
            return
        row = self.shape[1:]
        with self._open() as (file, _):
            for index in indices:
                file.seek(self._start + index * self._bytes(row))
                yield self._array(file, row)

    def whole(self) -> Array:
        """Read the array at once."""
        with self._open() as (file, _):
            file.seek(self._start)
            if self._column_first:
                return self._array(file, self.shape[::-1]).T
            return self._array(file, self.shape)

    def _array(self, file: IO[bytes], shape: tuple[int, ...]) -> Array:
        data = file.read(self._bytes(shape))
        if len(data) < self._bytes(shape):
            raise DataError(self._damaged("it is cut off"))
        return np.frombuffer(data, self.dtype).reshape(shape)

    def _bytes(self, shape: tuple[int, ...]) -> int:
        total = self.dtype.itemsize
        for length in shape:
            total *= length
        return total

    @contextmanager
    def _open(self) -> Iterator[tuple[IO[bytes], int]]:
        """Open the array; errors of the file and of the archive become messages."""
        try:
            if self._member is None:
                with self._path.open("rb") as file:
                    yield file, self._path.stat().st_size
                return
            with zipfile.ZipFile(self._path) as archive:
                info = archive.getinfo(f"{self._member}.npy")
                with archive.open(info) as packed:
                    yield packed, info.file_size
        except OSError as error:
            raise DataError(self._damaged(error.strerror or str(error))) from error
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise DataError(self._damaged(str(error))) from error

    def _header(self, file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
        try:
            version = npy.read_magic(file)
            if version == (1, 0):
                shape, column_first, dtype = npy.read_array_header_1_0(file)
            else:
                shape, column_first, dtype = npy.read_array_header_2_0(file)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
            raise DataError(self._damaged(str(error).partition("\n")[0])) from error
        if dtype.hasobject:
            msg = (
                f"{self.where} holds Python objects, which are not read because loading them "
                "runs code.\nStore an array of numbers: all samples of one shape."
            )
            raise DataError(msg)
        return shape, column_first, dtype

    def _damaged(self, why: str) -> str:
        return f"{self.where} cannot be read as a numpy array: {why}."


class ArrayStore:
    """Samples that are rows of arrays, one array for each input."""

    def __init__(self, path: Path, rows: dict[str, Rows], feed: Feed) -> None:
        self._path = path
        self._rows = rows
        self._feed = feed
        self._stacked = {
            name: feed.counts_samples(name, each.shape, each.dtype, each.where)
            for name, each in rows.items()
        }
        lengths = {
            name: each.shape[0] if self._stacked[name] else 1 for name, each in rows.items()
        }
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"'{name}' has {length}" for name, length in lengths.items())
            msg = f"The inputs in {path} differ in their number of samples: {found}."
            raise DataError(msg)
        self._length = next(iter(lengths.values()))
        if not self._length:
            msg = f"{path} holds no samples: its first axis has length 0."
            raise DataError(msg)

    def __len__(self) -> int:
        return self._length

    def name(self, index: int) -> str:
        """Return the file and the row."""
        return f"{self._path.name}[{index}]"

    def read(self, indices: Sequence[int]) -> Iterator[Inputs | DataError]:
        """Read the rows of all inputs side by side."""
        streams = [self._stream(name, indices) for name in self._rows]
        for values in zip(*streams, strict=True):
            yield dict(zip(self._rows, values, strict=True))

    def _stream(self, name: str, indices: Sequence[int]) -> Iterator[Array]:
        rows = self._rows[name]
        read = (
            rows.read(indices) if self._stacked[name] else iter([rows.whole()] * len(indices))
        )
        return (self._feed.from_row(name, row) for row in read)


def open_arrays(path: Path, feed: Feed, labels: Sequence[str], *, labelled: bool) -> Dataset:
    """Open a .npy or .npz file.

    Raises:
        DataError: The file does not hold what the model takes.
    """
    if path.suffix.lower() == ".npy":
        if labelled:
            msg = f"{path} has no labels; give an .npz file with x and y, or class folders."
            raise DataError(msg)
        if feed.single is None:
            msg = (
                f"The model has {len(feed.shapes)} inputs, {path} holds one array.\n"
                f"Give an .npz file with {', '.join(feed.shapes)}."
            )
            raise DataError(msg)
        store = ArrayStore(path, {feed.single: Rows(path)}, feed)
        return Dataset(store, description=_described(path, store))
    members = _members(path)
    store = ArrayStore(path, _inputs(path, members, feed), feed)
    classes = _classes(path, members, len(store), labels, labelled=labelled)
    return Dataset(
        store,
        description=_described(path, store),
        labels=labels if classes is not None else (),
        classes=classes,
    )


def archive_store(path: Path, feed: Feed) -> ArrayStore:
    """Open the inputs of a .npz file, without labels.

    Raises:
        DataError: The file does not hold what the model takes.
    """
    return ArrayStore(path, _inputs(path, _members(path), feed), feed)


def _described(path: Path, store: ArrayStore) -> str:
    return f"{path.name}: {len(store)} samples"


def _members(path: Path) -> dict[str, str]:
    """Return the arrays of a .npz file by their names without what TensorFlow adds."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        msg = f"{path} cannot be read as an .npz file: {error}."
        raise DataError(msg) from error
    return {_plain(name): name for name in names} | {name: name for name in names}


def _plain(name: str) -> str:
    """Shorten `serving_default_x:0` to `x`."""
    return name.removeprefix("serving_default_").partition(":")[0]


def _inputs(path: Path, members: dict[str, str], feed: Feed) -> dict[str, Rows]:
    """Find the array of each input."""
    found = {}
    for name in feed.shapes:
        keys = [name, _plain(name)] + (["x"] if feed.single else [])
        key = next((key for key in keys if key in members), None)
        if key is None:
            wanted = "x" if feed.single else ", ".join(_plain(each) for each in feed.shapes)
            msg = (
                f"{path} holds {', '.join(sorted(set(members.values()))) or 'no arrays'}; "
                f"this model needs {wanted}.\nStore them by name: np.savez(file, x=..., y=...)."
            )
            raise DataError(msg)
        found[name] = Rows(path, members[key])
    return found


def _classes(
    path: Path, members: dict[str, str], count: int, labels: Sequence[str], *, labelled: bool
) -> NDArray[np.intp] | None:
    """Read y; what is wrong with it matters only where labels are needed."""
    if "y" not in members:
        if labelled:
            msg = f"{path} holds no y; store the class numbers: np.savez(file, x=..., y=...)."
            raise DataError(msg)
        return None
    try:
        return _checked(Rows(path, members["y"]), count, labels)
    except DataError:
        if labelled:
            raise
        return None


def _checked(rows: Rows, count: int, labels: Sequence[str]) -> NDArray[np.intp]:
    """Turn y into class numbers: integers, names of classes, or one-hot rows."""
    if not rows.shape or rows.shape[0] != count:
        msg = f"{rows.where} has shape {rows.shape}, and there are {count} samples."
        raise DataError(msg)
    values = rows.whole()
    if values.dtype.kind == "U" and values.ndim == 1 and labels:
        return match(values.tolist(), labels, rows.where)
    if values.dtype.kind not in "biuf" or values.ndim > 2:
        msg = f"{rows.where} holds {values.dtype} {values.shape}; give class numbers."
        raise DataError(msg)
    if values.ndim == 2 and values.shape[1] > 1:
        if not (np.sort(values, axis=1)[:, -2:] == [0, 1]).all():
            msg = (
                f"{rows.where} has shape {values.shape} and is not one-hot; give class numbers."
            )
            raise DataError(msg)
        values = values.argmax(axis=1)
    values = values.reshape(count)
    limit = len(labels) or np.inf
    wrong = ~((values >= 0) & (values < limit) & (values == np.floor(values)))
    if wrong.any():
        at = int(wrong.argmax())
        msg = f"{rows.where} has {values[at]} in row {at}; classes are whole numbers from 0" + (
            f" to {len(labels) - 1}." if labels else "."
        )
        raise DataError(msg)
    return values.astype(np.intp)

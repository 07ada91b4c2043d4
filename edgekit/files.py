"""Write files: whole or not at all, or line by line for whoever follows them."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from edgekit.errors import EdgekitError


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all.

    The content goes to a temporary file in the same folder, is flushed to the disk and
    then renamed.

    Raises:
        EdgekitError: The folder cannot be written, or the disk is full.
    """
    data = content.encode() if isinstance(content, str) else content
    with told(f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def scratch_dir(parent: Path) -> Iterator[Path]:
    """Make a hidden working folder inside `parent` and remove it at the end.

    A `parent` that it made and that stays empty goes, too.

    Raises:
        EdgekitError: The folder cannot be made, or the disk is full.
    """
    was_there = parent.exists()
    with told(f"write into {parent}"):
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=".edgekit-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not was_there:
            with suppress(OSError):  # it holds results
                parent.rmdir()


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn an error of the file system into a message.

    Args:
        what: What was tried, as the end of "Cannot ...".

    Raises:
        EdgekitError: Instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        msg = f"Cannot {what}: {error.strerror}.\nIs there space, and may you write there?"
        raise EdgekitError(msg) from error


def cache_dir() -> Path:
    """Return the folder of what can be made or fetched again, e.g. `~/.cache/edgekit`."""
    named = os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else Path.home() / ".cache") / "edgekit"


class JsonLines:
    """A file that gets one JSON document a line, each at once, for whoever follows it.

    Args:
        path: The file; one that is there is replaced.

    Raises:
        EdgekitError: It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with told(f"write {path}"):
            self._file = path.open("w", encoding="utf-8", buffering=1)

    def write(self, values: Mapping[str, Any]) -> None:
        """Add a line.

        Raises:
            EdgekitError: The disk is full.
        """
        with told(f"write {self._path}"):
            self._file.write(json.dumps(values) + "\n")

    def close(self) -> None:
        """Close the file."""
        with told(f"write {self._path}"):
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

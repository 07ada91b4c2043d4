"""Zip archives that come out the same, byte for byte, wherever and whenever they are made."""

import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_BEGINNING = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip archive can name
_UNIX = 3
_REGULAR_FILE = 0o100000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive.

    Attributes:
        name: Its path in the archive.
        content: Its bytes, or the file that holds them.
        executable: Whether it is a program.
    """

    name: str
    content: bytes | Path
    executable: bool = False


def write_zip(path: Path, entries: Iterable[Entry]) -> None:
    """Write files into an archive, sorted, with neither their times nor their owners.

    Raises:
        OSError: A file cannot be read, or the archive cannot be written.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for entry in sorted(entries, key=lambda each: each.name):
            if isinstance(entry.content, bytes):
                archive.writestr(_info(entry), entry.content)
                continue
            with entry.content.open("rb") as data, archive.open(_info(entry), "w") as place:
                shutil.copyfileobj(data, place)


def _info(entry: Entry) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(entry.name, _BEGINNING)
    info.create_system = _UNIX
    info.external_attr = (_REGULAR_FILE | (0o755 if entry.executable else 0o644)) << 16
    packed_already = entry.name.endswith(".whl")
    info.compress_type = zipfile.ZIP_STORED if packed_already else zipfile.ZIP_DEFLATED
    return info

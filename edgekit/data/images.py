"""Read pictures from files."""

import re
import struct
from pathlib import Path

from edgekit.data import opencv
from edgekit.data.opencv import Pixels
from edgekit.errors import DataError

SUFFIXES = frozenset(
    {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
MAX_PIXELS = 2**27  # 134 megapixels: above any camera, and 400 MB when decoded

_PNM = re.compile(rb"P[2356]\s+(?:#.*\s+)*(\d{1,9})\s+(?:#.*\s+)*(\d{1,9})\s")
_HEAD_BYTES = 2**16  # nearly always holds the size
_ORIENTATION = 274  # the EXIF tag
_JPEG_NO_SIZE = frozenset({0xC4, 0xC8, 0xCC})  # among 0xC0..0xCF, these are no frame headers


def read_image(path: Path) -> Pixels:
    """Read a picture as 8-bit RGB.

    EXIF orientation is applied; gray is repeated in three channels, a palette looked up,
    16 bits are divided by 256, alpha is dropped. The kind of file is told from its content.

    Args:
        path: A JPEG, PNG, BMP, WebP, TIFF, PPM or PGM file.

    Returns:
        Shape (height, width, 3), red first.

    Raises:
        DataError: The file is missing, no picture, cut off, or above `MAX_PIXELS`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise DataError(msg) from error
    return decode_image(data, str(path))


def decode_image(data: bytes, where: str) -> Pixels:
    """Decode the bytes of a picture file as `read_image` does.

    Args:
        data: The whole file.
        where: What it is, for messages, e.g. its path.

    Raises:
        DataError: It is no picture, cut off, or above `MAX_PIXELS`.
    """
    size = header_size(data)
    if size is None:
        msg = f"{where} is not a picture: {_looks_like(data)}."
        raise DataError(msg)
    if size[0] * size[1] > MAX_PIXELS:
        msg = f"{where} has {size[0]} x {size[1]} pixels; at most {MAX_PIXELS} are read."
        raise DataError(msg)
    if _cut_off(data):
        msg = f"{where} is cut off: the picture does not end."
        raise DataError(msg)
    pixels = opencv.decode(data)
    if pixels is None or pixels.size == 0:
        msg = f"{where} is damaged: its header is that of a picture, its content is not."
        raise DataError(msg)
    return pixels


def header_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height from the header of a picture, or None if it is none.

    Nothing is decoded, so that a small file which claims to be a huge picture is known
    before it takes memory.
    """
    readers = (_png_size, _jpeg_size, _bmp_size, _webp_size, _tiff_size, _pnm_size)
    for reader in readers:
        try:
            size = reader(data)
        except (struct.error, IndexError):
            return None  # the right first bytes, and then the file ends
        if size is not None:
            return size if min(size) > 0 else None
    return None


def displayed_size(path: Path) -> tuple[int, int]:
    """Return height and width of a picture as `read_image` gives it, decoding nothing.

    Raises:
        DataError: The file is missing, or no picture.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD_BYTES)
            size = header_size(data)
            if size is None:
                data += file.read()
                size = header_size(data)
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise DataError(msg) from error
    if size is None:
        msg = f"{path} is not a picture: {_looks_like(data)}."
        raise DataError(msg)
    width, height = size
    return (width, height) if _is_turned(data) else (height, width)


def _is_turned(data: bytes) -> bool:
    """Whether the EXIF orientation of a JPEG swaps width and height."""
    start = data.find(b"Exif\x00\x00", 0, _HEAD_BYTES) if data.startswith(b"\xff\xd8") else -1
    if start < 0:
        return False
    try:
        tags = _tiff_tags(data[start + 6 :])
    except (struct.error, IndexError):
        return False
    return tags is not None and tags.get(_ORIENTATION) in {5, 6, 7, 8}


def _png_size(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    height, width = struct.unpack_from(">HH", data, _jpeg_frame(data) + 5)
    return width, height


def _jpeg_frame(data: bytes) -> int:
    """Walk the segments of a JPEG to the frame header; IndexError if it has none."""
    position = 2
    while True:
        while data[position] != 0xFF or data[position + 1] == 0xFF:
            position += 1
        marker, length = data[position + 1], struct.unpack_from(">H", data, position + 2)[0]
        if 0xC0 <= marker <= 0xCF and marker not in _JPEG_NO_SIZE:
            return position
        position += 2 + length


def _bmp_size(data: bytes) -> tuple[int, int] | None:
    if not data.startswith(b"BM"):
        return None
    if struct.unpack_from("<I", data, 14)[0] == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return width, abs(height)


def _webp_size(data: bytes) -> tuple[int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[i : i + 3], "little") + 1 for i in (24, 27))
        return width, height
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff_size(data: bytes) -> tuple[int, int] | None:
    tags = _tiff_tags(data)
    return None if tags is None else (tags.get(256, 0), tags.get(257, 0))


def _tiff_tags(data: bytes) -> dict[int, int] | None:
    """Read the numbers in the first directory of a TIFF; None if it is no TIFF."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(data[:4])
    if order is None:
        return None
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    found: dict[int, int] = {}
    for entry in range(struct.unpack_from(f"{order}H", data, start)[0]):
        tag, kind = struct.unpack_from(f"{order}HH", data, start + 2 + 12 * entry)
        form = f"{order}{'H' if kind == 3 else 'I'}"
        found[tag] = struct.unpack_from(form, data, start + 10 + 12 * entry)[0]
    return found


def _pnm_size(data: bytes) -> tuple[int, int] | None:
    match = _PNM.match(data[:4096])
    return (int(match[1]), int(match[2])) if match else None


def _cut_off(data: bytes) -> bool:
    """Say whether a JPEG or PNG lacks its end; OpenCV would fill the rest with gray.

    A thumbnail inside a JPEG has an end of its own, but stands before the frame header.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return data.find(b"\xff\xd9", _jpeg_frame(data)) < 0
    return data.startswith(b"\x89PNG") and b"IEND" not in data[-4096:]


def _looks_like(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data.startswith(b"version https://git-lfs"):
        return "it is a git-lfs pointer; fetch the content with: git lfs pull"
    if data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"BM", b"RIFF", b"II*\x00", b"MM\x00*")):
        return "its header is cut off or damaged"
    return f"it starts with {data[:8]!r}"

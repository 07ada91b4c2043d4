"""Pictures of every kind become 8-bit RGB, or one message."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgekit.data.images import MAX_PIXELS, decode_image, header_size, read_image
from edgekit.errors import DataError

cv2 = pytest.importorskip("cv2")

RED = np.zeros((20, 40, 3), np.uint8)  # as OpenCV has it, blue first: left half red
RED[:, :20] = (0, 0, 255)


def encoded(suffix: str, pixels: NDArray[np.generic]) -> bytes:
    done, data = cv2.imencode(suffix, pixels)
    assert done
    return bytes(data.tobytes())


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment with one tag behind the first marker."""
    entry = struct.pack("<HHHII", 1, 0x112, 3, 1, orientation)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm"])
def test_every_format_is_read_red_first(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded(suffix, RED))
    pixels = read_image(path)
    assert pixels.shape == (20, 40, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[10, 5].astype(int) - [255, 0, 0]).max() <= 2
    assert np.abs(pixels[10, 35].astype(int)).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm"])
def test_the_size_is_known_from_the_header(suffix: str) -> None:
    assert header_size(encoded(suffix, RED)) == (40, 20)


@pytest.mark.parametrize(
    ("pixels", "value"),
    [
        pytest.param(np.full((4, 4), 200, np.uint8), 200, id="gray"),
        pytest.param(np.full((4, 4), 200 * 256, np.uint16), 200, id="gray, 16 bits"),
        pytest.param(np.full((4, 4, 3), 200 * 256, np.uint16), 200, id="colour, 16 bits"),
        pytest.param(np.full((4, 4, 4), 200, np.uint8), 200, id="alpha"),
        pytest.param(np.full((4, 4, 4), 200 * 256, np.uint16), 200, id="alpha, 16 bits"),
    ],
)
def test_other_depths_and_channels_become_8_bit_rgb(
    pixels: NDArray[np.generic], value: int
) -> None:
    decoded = decode_image(encoded(".png", pixels), "a.png")
    assert decoded.shape == (4, 4, 3)
    assert (decoded == value).all()


def test_a_palette_is_looked_up() -> None:
    head = b"BM" + struct.pack("<IHHI", 14 + 40 + 8 + 4, 0, 0, 14 + 40 + 8)
    info = struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 8, 0, 4, 0, 0, 2, 0)
    palette = bytes([0, 0, 0, 0, 10, 20, 30, 0])  # blue first
    pixels = decode_image(head + info + palette + bytes([1, 0, 0, 0]), "a.bmp")
    assert pixels.tolist() == [[[30, 20, 10]]]


@pytest.mark.parametrize(
    ("orientation", "shape", "red_at"),
    [
        pytest.param(1, (20, 40), (10, 5), id="upright"),
        pytest.param(3, (20, 40), (10, 35), id="upside down"),
        pytest.param(6, (40, 20), (5, 10), id="quarter turn"),
        pytest.param(8, (40, 20), (35, 10), id="three quarters"),
    ],
)
def test_exif_orientation_is_applied(
    orientation: int, shape: tuple[int, int], red_at: tuple[int, int]
) -> None:
    jpeg = with_orientation(encoded(".jpg", RED), orientation)
    pixels = decode_image(jpeg, "a.jpg")
    assert pixels.shape[:2] == shape
    assert pixels[red_at][0] > 250


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_file_that_is_cut_off_is_refused_and_named(suffix: str, share: float) -> None:
    data = encoded(suffix, np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    with pytest.raises(DataError, match="photo"):
        decode_image(data[: int(len(data) * share)], "photo")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"hello, world", "starts with", id="text"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1", "git lfs pull", id="lfs"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        decode_image(data, "photo.jpg")


def test_a_small_file_that_claims_to_be_huge_is_refused_before_decoding() -> None:
    png = bytearray(encoded(".png", RED))
    png[16:24] = struct.pack(">II", 100_000, 100_000)
    with pytest.raises(DataError, match=str(MAX_PIXELS)):
        decode_image(bytes(png), "bomb.png")


def test_bytes_behind_the_end_of_a_jpeg_do_no_harm() -> None:
    data = encoded(".jpg", RED) + b"\xff\xda and a film that a telephone appended"
    assert decode_image(data, "a.jpg").shape == (20, 40, 3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png.*No such file"):
        read_image(tmp_path / "gone.png")


@given(
    suffix=st.sampled_from([".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm"]),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    cut=st.integers(0, 2000),
)
def test_damage_gives_a_picture_or_one_message(
    suffix: str, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(encoded(suffix, RED[::2, ::2]))
    for position, value in changes:
        data[position % len(data)] = value
    try:
        pixels = decode_image(bytes(data[: max(cut, 1)]), "a")
    except DataError:
        return
    assert pixels.ndim == 3


@given(
    st.binary(max_size=64), st.sampled_from([b"\xff\xd8\xff", b"II*\0", b"RIFF", b"P6 ", b"BM"])
)
def test_a_header_of_random_bytes_has_a_size_or_none(tail: bytes, head: bytes) -> None:
    size = header_size(head + tail)
    assert size is None or min(size) > 0

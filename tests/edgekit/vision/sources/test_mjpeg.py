"""Motion JPEG over HTTP: from a real server, with all that can go wrong on the way."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import Camera, jpeg, number_of, open_descriptors, part, pictures

from edgekit.errors import DeviceError
from edgekit.vision.sources import mjpeg, open_source
from edgekit.vision.sources.address import without_password
from edgekit.vision.sources.mjpeg import Mjpeg, Parts

pytest.importorskip("cv2")

Write = Callable[[bytes], None]


@pytest.fixture
def camera() -> Iterator[Callable[..., Camera]]:
    """Give a way to switch cameras on; they are off in the end."""
    made: list[Camera] = []

    def on(*scripts: Callable[[Write], None], **settings: str) -> Camera:
        made.append(Camera(*scripts, **settings))
        return made[-1]

    threads, descriptors = threading.active_count(), open_descriptors()
    yield on
    for each in made:
        each.close()
    assert threading.active_count() == threads
    assert open_descriptors() == descriptors


def numbers(url: str) -> list[int]:
    """Read every picture of one connection."""
    connection = Mjpeg(url)
    found = []
    while (pixels := connection.read()) is not None:
        found.append(number_of(pixels))
    connection.close()
    return found


@pytest.mark.parametrize("length", [True, False], ids=["with lengths", "without lengths"])
@pytest.mark.parametrize(
    "boundary", ["frame", "--frame", '"frame"'], ids=["plain", "with dashes", "quoted"]
)
def test_every_picture_arrives(
    camera: Callable[..., Camera], boundary: str, length: bool
) -> None:
    kind = f"multipart/x-mixed-replace;boundary={boundary}"
    url = camera(pictures(12, length=length), content_type=kind).url
    # Without lengths the last part ends with the connection, as a picture that was cut off.
    assert numbers(url) == list(range(12 if length else 11))


def test_a_slow_viewer_gets_the_newest_and_the_rest_is_counted(
    camera: Callable[..., Camera],
) -> None:
    url = camera(pictures(200, wait_s=0.005)).url
    with open_source(url) as source:
        found = []
        for frame in islice(source.frames(), 4):
            found.append(number_of(frame.pixels))
            time.sleep(0.1)
        assert source.live
        assert source.dropped > 10
        assert frame.order == "rgb"
        assert frame.pixels[0, 0, 2] > 200 > frame.pixels[0, 0, 0]  # the sky is blue


def test_a_picture_that_is_garbled_on_the_way_is_left_out(
    camera: Callable[..., Camera],
) -> None:
    def send(write: Write) -> None:
        for content in (jpeg(0), jpeg(1)[:300], b"", b"\xff\xd8 no picture", jpeg(2)):
            write(part(content))
            time.sleep(0.02)
        stay.wait(10)

    stay = threading.Event()
    with open_source(camera(send).url) as source:
        frames = source.frames()
        found = [number_of(next(frames).pixels), number_of(next(frames).pixels)]
        assert source.damaged == 3
        stay.set()
    assert found == [0, 2]


def test_a_stream_that_dies_in_the_middle_comes_back(camera: Callable[..., Camera]) -> None:
    def cut(write: Write) -> None:
        write(part(jpeg(0)))
        write(part(jpeg(1))[:200])

    def stay(write: Write) -> None:
        pictures(3, begin=5, wait_s=0.05)(write)
        over.wait(10)

    over = threading.Event()
    on = camera(cut, stay)
    with open_source(on.url) as source:
        frames = [next(source.frames())]
        for frame in source.frames():
            frames.append(frame)
            if number_of(frame.pixels) >= 7:
                break
        over.set()
    assert number_of(frames[0].pixels) in {0, 1}
    assert on.connections == 2


def test_closing_does_not_wait_for_a_silent_server(camera: Callable[..., Camera]) -> None:
    over = threading.Event()

    def silent(write: Write) -> None:
        write(part(jpeg(0)))
        over.wait(20)

    source = open_source(camera(silent).url)
    next(source.frames())
    begun = time.monotonic()
    source.close()
    assert time.monotonic() - begun < 2
    over.set()


def test_a_password_opens_a_camera_and_is_not_shown(camera: Callable[..., Camera]) -> None:
    url = camera(pictures(3, wait_s=0.01), password="me:s3cret/").url
    with pytest.raises(DeviceError, match="401"):
        open_source(url)
    whole = url.replace("http://", "http://me:s3cret%2F@")
    with open_source(whole) as source:
        assert "s3cret" not in source.description
        next(source.frames())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/html", "answers with text/html, which is no Motion JPEG"),
        ("image/jpeg", "answers with image/jpeg"),
        ("multipart/x-mixed-replace", "no Motion JPEG"),
    ],
)
def test_a_server_of_something_else_is_refused(
    camera: Callable[..., Camera], kind: str, text: str
) -> None:
    with pytest.raises(DeviceError, match=text):
        open_source(camera(pictures(1), content_type=kind).url)


def test_a_server_that_sends_no_picture_is_refused(camera: Callable[..., Camera]) -> None:
    with pytest.raises(DeviceError, match="gave no picture"):
        open_source(camera(lambda write: write(b"garbage" * 1000)).url)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/", "http://[::1", "http://nowhere.invalid/", "http://"]
)
def test_an_address_where_nothing_listens_is_told(address: str) -> None:
    with pytest.raises(DeviceError, match="cannot be reached") as caught:
        open_source(address)
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    "content",
    [
        b"--frame\r\nContent-Length: 99999999999\r\n\r\n",
        b"--frame\r\nContent-Length: 34000000\r\n\r\n",
        b"--frame\r\n" + b"X: y\r\n" * 200,
        b"--frame\r\n" + b"x" * (mjpeg.MAX_HEADERS * 2),
    ],
    ids=["a long length", "a large length", "many headers", "a long line"],
)
def test_a_part_beyond_all_bounds_ends_the_connection(content: bytes) -> None:
    with pytest.raises(ValueError, match="part"):
        Parts(reader(content), b"frame").next()


def test_a_part_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mjpeg, "MAX_PART", 10_000)
    endless = Parts(lambda count: b"x" * count, b"frame")
    with pytest.raises(ValueError, match="longer than 10000"):
        endless.next()


def reader(content: bytes, step: int = 2**16) -> Callable[[int], bytes]:
    """Give content in small pieces."""
    left = bytearray(content)

    def read(count: int) -> bytes:
        piece = bytes(left[: min(count, step)])
        del left[: len(piece)]
        return piece

    return read


@given(
    contents=st.lists(st.binary(min_size=1, max_size=60).filter(lambda c: b"--frame" not in c)),
    step=st.integers(1, 40),
    length=st.booleans(),
)
def test_parts_come_out_as_they_went_in(contents: list[bytes], step: int, length: bool) -> None:
    if not length:  # then line ends at the end of a part belong to the boundary
        contents = [content.rstrip(b"\r\n") + b"." for content in contents]
    sent = b"".join(part(content, length=length) for content in contents) + b"--frame"
    parts = Parts(reader(sent, step), b"frame")
    assert [parts.next() for _ in contents] == contents
    assert parts.next() is None


@given(st.binary(max_size=300))
def test_garbage_is_no_part_or_an_end(content: bytes) -> None:
    parts = Parts(reader(content), b"frame")
    for _ in range(20):
        try:
            if parts.next() is None:
                return
        except ValueError:
            return


@given(st.text(max_size=40))
def test_any_address_can_be_shown(text: str) -> None:
    assert "s3cret" not in without_password(f"http://me:s3cret@{text}")

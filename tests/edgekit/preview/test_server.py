"""The preview over HTTP: what viewers get, what they cannot do, and that nothing stays."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.preview import Preview, Roll, handler, server
from edgekit.preview.head import LARGEST_HEAD
from edgekit.vision.sources import open_source

pytest.importorskip("cv2")

LOCAL = b"Host: localhost\r\n"
SMALL = np.full((48, 64, 3), 90, np.uint8)
DESCRIPTORS = Path("/proc/self/fd")


@pytest.fixture(scope="module")
def preview() -> Iterator[Preview]:
    with Preview(title="Cards", model="m.tflite", source="synthetic", labels=["ace"]) as made:
        yield made


def noise(seed: int = 0) -> Any:
    """Return a frame whose JPEG is large."""
    return np.random.default_rng(seed).integers(0, 255, (720, 1280, 3), np.uint8)


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as asked:
        asked.request("GET", path, headers=headers)
        answer = asked.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


def look(port: int, seen: str = "", **headers: str) -> tuple[dict[str, Any], bytes]:
    status, _, content = get(port, f"/next?seen={seen}", **headers)
    assert status == 200
    line, _, jpeg = content.partition(b"\n")
    return json.loads(line), jpeg


def send(port: int, request: bytes) -> bytes:
    """Send bytes as they are, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        received = b""
        with contextlib.suppress(OSError):  # whoever talks too much is cut off
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65536):
                received += more
        return received


def wait_until(true: Any, patience_s: float = 5.0) -> bool:
    ends = time.monotonic() + patience_s
    while not true() and time.monotonic() < ends:
        time.sleep(0.01)
    return bool(true())


def test_the_page_is_served_with_a_policy_and_kept_by_nobody(preview: Preview) -> None:
    assert preview.url == f"http://127.0.0.1:{preview.port}/"
    status, headers, content = get(preview.port, "/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "edgekit", "no version of Python"
    assert b'<canvas id="boxes"' in content


def test_a_viewer_gets_picture_boxes_and_numbers_together() -> None:
    with Preview(title="Cards", model="m", source="s") as preview:
        found = [{"label": "ace", "score": 0.9, "box": [1, 2, 3, 4], "id": 1}]
        times = {"capture": 1.0, "inference": 9.0}
        preview.show(SMALL, detections=found, ms=times, counts={"dropped": 2})
        state, jpeg = look(preview.port)
        assert jpeg.startswith(b"\xff\xd8")
        assert (state["title"], state["model"], state["source"]) == ("Cards", "m", "s")
        assert state["size"] == [64, 48]
        assert state["boxes"][0]["box"] == [1, 2, 3, 4]
        assert [each["name"] for each in state["stages"]] == ["capture", "inference"]
        assert state["counts"] == {"dropped": 2}
        assert state["events"][0]["text"] == "ace #1"
        assert state["age_s"] < 1


def test_a_viewer_of_a_sound_gets_its_last_seconds_and_the_scores() -> None:
    roll = Roll(["yes"], [0.5], features=8, step_s=0.02, row_s=0.03, rows=50)
    rows, times = np.zeros((100, 8), np.float32), np.array([2.0])
    roll.add(rows, np.array([[0.9]], np.float32), times, [(2.0, "yes", 0.9)])
    with Preview(labels=["yes"], kind="sound") as preview:
        preview.hear(roll.strip(), ms={"total": 0.3}, counts={"level": "-20 dB"})
        state, picture = look(preview.port)
        assert picture.startswith(b"\x89PNG")
        assert (state["kind"], state["seconds"], state["size"]) == ("sound", 6.0, [300, 8])
        (word,), (score,), (curve,) = state["boxes"], state["scores"], state["curves"]
        assert (word["label"], word["box"][2] - word["box"][0]) == ("yes", 50)
        assert (score["score"], score["threshold"]) == (0.9, 0.5)
        assert curve["color"] == score["color"] == word["color"]
        assert curve["values"][-1] == 90
        assert get(preview.port, "/stream.mjpg")[0] == 404, "a sound is no film"


def test_a_viewer_hears_soon_that_there_is_nothing() -> None:
    with Preview() as preview:
        begun = time.monotonic()
        state, jpeg = look(preview.port)
        assert 0.5 < time.monotonic() - begun < 5
        assert jpeg == b""
        assert state["age_s"] is None
        assert "mark" not in state, "a viewer keeps what it saw last"


def test_several_viewers_see_the_same_pictures() -> None:
    with Preview() as preview:
        over, seen = threading.Event(), [list[str]() for _ in range(4)]

        def watch(marks: list[str]) -> None:
            while not over.is_set():
                state, _ = look(preview.port, marks[-1] if marks else "")
                marks += [state["mark"]] if "mark" in state else []

        viewers = [threading.Thread(target=watch, args=[marks]) for marks in seen]
        for each in viewers:
            each.start()
        for _ in range(60):
            preview.show(SMALL)
            time.sleep(0.02)
        over.set()
        for each in viewers:
            each.join()
    assert all(len(marks) >= 5 for marks in seen)
    assert all(len(set(marks)) == len(marks) for marks in seen), "none comes twice"


def test_other_programs_read_a_stream() -> None:
    with Preview() as preview:
        asked = http.client.HTTPConnection("127.0.0.1", preview.port, timeout=10)
        asked.request("GET", "/stream.mjpg")
        answer = asked.getresponse()
        kind = answer.getheader("Content-Type")
        assert kind == "multipart/x-mixed-replace; boundary=frame"
        for _ in range(2):
            preview.show(SMALL)
            assert answer.readline() == b"--frame\r\n"
            assert answer.readline() == b"Content-Type: image/jpeg\r\n"
            length = int(answer.readline().split()[1])
            assert answer.readline() == b"\r\n"
            jpeg = answer.read(length)
            assert (jpeg[:2], jpeg[-2:]) == (b"\xff\xd8", b"\xff\xd9")
            assert answer.readline() == b"\r\n"
        answer.close()
        asked.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_edgekit_on_another_machine_reads_the_stream(host: str) -> None:
    with Preview(host) as preview:
        over = threading.Event()

        def feed() -> None:
            while not over.wait(0.02):
                preview.show(SMALL)

        feeder = threading.Thread(target=feed)
        feeder.start()
        home, _, token = preview.url.partition("?")
        with open_source(f"{home}stream.mjpg?{token}") as source:
            frame = next(iter(source.frames()))
        over.set()
        feeder.join()
    np.testing.assert_allclose(frame.pixels, SMALL, atol=3)


@pytest.mark.parametrize("path", ["/stream.mjpg", "/next"])
def test_a_viewer_that_never_reads_slows_nobody(path: str) -> None:
    frames = [noise(seed) for seed in range(4)]
    with Preview() as preview, contextlib.ExitStack() as stack:
        preview.show(frames[0])
        for _ in range(4):
            stuck = stack.enter_context(socket.socket())
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", preview.port))
            stuck.sendall(b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), LOCAL))
        took: list[float] = []
        seen: set[str] = set()
        ends = time.monotonic() + 2.0
        while time.monotonic() < ends:
            begun = time.perf_counter()
            preview.show(frames[len(took) % 4])
            took.append(time.perf_counter() - begun)
            time.sleep(0.005)
            if len(took) % 20 == 0:
                state, jpeg = look(preview.port)
                seen.add(state["mark"])
                assert jpeg
        assert np.median(took) < 1e-3, "seconds that showing takes"
        assert len(seen) >= 5, "who reads still sees"


def test_a_viewer_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_SEND_S", 0.3)
    with Preview() as preview, socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", preview.port))
        stuck.sendall(b"GET /stream.mjpg HTTP/1.1\r\n%s\r\n" % LOCAL)
        assert wait_until(viewer_threads)
        for seed in range(30):
            preview.show(noise(seed % 3))
            time.sleep(0.05)
        assert wait_until(lambda: not viewer_threads())


GARBAGE = [
    pytest.param(b"\r\n\r\n", id="nothing"),
    pytest.param(b"hello\r\n\r\n", id="one word"),
    pytest.param(b"GET\r\n\r\n", id="no path"),
    pytest.param(b"GET / HTTP/1.1 extra\r\n\r\n", id="four words"),
    pytest.param(b"GET / HTTP/9\r\n\r\n", id="odd version"),
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
    pytest.param(b"GET //[ HTTP/1.1\r\n" + LOCAL + b"\r\n", id="half an address"),
    pytest.param(b"GET /?" + b"a=1&" * 99 + b" HTTP/1.1\r\n" + LOCAL + b"\r\n", id="fields"),
    pytest.param(b"GET /\xff\x00\x80 HTTP/1.1\r\n" + LOCAL + b"\r\n", id="bytes in the path"),
    pytest.param(b"GET /../../etc/passwd HTTP/1.1\r\n" + LOCAL + b"\r\n", id="climbing"),
    pytest.param(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", id="200 headers"),
    pytest.param(b"GET /" + b"a" * 2 * LARGEST_HEAD + b" HTTP/1.1\r\n\r\n", id="long path"),
    pytest.param(b"GET / HTTP/1.1\r\nX: " + b"y" * 2 * LARGEST_HEAD, id="endless header"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
    pytest.param(b"POST / HTTP/1.1\r\n" + LOCAL + b"\r\n", id="POST"),
    pytest.param(b"BREW / HTTP/1.1\r\n" + LOCAL + b"\r\n", id="unknown method"),
    pytest.param(b"GET / HTTP/1.1\r\n" + LOCAL + b"Content-Length: 3\r\n\r\nabc", id="a body"),
    pytest.param(
        b"GET / HTTP/1.1\r\n" + LOCAL + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        id="a body in pieces",
    ),
    pytest.param(b"GET /favicon.ico HTTP/1.1\r\n" + LOCAL + b"\r\n", id="no such page"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", id="foreign host"),
]


@pytest.mark.parametrize("request_bytes", GARBAGE)
def test_garbage_is_refused_and_harms_nobody(preview: Preview, request_bytes: bytes) -> None:
    answer = send(preview.port, request_bytes)
    status = answer.partition(b" ")[2][:1] if answer.startswith(b"HTTP/") else b"4"
    assert status in {b"4", b""}, answer[:200]
    assert answer.count(b"HTTP/1.1 ") <= 1, "one request, one answer"
    assert get(preview.port, "/")[0] == 200


@settings(max_examples=60)
@given(
    start=st.sampled_from([b"", b"GET ", b"GET / HTTP/1.1\r\n", b"GET /next?seen="]),
    rest=st.binary(max_size=300),
)
def test_no_bytes_harm_the_server(preview: Preview, start: bytes, rest: bytes) -> None:
    send(preview.port, start + rest + b"\r\n\r\n")
    assert get(preview.port, "/")[0] == 200


def test_a_head_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_HEAD_S", 0.3)
    with Preview() as preview, socket.create_connection(("127.0.0.1", preview.port)) as slow:
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 5:
                slow.sendall(b"G")
                time.sleep(0.02)
        assert time.monotonic() - begun < 4


def test_one_connection_serves_many_requests_also_sent_at_once(preview: Preview) -> None:
    preview.show(SMALL)
    with socket.create_connection(("127.0.0.1", preview.port), timeout=5) as connection:
        once = b"GET /next?seen=x HTTP/1.1\r\n%s\r\n" % LOCAL
        connection.sendall(once + once)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 2:
            received += connection.recv(65536)


def test_a_name_that_was_pointed_at_this_machine_gets_nothing(preview: Preview) -> None:
    preview.show(SMALL)
    for path in ("/", "/next", "/stream.mjpg"):
        status, headers, content = get(preview.port, path, Host="evil.example")
        assert status == 403
        assert b"http://localhost" in content
        assert headers["Connection"] == "close"
    assert get(preview.port, "/", Host="localhost:9000")[0] == 200, "the end of ssh -L"


def test_more_viewers_than_there_is_room_for_are_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    with Preview() as preview, contextlib.ExitStack() as stack:
        place = ("127.0.0.1", preview.port)
        crowd = [stack.enter_context(socket.create_connection(place)) for _ in range(3)]
        assert wait_until(lambda: len(viewer_threads()) == 3)
        assert get(preview.port, "/")[0] == 503
        crowd[0].close()
        assert wait_until(lambda: len(viewer_threads()) == 2)
        assert get(preview.port, "/")[0] == 200


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[Preview, str]]:
    """Return a preview that the network can reach, and its token."""
    with Preview("0.0.0.0") as preview:
        preview.show(SMALL)
        yield preview, preview.url.partition("token=")[2]


def test_the_network_is_asked_for_the_token(guarded: tuple[Preview, str]) -> None:
    preview, token = guarded
    assert len(token) == 19
    status, headers, content = get(preview.port, "/")
    assert status == 401
    assert b'name="token"' in content
    assert token.encode() not in content
    assert "script-src" not in headers["Content-Security-Policy"]
    for path in ("/next", "/stream.mjpg", "/?token=wrong", "/next?token=", "/nowhere"):
        status, _, content = get(preview.port, path)
        assert status == 401
        assert b"\xff\xd8" not in content


def test_the_token_becomes_a_cookie_and_leaves_the_address(
    guarded: tuple[Preview, str],
) -> None:
    preview, token = guarded
    status, headers, _ = get(preview.port, f"/?token={token}")
    assert status == 303
    assert headers["Location"] == "/"
    assert headers["Referrer-Policy"] == "no-referrer"
    kept, *rules = headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(rules)
    assert get(preview.port, "/", Cookie=kept, Host="pi.local:1")[0] == 200
    assert look(preview.port, Cookie=kept)[1].startswith(b"\xff\xd8")
    assert get(preview.port, "/", Cookie=kept[:-1])[0] == 401


def test_other_programs_give_the_token_in_the_address(guarded: tuple[Preview, str]) -> None:
    preview, token = guarded
    status, _, content = get(preview.port, f"/next?token={token}")
    assert status == 200
    assert b"\xff\xd8" in content


def viewer_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "preview-viewer"]


def open_files() -> int:
    return len(list(DESCRIPTORS.iterdir()))


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="this system does not list descriptors")
def test_no_thread_socket_or_descriptor_is_left() -> None:
    Preview().close()  # what is loaded on first use stays open
    threads, descriptors = threading.active_count(), open_files()
    for _ in range(3):
        with contextlib.ExitStack() as stack:
            preview = Preview()
            place = ("127.0.0.1", preview.port)
            viewers = [stack.enter_context(socket.create_connection(place)) for _ in range(4)]
            for viewer, path in zip(viewers, [b"stream.mjpg", b"next", b""], strict=False):
                viewer.sendall(b"GET /%s HTTP/1.1\r\n%s\r\n" % (path, LOCAL))
            for seed in range(8):  # the stream's viewer does not read
                preview.show(noise(seed % 2))
                time.sleep(0.03)
            begun = time.monotonic()
            preview.close()
            assert time.monotonic() - begun < 3
            preview.close()
    assert threading.active_count() == threads
    assert open_files() == descriptors

"""A download is the whole model of the table, or one message and no file."""

import errno
import hashlib
import os
import socket
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from publisher import Answer, elsewhere, endless, published, small_model, status, whole

from edgekit import progress
from edgekit.errors import DeviceError, EdgekitError, InputError
from edgekit.known.download import download

CONTENT = bytes(range(256)) * 1000
AT_ONCE = (0.0, 0.0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "edgekit" / "models"


def fetched(*answers: Answer, content: bytes = CONTENT) -> tuple[bytes, int]:
    """Download from a publisher; return what lies in the cache and how often was asked."""
    with published(*answers) as publisher:
        path = download(small_model(content, publisher.url), pauses_s=AT_ONCE)
        return path.read_bytes(), publisher.asked


def refused(error: type[EdgekitError], *answers: Answer, cache: Path) -> tuple[str, int]:
    """Download in vain; return the message and how often was asked."""
    with published(*answers) as publisher:
        with pytest.raises(error) as told:
            download(small_model(CONTENT, publisher.url), pauses_s=AT_ONCE)
        assert not cache.exists() or list(cache.iterdir()) == []
        return str(told.value), publisher.asked


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=1, max_size=200_000), length=st.booleans())
def test_what_is_published_lies_in_the_cache(cache: Path, content: bytes, length: bool) -> None:
    (cache / "small.tflite").unlink(missing_ok=True)
    assert fetched(whole(content, length=length), content=content) == (content, 1)
    assert [each.name for each in cache.iterdir()] == ["small.tflite"]


def test_what_is_there_is_not_downloaded_again(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "small.tflite").write_bytes(CONTENT)
    assert fetched(status(404)) == (CONTENT, 0)


def test_a_damaged_file_is_replaced(cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / "small.tflite").write_bytes(CONTENT[:-1] + b"x")
    assert fetched(whole(CONTENT)) == (CONTENT, 1)


def test_a_redirection_is_followed() -> None:
    with published(whole(CONTENT)) as other:
        assert fetched(elsewhere(other.url)) == (CONTENT, 1)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(whole(CONTENT[:1000], said=len(CONTENT)), id="cut"),
        pytest.param(whole(b"", said=len(CONTENT)), id="cut at once"),
        pytest.param(status(503), id="out of order"),
        pytest.param(status(429), id="busy"),
        pytest.param(status(403), id="forbidden"),
        pytest.param(lambda _handler: None, id="hung up"),
    ],
)
def test_a_failed_connection_is_tried_again_from_the_beginning(
    bad: Answer, cache: Path
) -> None:
    assert fetched(bad, bad, whole(CONTENT)) == (CONTENT, 3)
    (cache / "small.tflite").unlink()
    message, asked = refused(DeviceError, bad, cache=cache)
    assert asked == 3
    assert "Cannot download small from 127.0.0.1:" in message
    assert f"keep it as {cache / 'small.tflite'}" in message


def test_a_cut_says_how_far_it_came(cache: Path) -> None:
    cut = whole(CONTENT[:1000], said=len(CONTENT))
    assert "1,000 of 256,000 bytes" in refused(DeviceError, cut, cache=cache)[0]


@pytest.mark.parametrize(
    ("other", "found"),
    [
        pytest.param(whole(b"<html>Log in"), "12 bytes", id="a login page"),
        pytest.param(whole(CONTENT[:-1] + b"x"), "256,000 bytes", id="one byte"),
        pytest.param(whole(CONTENT + b"x"), "more than 256,000 bytes", id="longer"),
        pytest.param(whole(CONTENT[:-1], length=False), "255,999 bytes", id="shorter"),
        pytest.param(endless, "more than 256,000 bytes", id="endless"),
    ],
)
def test_another_file_is_refused_and_not_written(
    other: Answer, found: str, cache: Path
) -> None:
    message, asked = refused(InputError, other, cache=cache)
    assert found in message
    assert hashlib.sha256(CONTENT).hexdigest()[:12] in message
    assert asked == 1


@pytest.mark.parametrize("code", [404, 410])
def test_a_file_that_is_not_there_any_more_is_told(code: int, cache: Path) -> None:
    message, asked = refused(InputError, status(code), cache=cache)
    assert f"is not where it was published: it answers {code}" in message
    assert asked == 1


def test_without_a_network_the_address_and_the_place_are_told(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_args: object, **_options: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    asked = small_model(CONTENT, "https://example.invalid/small.tflite")
    with pytest.raises(DeviceError) as told:
        download(asked, pauses_s=())
    assert "from example.invalid: Name or service not known" in str(told.value)
    assert asked.source in str(told.value)
    assert str(cache / "small.tflite") in str(told.value)


def test_a_full_disk_is_one_message_and_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("edgekit.files.os.fsync", full)
    message, _ = refused(EdgekitError, whole(CONTENT), cache=cache)
    assert "No space left on device" in message


def test_progress_counts_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Counted()
    monkeypatch.setattr(progress, "_display", shown)
    fetched(whole(CONTENT))
    assert shown.began == ("Downloading small", len(CONTENT), "byte")
    assert shown.steps == len(CONTENT)


class Counted(progress.Silent):
    """Remembers what was shown."""

    def __init__(self) -> None:
        self.began: tuple[str, int | None, str] | None = None
        self.steps = 0

    def begin(self, label: str, total: int | None, unit: str) -> None:
        self.began = (label, total, unit)

    def advance(self, steps: int) -> None:
        self.steps += steps

"""Addresses as people write them, and what is said of those that cannot be had."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DeviceError, UsageError
from edgekit.preview import Preview, open_preview
from edgekit.preview.address import Address, is_loopback, parse_address, reachable_at


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        pytest.param("127.0.0.1:8080", "127.0.0.1", 8080, id="host and port"),
        pytest.param("8080", "127.0.0.1", 8080, id="port alone is this machine's"),
        pytest.param(":0", "127.0.0.1", 0, id="any port"),
        pytest.param("localhost:1", "localhost", 1, id="name"),
        pytest.param(" 0.0.0.0:65535 ", "0.0.0.0", 65535, id="all addresses, blanks"),
        pytest.param("[::1]:80", "::1", 80, id="IPv6"),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text", ["", "here", "here:", "here:http", "1.2.3.4:65536", "::1:80", "a:-1", "a:\u0663"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"(?s)no address for a preview.*127\.0\.0\.1:8080"):
        parse_address(text)


@given(host=st.ip_addresses(v=6).map(str), port=st.integers(0, 65535))
def test_an_address_is_written_as_it_is_read(host: str, port: int) -> None:
    assert parse_address(str(Address(host, port))) == Address(host, port)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("192.168.1.5", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_network(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_address_that_means_all_is_told_as_one_that_can_be_opened() -> None:
    assert reachable_at("192.168.1.5") == "192.168.1.5"
    assert reachable_at("0.0.0.0") not in {"", "0.0.0.0"}


def test_a_port_in_use_is_one_clear_message() -> None:
    with Preview() as first, pytest.raises(DeviceError) as told:
        open_preview(f"127.0.0.1:{first.port}")
    assert str(told.value) == (
        f"No preview at 127.0.0.1:{first.port}: another program listens there already.\n"
        "Name another port, e.g. 8081, or port 0 for any that is free."
    )
    assert told.value.exit_code == 7


def test_a_port_is_free_again_after_a_preview_with_a_viewer() -> None:
    with Preview() as first:
        viewer = socket.create_connection(("127.0.0.1", first.port))
        viewer.sendall(b"GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n")
    viewer.close()
    with Preview(port=first.port) as second:
        assert second.port == first.port


@pytest.mark.parametrize(
    ("host", "why"),
    [
        pytest.param("no-such-host.invalid", "nobody knows the host", id="unknown name"),
        pytest.param("192.0.2.7", "none of this machine's addresses", id="another's address"),
    ],
)
def test_a_host_that_cannot_be_had_is_said(host: str, why: str) -> None:
    with pytest.raises(DeviceError, match=why):
        Preview(host)

"""Addresses of devices: what is one, and what is not."""

import pytest

from edgekit.errors import UsageError
from edgekit.profiling.ways.address import Address, parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("local", Address("local", "local"), id="here"),
        pytest.param("ssh://pi", Address("ssh", "ssh://pi", host="pi"), id="alias"),
        pytest.param(
            "ssh://pi@raspberrypi.local:2222/",
            Address(
                "ssh",
                "ssh://pi@raspberrypi.local:2222/",
                host="raspberrypi.local",
                user="pi",
                port=2222,
            ),
            id="all of it",
        ),
        pytest.param(
            "ssh://[fe80::1%eth0]:22",
            Address("ssh", "ssh://[fe80::1%eth0]:22", host="fe80::1%eth0", port=22),
            id="IPv6",
        ),
        pytest.param("adb://", Address("adb", "adb://"), id="the only phone"),
        pytest.param("adb://R5CT", Address("adb", "adb://R5CT", serial="R5CT"), id="a phone"),
        pytest.param(
            "adb://10.0.0.7:5555",
            Address("adb", "adb://10.0.0.7:5555", serial="10.0.0.7:5555"),
            id="a phone on the network",
        ),
    ],
)
def test_known_forms(text: str, found: Address) -> None:
    assert parse(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("pi@raspberrypi", "Known forms: local, ssh://", id="no way"),
        pytest.param("", "Known forms", id="nothing"),
        pytest.param("ssh://", "Known forms", id="no host"),
        pytest.param("telnet://pi", "Known forms", id="another way"),
        pytest.param("ssh://pi@host:port", "Known forms", id="port in words"),
        pytest.param("ssh://pi@host:70000", "1 to 65535", id="port too large"),
        pytest.param("ssh://pi:raspberry@host", "password does not belong", id="password"),
        pytest.param("ssh://-oProxyCommand=id", "begins with a dash", id="option as host"),
        pytest.param("ssh://-x@host", "begins with a dash", id="option as user"),
        pytest.param("adb://-d", "begins with a dash", id="option as serial"),
    ],
)
def test_what_is_no_address_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(text)

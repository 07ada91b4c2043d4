"""Addresses of devices, as `--on` takes them."""

import re
from dataclasses import dataclass

from edgekit.errors import UsageError

LOCAL = "local"
_SSH = re.compile(
    r"ssh://(?:(?P<user>[^@/\s]+)@)?(?P<host>\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^@:/\s\[\]]+)"
    r"(?::(?P<port>\d{1,5}))?/?"
)
_ADB = re.compile(r"adb://(?P<serial>[^/\s]*)/?")
_FORMS = "local, ssh://user@host[:port], adb://serial, @devices.toml"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device is.

    Attributes:
        way: How it is reached; a name of `WAYS_IN`.
        text: The address as it was given.
        host: Name or number of a host, or an alias of ssh's own configuration.
        user: Who logs in; None leaves that to ssh.
        port: Where its ssh server listens; None leaves that to ssh.
        serial: Serial number of an Android device; None is the only one attached.
    """

    way: str
    text: str
    host: str | None = None
    user: str | None = None
    port: int | None = None
    serial: str | None = None


def parse(text: str) -> Address:
    """Read an address.

    Args:
        text: `local`, `ssh://user@host:port` or `adb://serial`; user, port and serial may
            be left out.

    Raises:
        UsageError: It is none of them, or holds a password.

    >>> parse("ssh://pi@raspberrypi.local:2222").port
    2222
    """
    if text == LOCAL:
        return Address(LOCAL, text)
    if found := _SSH.fullmatch(text):
        return _ssh(text, found)
    if found := _ADB.fullmatch(text):
        serial = found["serial"]
        _refuse_option(text, serial)
        return Address("adb", text, serial=serial or None)
    msg = f"'{text}' is no address of a device. Known forms: {_FORMS}."
    raise UsageError(msg)


def _ssh(text: str, found: re.Match[str]) -> Address:
    host, user, port = found["host"].strip("[]"), found["user"], found["port"]
    if user and ":" in user:
        msg = (
            "A password does not belong in an address: others can read it in the list of "
            f"processes.\nGive ssh://{user.partition(':')[0]}@{host}, and the device your key "
            "with: ssh-copy-id"
        )
        raise UsageError(msg)
    _refuse_option(text, host)
    _refuse_option(text, user or "")
    if port is not None and not 0 < int(port) < 65536:
        msg = f"'{text}' names port {port}; ports are 1 to 65535."
        raise UsageError(msg)
    return Address("ssh", text, host=host, user=user, port=int(port) if port else None)


def _refuse_option(text: str, part: str) -> None:
    """See that a part of an address is not an option of the program it is given to."""
    if part.startswith("-"):
        msg = f"'{text}' is no address of a device: '{part}' begins with a dash."
        raise UsageError(msg)

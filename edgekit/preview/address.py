"""Where a preview listens: `HOST:PORT` as people write it."""

import ipaddress
import socket
from dataclasses import dataclass

from edgekit.errors import DeviceError, UsageError

LOOPBACK = "127.0.0.1"
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen at.

    Attributes:
        host: Name or number of one of this machine's addresses; `0.0.0.0` for all.
        port: 0 for any that is free.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read `HOST:PORT`; a port alone is this machine's own address 127.0.0.1.

    Raises:
        UsageError: There is no port, or it is none.

    >>> parse_address("8080"), parse_address("[::1]:80")
    (Address(host='127.0.0.1', port=8080), Address(host='::1', port=80))
    """
    host, _, port = text.strip().rpartition(":")
    plain = host.removeprefix("[").removesuffix("]")
    bracketed = plain != host
    if not (port.isascii() and port.isdigit() and int(port) <= _LARGEST_PORT) or (
        ":" in host and not bracketed
    ):
        msg = (
            f"'{text}' is no address for a preview.\n"
            "Give HOST:PORT, e.g. 127.0.0.1:8080 for this machine alone or 0.0.0.0:8080 for "
            "the network; an IPv6 address in brackets: [::1]:8080."
        )
        raise UsageError(msg)
    return Address(plain or LOOPBACK, int(port))


def resolve(address: Address) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Look up the family and the number of an address; IPv4 where a name has both.

    Raises:
        DeviceError: Nobody knows the name.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        msg = (
            f"A preview at {address} is not possible: nobody knows the host '{address.host}'.\n"
            "Give a number of this machine, 127.0.0.1 or 0.0.0.0."
        )
        raise DeviceError(msg) from error
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    family, _, _, _, place = found[0]
    return family, (str(place[0]), int(place[1]))


def is_loopback(host: str) -> bool:
    """Tell whether a host, as a number or `localhost`, is this machine as it sees itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def reachable_at(host: str) -> str:
    """Return a host that a browser elsewhere can open, for an address that means all."""
    if not ipaddress.ip_address(host).is_unspecified:
        return host
    try:
        # A datagram socket that is connected sends nothing; it only picks the way out.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()

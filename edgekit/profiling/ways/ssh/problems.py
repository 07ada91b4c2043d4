"""Why a connection failed, from what ssh says, and what to do."""

import re
from collections.abc import Sequence

from edgekit.errors import DeviceError, TargetError
from edgekit.profiling.ways.address import Address

# What ssh says -> what it means, what to do. {host} is the host, {login} user and host.
_PROBLEMS = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|[Hh]ost key for .* has changed",
        "the host shows another key than the one that ssh knows: is it another machine?",
        "If you know that it was installed anew: ssh-keygen -R {known}, then: ssh {login}",
    ),
    (
        r"Host key verification failed|host key is known for",
        "ssh does not know the host's key, so it may be any machine",
        "Look at its key and accept it once: ssh {login}",
    ),
    (
        r"Permission denied|Too many authentication failures|No supported authentication",
        "it does not accept the key or password",
        "Give it your key once: ssh-copy-id {login}; then try: ssh {login}",
    ),
    (
        r"Could not resolve hostname",
        "nobody knows a host of that name",
        "Is it switched on, and the name right? Try its number instead of its name.",
    ),
    (
        r"Connection refused",
        "nothing listens there for ssh",
        "Is the port right, and ssh on? Raspberry Pi: sudo raspi-config nonint do_ssh 0",
    ),
    (
        r"timed out|No route to host|Network is unreachable|Host is down",
        "it does not answer",
        "Is it switched on, and in this network? Try: ping {host}",
    ),
    (
        r"Bad configuration option|Bad owner or permissions|no such identity",
        "ssh's own configuration on this machine is wrong",
        "Try: ssh {login}",
    ),
)
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded|Errno 28", re.IGNORECASE)
_LAST_WORDS = 4


def cannot_connect(address: Address, said: str) -> DeviceError:
    """Say why there is no connection.

    Args:
        address: The device.
        said: What ssh wrote to standard error.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    words = "\n".join(f"  | {line}" for line in lines[-_LAST_WORDS:])
    tail = f"\nssh says:\n{words}" if words else ""
    names = {"host": address.host, "login": _login(address), "known": _known(address)}
    for pattern, meaning, remedy in _PROBLEMS:
        if re.search(pattern, said):
            todo = remedy.format(**names)
            return DeviceError(f"Cannot reach {address.text}: {meaning}.\n{todo}{tail}")
    todo = "Try: ssh {login}".format(**names)
    return DeviceError(f"Cannot reach {address.text}: ssh gave up.\n{todo}{tail}")


def connection_broke(address: Address, doing: str) -> DeviceError:
    """Say that a device went away in the middle of the work."""
    return DeviceError(
        f"The connection to {address.text} broke while {doing}. Did the device restart, or "
        "lose its network or supply?\n"
        "What ran there ended with the connection; nothing was measured. Try it again, and "
        "look at its supply if it happens again."
    )


def no_space(address: Address, where: str, needed_mb: float, free_mb: float) -> TargetError:
    """Say that something does not fit the disk."""
    return TargetError(
        f"There is not enough space on {address.text}: {where} has {free_mb:.0f} MiB free, "
        f"and {needed_mb:.0f} MiB are needed.\n"
        "Make room there; XDG_CACHE_HOME, set there, names another place."
    )


def step_failed(
    address: Address, doing: str, code: int, said: Sequence[str]
) -> TargetError | None:
    """Say of a step that failed on the device that its disk is full; None if it is not."""
    text = "\n".join(said)
    if code and _NO_SPACE.search(text):
        return TargetError(
            f"The disk of {address.text} was full while {doing}; nothing stays there.\n"
            "Make room there; XDG_CACHE_HOME, set there, names another place."
        )
    return None


def _login(address: Address) -> str:
    """The arguments of a plain ssh to the device."""
    port = f"-p {address.port} " if address.port else ""
    return f"{port}{f'{address.user}@' if address.user else ''}{address.host}"


def _known(address: Address) -> str:
    """The name of the host in ssh's list of known hosts, as a shell takes it."""
    return f"'[{address.host}]:{address.port}'" if address.port else str(address.host)

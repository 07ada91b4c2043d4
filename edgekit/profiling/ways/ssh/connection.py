"""One connection to a device, through ssh itself: its configuration, keys and checks.

The first ssh stays for as long as the connection is wanted; the others go through it, so
that logging in is paid for once.
"""

import contextlib
import io
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from edgekit.errors import MissingExtra
from edgekit.profiling.ways.address import Address
from edgekit.profiling.ways.board import Facts, read_facts
from edgekit.profiling.ways.ssh import problems
from edgekit.profiling.ways.ssh.scripts import ASK, END, READY, shell

VARIABLE = "EDGEKIT_SSH"
_CONNECT_S = 10
_SILENT_S = 60  # an ssh server that lets in and then says nothing
_OPTIONS = {
    "ConnectTimeout": str(_CONNECT_S),
    # A device that is gone is noticed after half a minute.
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "6",
    # What a person's configuration may ask for, and what has no place here.
    "LogLevel": "ERROR",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
    "ControlPersist": "no",
}
_CAN_SHARE = sys.platform != "win32"  # its OpenSSH cannot
_CLOSE_S = 5


@dataclass(frozen=True, slots=True)
class Sent:
    """How a command ended that took files.

    Attributes:
        code: Its exit code; 255 if the connection broke.
        said: What it wrote to standard error, by lines.
    """

    code: int
    said: tuple[str, ...]


class Connection:
    """A connection to a device; a context.

    Args:
        address: The device.
        may_ask: Whether ssh may ask a person for a password, or whether a key is right.

    Attributes:
        facts: What the device says about itself.

    Raises:
        DeviceError: There is no connection.
        MissingExtra: There is no ssh on this machine.
    """

    facts: Facts

    def __init__(self, address: Address, *, may_ask: bool) -> None:
        self.address = address
        options = _OPTIONS if may_ask else _OPTIONS | {"BatchMode": "yes"}
        self._base = [
            *shlex.split(os.environ.get(VARIABLE) or "ssh"),
            *(part for name, value in options.items() for part in ("-o", f"{name}={value}")),
        ]
        self._login = [
            *(("-p", str(address.port)) if address.port else ()),
            *(("-l", address.user) if address.user else ()),
            *("--", str(address.host)),
        ]
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._resources as resources:
            folder = resources.enter_context(
                tempfile.TemporaryDirectory(prefix="edgekit-", ignore_cleanup_errors=True)
            )
            socket = Path(folder) / "s"
            path = ["-o", f"ControlPath={socket}"]
            first = [*path, "-o", "ControlMaster=yes"] if _CAN_SHARE else []
            # Where the first connection is gone, a client must not make one of its own.
            client = [*path, "-o", "ProxyCommand=false"] if _CAN_SHARE else []
            self._client = [*self._base, *client, *self._login]
            said = resources.enter_context(tempfile.TemporaryFile())
            self._first = self._start([*self._base, *first, *self._login, shell(ASK)], said)
            resources.callback(self._close)
            self.facts = self._listen(said)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._resources.close()

    def command(self, script: str, *arguments: str) -> list[str]:
        """Return the program, and its arguments, that runs a script on the device."""
        return [*self._client, shell(script, *arguments)]

    def send(self, files: Iterable[tuple[str, Path | bytes, bool]], command: list[str]) -> Sent:
        """Run a command that takes files as an archive on its standard input.

        Args:
            files: Name there, content and whether it is a program, of each file.
            command: From `command`.
        """
        with tempfile.TemporaryFile() as said:
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
            )
            try:
                with _open_pipe(child) as pipe:
                    with contextlib.suppress(BrokenPipeError):
                        _write_archive(files, pipe)
                        pipe.flush()
                    code = child.wait()
            finally:
                _stop(child)
            return Sent(code, _lines(said))

    def _start(self, command: Sequence[str], said: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
            )
        except OSError as error:
            msg = (
                f"Cannot start {command[0]}, which reaches ssh:// devices: {error.strerror}.\n"
                "Install it, e.g. with: sudo apt install openssh-client; "
                f"{VARIABLE} names another one."
            )
            raise MissingExtra(msg) from error

    def _listen(self, said: IO[bytes]) -> Facts:
        """Hear what the device says about itself.

        Raises:
            DeviceError: It says nothing.
        """
        timer = threading.Timer(_CONNECT_S + _SILENT_S, self._first.kill)
        if "BatchMode=yes" in self._base:
            timer.start()
        try:
            answers = _answers(self._first)
        finally:
            timer.cancel()
        if answers is None:
            self._first.wait()
            raise problems.cannot_connect(self.address, "\n".join(_lines(said)))
        return read_facts(answers)

    def _close(self) -> None:
        """End the first ssh, and with it all that goes through it."""
        for pipe in (self._first.stdin, self._first.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        _stop(self._first)


def _answers(child: subprocess.Popen[bytes]) -> dict[str, list[str]] | None:
    """Read `name=value` lines between two marks; a login may print before them."""
    if child.stdout is None:  # it was asked for as a pipe
        return None
    found: dict[str, list[str]] | None = None
    for line in iter(child.stdout.readline, b""):
        text = line.decode(errors="replace").strip()
        if text == READY:
            found = {}
        elif text == END and found is not None:
            return found
        elif found is not None and "=" in text:
            name, _, value = text.partition("=")
            found.setdefault(name, []).append(value)
    return None


@contextlib.contextmanager
def _open_pipe(child: subprocess.Popen[bytes]) -> Iterator[IO[bytes]]:
    """Give the pipe to a child; it is closed at the end, whether anybody reads or not."""
    pipe = child.stdin
    if pipe is None:
        msg = "the child was started without a pipe"
        raise ValueError(msg)
    try:
        yield pipe
    finally:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def _write_archive(files: Iterable[tuple[str, Path | bytes, bool]], pipe: IO[bytes]) -> None:
    with tarfile.open(fileobj=pipe, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for name, content, executable in files:
            info = tarfile.TarInfo(name)
            info.mode = 0o755 if executable else 0o644
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
                continue
            info.size = content.stat().st_size
            with content.open("rb") as file:
                archive.addfile(info, file)


def _lines(said: IO[bytes]) -> tuple[str, ...]:
    said.seek(0)
    return tuple(said.read().decode(errors="replace").splitlines())


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Let a child end; if it does not, end it."""
    try:
        child.wait(_CLOSE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()

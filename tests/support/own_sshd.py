"""A real OpenSSH server of the tests' own: its keys, its port on 127.0.0.1, its home folder.

Nothing of this machine's own ssh is read or written; it ends with its context.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
MISSING = SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None
ENVIRONMENT = "0123456789abcdef"  # the name of the environment of tests
_BEGINS_S = 10
_SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
AcceptEnv NOTHING
SetEnv HOME={home} XDG_CACHE_HOME={home}/.cache
"""
CLIENT = """\
Host {host}
    IdentityFile {folder}/key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    HashKnownHosts no
"""


@dataclass
class OwnSshd:
    """A running server.

    Attributes:
        folder: Its keys and configuration, and the client's.
        home: The home folder of who logs in.
        port: Where it listens.
        process: The server.
        user: Who may log in.
    """

    folder: Path
    home: Path
    port: int
    process: subprocess.Popen[bytes]
    user: str = field(default_factory=getpass.getuser)

    @property
    def address(self) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    @property
    def ssh(self) -> str:
        """The ssh to use: with the tests' configuration, and nothing of the person's."""
        return f"ssh -F {self.folder}/config"

    @property
    def cache(self) -> Path:
        return self.home / ".cache/edgekit"

    def sessions(self) -> list[int]:
        """Process ids of what the server started, down to the commands of sessions."""
        return descendants(self.process.pid)

    def cut(self, program: str = "") -> None:
        """End all connections at once, as when a device restarts.

        Args:
            program: Only processes whose command line has this in it.
        """
        for pid in self.sessions():
            with suppress(OSError):
                if program.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    def ssh_with(self, name: str, value: str) -> str:
        """The ssh to use with another value of an option."""
        lines = (self.folder / "config").read_text().splitlines()
        other = [line for line in lines if line.split()[0] != name]
        config = self.folder / f"config-{name}"
        config.write_text("\n".join([*other, f"    {name} {value}", ""]))
        return f"ssh -F {config}"


def descendants(pid: int) -> list[int]:
    """Return the ids of all processes below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


@contextmanager
def own_sshd(folder: Path, extra: str = "", **settings: str) -> Iterator[OwnSshd]:
    """Start a server.

    Args:
        folder: An empty folder for all its files.
        extra: More lines of its configuration.
        **settings: What is exported to those who log in.
    """
    assert SSHD is not None
    home = folder / "home"
    home.mkdir(parents=True)
    for name in ("host_key", "key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
            check=True,
        )
    shutil.copy(folder / "key.pub", folder / "authorized_keys")
    port = free_port()
    public = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (folder / "config").write_text(CLIENT.format(host="*", folder=folder))
    lines = _SERVER.format(port=port, folder=folder, home=home).rstrip("\n")
    more = "".join(f" {name}={value}" for name, value in settings.items())
    (folder / "sshd_config").write_text(f"{lines}{more}\n{extra}\n")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log
        )
    server = OwnSshd(folder, home, port, process)
    try:
        _wait_for(server)
        yield server
    finally:
        server.cut()
        process.terminate()
        process.wait()


def give_environment(server: OwnSshd, name: str, paths: Mapping[str, str]) -> Path:
    """Make an environment there that is this machine's own Python.

    Args:
        server: The server.
        name: Its name.
        paths: Environment variables that it sets.

    Returns:
        Its Python, a program of the shell.
    """
    python = server.cache / f"env-{name}/venv/bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"export {each}='{value}'\n" for each, value in paths.items())
    python.write_text(f'#!/bin/sh\n{lines}exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(server: OwnSshd) -> None:
    end = time.monotonic() + _BEGINS_S
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1):
            return
        if server.process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError((server.folder / "sshd.log").read_text())

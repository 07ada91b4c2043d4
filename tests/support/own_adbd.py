"""The device end of adb over TCP: enough of its protocol for Google's adb to connect to it.

It answers to connect, push, pull and shell, with and without the newer shell that tells exit
codes; paths are those of this machine. Written from AOSP's protocol.txt and SYNC.TXT. It tests
how edgekit uses adb, not Android.
"""

import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

from own_sshd import free_port

MISSING = shutil.which("adb") is None
_CONNECT, _OPEN, _OKAY, _WRITE, _CLOSE = (
    int.from_bytes(name, "little") for name in (b"CNXN", b"OPEN", b"OKAY", b"WRTE", b"CLSE")
)
_HEAD = struct.Struct("<6I")
_VERSION, _MOST = 0x01000000, 4096
_OUT, _ERR, _EXIT = 1, 2, 3
_PROBED_PORTS = range(5554, 5700)  # where adb looks for emulators


@dataclass
class Phone:
    """A device that adb can connect to.

    Attributes:
        port: Where it listens.
        adb: The adb to use: with a server and a home folder of its own.
        new_shell: Whether its shell tells exit codes.
        environment: What its shell's commands see.
        commands: What its shell was asked to do.
        full: Whether its disk takes no more files.
    """

    port: int
    adb: str
    new_shell: bool
    environment: Mapping[str, str]
    commands: list[str] = field(default_factory=list)
    full: bool = False
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"adb://127.0.0.1:{self.port}"

    def vanish(self) -> None:
        """Break all connections, and take no further ones."""
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Stream:
    """One service that the client opened."""

    def __init__(self, connection: "_Connection", local: int, remote: int) -> None:
        self._connection = connection
        self._ids = (local, remote)
        self.incoming: Queue[bytes | None] = Queue()
        self.taken = threading.Semaphore(0)
        self._rest = b""

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _MOST):
            self._connection.send(_WRITE, *self._ids, data[start : start + _MOST])
            self.taken.acquire()

    def read(self, count: int) -> bytes:
        while len(self._rest) < count:
            data = self.incoming.get()
            if data is None:
                raise EOFError
            self._rest += data
        found, self._rest = self._rest[:count], self._rest[count:]
        return found


class _Connection:
    """One connection of an adb server."""

    def __init__(self, phone: Phone, sock: socket.socket) -> None:
        self._phone, self._sock = phone, sock
        self._turn = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        head = _HEAD.pack(
            command, first, second, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF
        )
        with self._turn:
            self._sock.sendall(head + data)

    def serve(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                command, first, second, size, _, _ = _HEAD.unpack(self._take(_HEAD.size))
                self._answer(command, first, second, self._take(size))
        for stream in self._streams.values():
            stream.incoming.put(None)
            stream.taken.release()

    def _take(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            data = self._sock.recv(count - len(found))
            if not data:
                raise EOFError
            found += data
        return found

    def _answer(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == _CONNECT:
            features = "shell_v2,cmd" if self._phone.new_shell else "cmd"
            about = f"device::ro.product.model=Test;features={features}"
            self.send(_CONNECT, _VERSION, _MOST, about.encode())
        elif command == _OPEN:
            local = len(self._streams) + 1
            stream = self._streams[local] = _Stream(self, local, first)
            self.send(_OKAY, local, first)
            service = data.rstrip(b"\0").decode()
            threading.Thread(
                target=self._run, args=(service, stream, local, first), daemon=True
            ).start()
        elif (known := self._streams.get(second)) is not None:
            if command == _WRITE:
                known.incoming.put(data)
                self.send(_OKAY, second, first)
            elif command == _OKAY:
                known.taken.release()
            elif command == _CLOSE:
                known.incoming.put(None)
                known.taken.release()

    def _run(self, service: str, stream: _Stream, local: int, remote: int) -> None:
        with suppress(EOFError, OSError):
            if service.startswith("shell"):
                self._shell(service, stream)
            elif service.startswith("sync"):
                self._sync(stream)
        with suppress(OSError):
            self.send(_CLOSE, local, remote)

    def _shell(self, service: str, stream: _Stream) -> None:
        how, _, command = service.partition(":")
        self._phone.commands.append(command)
        tells_code = "v2" in how.split(",")
        done = subprocess.run(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if tells_code else subprocess.STDOUT,
            env=dict(self._phone.environment),
            check=False,
        )
        if not tells_code:
            stream.write(done.stdout)
            return
        for kind, data in ((_OUT, done.stdout), (_ERR, done.stderr)):
            if data:
                stream.write(struct.pack("<BI", kind, len(data)) + data)
        stream.write(struct.pack("<BIB", _EXIT, 1, done.returncode & 255))

    def _sync(self, stream: _Stream) -> None:
        while True:
            request, size = struct.unpack("<4sI", stream.read(8))
            text = stream.read(size).decode()
            if request == b"QUIT":
                return
            {b"STAT": self._stat, b"SEND": self._receive}[request](stream, text)

    def _stat(self, stream: _Stream, name: str) -> None:
        try:
            found = Path(name).stat()
            values = (found.st_mode, found.st_size, int(found.st_mtime))
        except OSError:
            values = (0, 0, 0)
        stream.write(struct.pack("<4s3I", b"STAT", *values))

    def _receive(self, stream: _Stream, text: str) -> None:
        name, _, mode = text.rpartition(",")
        content = b""
        while True:
            kind, number = struct.unpack("<4sI", stream.read(8))
            if kind == b"DONE":
                break
            content += stream.read(number)
        if self._phone.full:
            why = b"write failed: No space left on device"
            stream.write(struct.pack("<4sI", b"FAIL", len(why)) + why)
            return
        place = Path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(int(mode) & 0o777)
        stream.write(struct.pack("<4sI", b"OKAY", 0))


@contextmanager
def own_phone(
    folder: Path, environment: Mapping[str, str], *, new_shell: bool = True
) -> Iterator[Phone]:
    """Start a device and an adb server that knows it; both end with the context.

    Args:
        folder: An empty folder, the home of adb.
        environment: What commands of its shell see.
        new_shell: Whether its shell tells exit codes.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    while listening.getsockname()[1] in _PROBED_PORTS:
        listening = socket.create_server(("127.0.0.1", 0))
    server = free_port()
    adb = ["env", f"HOME={folder}", "ADB_LOCAL_TRANSPORT_MAX_PORT=5554"]
    adb += ["adb", "-P", str(server)]
    phone = Phone(listening.getsockname()[1], " ".join(adb), new_shell, environment)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listening.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                phone.sockets.append(sock)
                threading.Thread(target=_Connection(phone, sock).serve, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        subprocess.run(
            [*adb, "connect", f"127.0.0.1:{phone.port}"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield phone
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        phone.vanish()
        for each in phone.sockets:
            each.close()
        subprocess.run(
            [*adb, "kill-server"],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ),
        )

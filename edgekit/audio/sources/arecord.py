"""Microphones of Linux through the program arecord: nothing else needs to be installed."""

import contextlib
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from typing import IO

import numpy as np

from edgekit.audio.chunk import CHUNK_S
from edgekit.audio.sources.recorder import SILENT_S, Device, Samples
from edgekit.errors import DeviceError, EdgekitError

_CARD = re.compile(r"card \d+: (\S+) \[(.*?)\], device (\d+): (.*?) \[")
_OTHER_RATE = re.compile(r"got = (\d+) ?Hz")
_BUFFER_US, _PERIOD_US = 500_000, 20_000  # a buffer of half a second bears a busy computer
_SCALE = np.float32(1 / 2**15)
_END_S = 2.0


def lacks() -> EdgekitError | None:
    """Say what is missing for it; None if nothing is."""
    if shutil.which("arecord"):
        return None
    return DeviceError(
        "The program arecord is not installed.\nInstall it with: sudo apt install alsa-utils"
    )


def list_devices() -> tuple[Device, ...]:
    """List the microphones: the usual one, and each device of each sound card."""
    done = subprocess.run(
        ["arecord", "-l"], capture_output=True, text=True, env=_environment(), check=False
    )
    cards = [
        f"plughw:CARD={card},DEV={number}" for card, _, number, _ in _CARD.findall(done.stdout)
    ]
    return tuple(
        Device(name, index, 0, 0, default=not index)
        for index, name in enumerate(["default", *cards] if cards else [])
    )


def connect(device: str, rate_hz: int, *, again: bool = False) -> "ArecordLine":  # noqa: ARG001 (a recorder's face)
    """Open a microphone.

    Args:
        device: Its number in `list_devices`, or what arecord takes for `-D`; empty for the
            usual one.
        rate_hz: The sample rate wanted.
        again: Whether it was lost; makes no difference here.

    Raises:
        DeviceError: It cannot be opened; the text says what arecord said.
    """
    if device.isdecimal():
        named = {each.index: each.name for each in list_devices()}
        if int(device) not in named:
            there = "\n".join(f"  {index}: {name}" for index, name in named.items())
            msg = f"There is no microphone {device}. Found:\n{there or '  none at all'}"
            raise DeviceError(msg)
        device = named[int(device)]
    return ArecordLine(device, rate_hz)


class ArecordLine:
    """A running arecord.

    Args:
        device: What it takes for `-D`; empty for the usual microphone.
        rate_hz: The sample rate wanted; where the microphone has another, that is taken.

    Raises:
        DeviceError: It ends at once.
    """

    def __init__(self, device: str, rate_hz: int) -> None:
        self.device = device
        self.rate_hz = rate_hz
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._process = subprocess.Popen(
            [
                *("arecord", "-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(rate_hz)),
                *(f"--buffer-time={_BUFFER_US}", f"--period-time={_PERIOD_US}"),
                *(("-D", device) if device else ()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=_environment(),
            bufsize=0,
        )
        self._first = self._next()
        if self._first is None:
            said = self._words()
            self.close()
            asked = f"The microphone '{device}'" if device else "The microphone"
            msg = (
                f"{asked} cannot be opened by arecord: {said or 'it gave no sound'}\n"
                "Is one attached? `arecord -l` lists those that the system knows; to try "
                "without one: --source synthetic"
            )
            raise DeviceError(msg)
        if other := _OTHER_RATE.search(self._words()):
            self.rate_hz = int(other[1])

    def read(self) -> Samples | None:
        """Wait for the next piece; None when none comes any more."""
        first, self._first = self._first, None
        return self._next() if first is None else first

    def interrupt(self) -> None:
        """End arecord, which makes `read` return."""
        self._process.kill()

    def close(self) -> None:
        """End arecord."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.close()

    def _next(self) -> Samples | None:
        """Read a piece of the usual length."""
        wanted = 2 * round(CHUNK_S * self.rate_hz)
        data = b""
        until = time.monotonic() + SILENT_S
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while len(data) < wanted:
            ready, _, _ = select.select([pipe], [], [], max(until - time.monotonic(), 0))
            more = os.read(pipe, wanted - len(data)) if ready else b""
            if not more:
                return None
            data += more
        return np.frombuffer(data, "<i2").astype(np.float32) * _SCALE

    def _words(self) -> str:
        """Return what arecord has said, without what its library said before."""
        size = os.fstat(self._said.fileno()).st_size
        said = os.pread(self._said.fileno(), size, 0).decode(errors="replace")
        return " ".join(line for line in said.splitlines() if not line.startswith("ALSA lib"))


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}

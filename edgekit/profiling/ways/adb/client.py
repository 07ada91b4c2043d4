"""The adb program of this system, and one device behind it."""

import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DeviceError, MissingExtra
from edgekit.profiling.ways.address import Address

VARIABLE = "EDGEKIT_ADB"
_ANSWER_S = 30.0
_STATES = {
    "unauthorized": "it does not trust this computer. Unlock it and accept the question there.",
    "authorizing": "it does not trust this computer yet. Unlock it and accept the question.",
    "offline": "it does not answer. Unplug it and plug it in again, or: adb reconnect",
    "no permissions": "this computer may not use it: add your user to the group plugdev.",
    "recovery": "it is in recovery mode. Start its system.",
    "sideload": "it is in sideload mode. Start its system.",
    "bootloader": "it is in its boot loader. Start its system.",
}
_GONE = re.compile(
    r"device '.*' not found|device offline|no devices|error: closed|protocol fault"
)


@dataclass(frozen=True, slots=True)
class Done:
    """What a command gave.

    Attributes:
        code: Its exit code.
        text: What it wrote to standard output and standard error.
    """

    code: int
    text: str


class Phone:
    """An Android device.

    Args:
        address: Its address; without a serial number it is the only one attached.

    Raises:
        MissingExtra: There is no adb on this machine.
        DeviceError: It is not attached, or does not trust this computer.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._adb = shlex.split(os.environ.get(VARIABLE) or "adb")
        self._serial = _choose(address, self._devices())

    def push(self, file: Path, place: str) -> Done:
        """Copy a file there."""
        return self._call(["-s", self._serial, "push", str(file), place], None)

    def shell(self, command: str, timeout_s: float | None = _ANSWER_S) -> Done:
        """Run a command of its shell; old devices always say 0.

        Raises:
            DeviceError: It went away, or does not answer in time.
        """
        try:
            done = self._call(["-s", self._serial, "shell", command], timeout_s)
        except subprocess.TimeoutExpired as error:
            msg = (
                f"{self.address.text} did not answer within {timeout_s:g} s.\n"
                "Is it busy or asleep? Try: adb reconnect"
            )
            raise DeviceError(msg) from error
        if done.code and _GONE.search(done.text):
            raise self.gone(doing="it was talked to")
        return done

    def gone(self, *, doing: str) -> DeviceError:
        """Say that it went away."""
        return DeviceError(
            f"{self.address.text} went away while {doing}. Did it restart, or was the cable "
            "pulled?\nNothing was measured. Try it again when adb devices shows it."
        )

    def _devices(self) -> dict[str, str]:
        """Serial numbers and states of all devices."""
        try:
            done = self._call(["devices"], _ANSWER_S)
        except subprocess.TimeoutExpired as error:
            msg = "adb does not answer. Try: adb kill-server"
            raise DeviceError(msg) from error
        if done.code:
            msg = f"adb cannot list devices: {done.text.strip()}\nTry: adb kill-server"
            raise DeviceError(msg)
        lines = (line.partition("\t") for line in done.text.splitlines())
        return {serial: state.strip() for serial, tab, state in lines if tab}

    def _call(self, arguments: Sequence[str], timeout_s: float | None) -> Done:
        try:
            done = subprocess.run(
                [*self._adb, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            )
        except OSError as error:
            msg = (
                f"Cannot start {self._adb[0]}, which reaches adb://: {error.strerror}.\n"
                "Install it, e.g. with: sudo apt install adb; "
                f"{VARIABLE} names another one."
            )
            raise MissingExtra(msg) from error
        return Done(done.returncode, done.stdout.decode(errors="replace").replace("\r\n", "\n"))


def _choose(address: Address, devices: dict[str, str]) -> str:
    """Return the serial number that is meant.

    Raises:
        DeviceError: It is not there, not usable, or one of several.
    """
    listed = ", ".join(f"{serial} ({state})" for serial, state in devices.items()) or "none"
    ready = [serial for serial, state in devices.items() if state == "device"]
    if address.serial is None and len(ready) == 1:
        return ready[0]
    if address.serial is None and len(ready) > 1:
        msg = f"Which device is meant? Attached: {listed}. Name one: adb://{ready[0]}"
        raise DeviceError(msg)
    wanted = address.serial or next(iter(devices), None)
    state = devices.get(wanted or "")
    if state == "device" and wanted is not None:
        return wanted
    if state is None:
        msg = (
            f"Cannot reach {address.text}: no such device is attached. Attached: {listed}.\n"
            "Switch on USB debugging there, or for one on the network: adb connect HOST:PORT"
        )
        raise DeviceError(msg)
    why = next((text for name, text in _STATES.items() if state.startswith(name)), None)
    msg = f"Cannot reach {address.text}: {why or f'adb says that it is {state}.'}"
    raise DeviceError(msg)

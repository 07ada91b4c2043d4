"""The wheels that a device needs, downloaded on the workstation with pip.

pip judges markers by the computer that it runs on, not by the one that it downloads for.
So it is asked for one layer at a time, without dependencies; what each wheel needs there
is read from the wheel, until nothing is missing.
"""

import email.parser
import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgekit import progress
from edgekit.bundle.device import Device, Needs
from edgekit.errors import DeviceError, EdgekitError, MissingExtra, TargetError
from edgekit.files import told

_ROUNDS = 10
_NO_WHEEL = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")
_NO_NETWORK = re.compile(r"Retrying \(.*connection broken by '?(?P<why>.*)")
PIP = "pip"  # goes with the wheels: a bare system has none


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that was downloaded.

    Attributes:
        path: The file.
        name: The package, in its canonical spelling.
        version: Its version.
        requires: What it needs, with markers.
    """

    path: Path
    name: str
    version: str
    requires: tuple[str, ...]


def download(needs: Needs, device: Device, python: str, folder: Path) -> tuple[Wheel, ...]:
    """Download what is needed, and all that this needs in turn.

    Args:
        needs: What is asked for.
        device: What the wheels are for.
        python: Its Python.
        folder: Where to put them; a folder a round.

    Raises:
        TargetError: There is no wheel of some packages; all are named.
        DeviceError: The package index cannot be reached.
        MissingExtra: There is no pip.
    """
    if importlib.util.find_spec("pip") is None:
        msg = (
            "pip downloads the wheels, and this Python has none.\n"
            "Install it with: python -m ensurepip"
        )
        raise MissingExtra(msg)
    wanted = needs
    with progress.task(f"Downloading wheels for Python {python} on {device.target.arch}"):
        for number in range(_ROUNDS):
            wheels = _round(wanted, device, python, folder / f"{python}-{number}")
            more = _closed(needs, wanted, wheels, device, python)
            if {k: str(v) for k, v in more.items()} == {k: str(v) for k, v in wanted.items()}:
                return wheels
            wanted = more
    msg = (
        f"The requirements of {', '.join(wanted)} contradict each other for Python {python} "
        f"on {device.target.arch}.\nName another Python with --python, or leave --wheels out."
    )
    raise TargetError(msg)


def read_wheel(path: Path) -> Wheel:
    """Read what a wheel says about itself.

    Raises:
        EdgekitError: It cannot be read.
    """
    with told(f"read {path}"), zipfile.ZipFile(path) as archive:
        entry = next(
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        )
        notes = email.parser.BytesParser().parsebytes(archive.read(entry))
    return Wheel(
        path,
        canonicalize_name(notes["Name"]),
        notes["Version"],
        tuple(notes.get_all("Requires-Dist") or ()),
    )


def _closed(
    needs: Needs, wanted: Needs, wheels: Sequence[Wheel], device: Device, python: str
) -> Needs:
    """What is asked for, and what the wheels need, with the extras they are wanted with."""
    asked = list(needs.values())
    extras = {name: need.extras for name, need in wanted.items()}
    for wheel in wheels:
        asked += device.asked(wheel.requires, python, extras.get(wheel.name, ()))
    return device.merge(asked)


def _round(needs: Needs, device: Device, python: str, folder: Path) -> tuple[Wheel, ...]:
    """Download exactly what is asked for.

    Raises:
        TargetError: There is no wheel of some packages; all are named.
        DeviceError: The package index cannot be reached.
    """
    left, missing = dict(needs), []
    while refused := _pip(list(left.values()), device, python, folder):
        missing.append(str(left.pop(refused)))
    if missing:
        msg = (
            f"No wheel is published for Python {python} on {device.target.arch} of: "
            f"{', '.join(missing)}.\n"
            "Name another Python with --python, or leave --wheels out and give the device "
            "a network."
        )
        raise TargetError(msg)
    return tuple(read_wheel(path) for path in sorted(folder.glob("*.whl")))


def _pip(needs: Sequence[Requirement], device: Device, python: str, folder: Path) -> str | None:
    """Download wheels; the name of a package that has none, or None if all is well.

    Raises:
        DeviceError: The package index cannot be reached.
        EdgekitError: pip failed in another way.
    """
    platforms = [part for tag in device.platforms for part in ("--platform", tag)]
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--quiet"),
            *("--only-binary=:all:", "--python-version", python, "--implementation", "cp"),
            *platforms,
            *("--retries", "2", "--dest", str(folder), *map(str, needs)),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=os.environ | {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    if done.returncode == 0:
        return None
    if broken := _NO_NETWORK.search(done.stderr):
        msg = (
            "The package index cannot be reached, and --wheels downloads from it.\n"
            f"pip says: {broken['why']}\n"
            "Is this computer on a network? Without --wheels the device downloads them itself."
        )
        raise DeviceError(msg)
    refused = _NO_WHEEL.search(done.stderr)
    names = {canonicalize_name(need.name) for need in needs}
    if refused is None or (name := canonicalize_name(refused[1])) not in names:
        msg = f"pip could not download the wheels: {_last_line(done.stderr)}"
        raise EdgekitError(msg)
    return name


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "nothing"

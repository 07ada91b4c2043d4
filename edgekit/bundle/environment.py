"""What a device needs to run edgekit itself: a bundle without models, and a name for it.

The name changes with every file of edgekit and with everything else that gets installed,
so that an environment of that name on a device is the one that is wanted.
"""

import hashlib
import threading
from pathlib import Path

from edgekit.bundle.contents import requirement_lines
from edgekit.bundle.device import Device
from edgekit.bundle.installation import light_files, running_installation
from edgekit.bundle.make import gather, write
from edgekit.files import cache_dir, scratch_dir, told

_KEPT = 4  # environments of other versions that stay in the cache
_NAME_LENGTH = 16
_one_at_a_time = threading.Lock()  # alike devices of a fleet want the same one


def environment_name(device: Device) -> str:
    """Name the environment of the running edgekit on a device.

    Raises:
        InputError: Nobody knows what the running edgekit needs.
        EdgekitError: One of its files cannot be read.
    """
    about = running_installation()
    needs = {python: device.needs(about, python, ()) for python in device.pythons}
    digest = hashlib.sha256()
    for line in (device.target.arch, *device.pythons, *requirement_lines(needs)):
        digest.update(line.encode() + b"\0")
    for name, path in sorted(light_files().items()):
        with told(f"read {path}"):
            digest.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:_NAME_LENGTH]


def environment_bundle(device: Device) -> Path:
    """Return the zip with edgekit and all that it needs there; made once, then kept.

    The device needs no network for it. It reads neither pictures nor sounds.

    Raises:
        TargetError: There are no wheels for the device.
        DeviceError: The package index cannot be reached.
        EdgekitError: The zip cannot be written.
    """
    folder = cache_dir() / "environments"
    place = folder / f"{environment_name(device)}.zip"
    with _one_at_a_time:
        if place.is_file():
            return place
        with scratch_dir(folder) as scratch, told(f"write {place}"):
            _, files = gather([], device, scratch, wheels=True, extras=())
            write(files, place, scratch)
            _forget(folder)
    return place


def _forget(folder: Path) -> None:
    """Remove the oldest zips of other versions."""
    found = sorted(folder.glob("*.zip"), key=lambda each: each.stat().st_mtime, reverse=True)
    for each in found[_KEPT:]:
        each.unlink(missing_ok=True)

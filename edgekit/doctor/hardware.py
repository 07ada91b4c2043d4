"""What is attached: Edge TPUs, cameras, microphones; and how the machine itself fares."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.doctor.finding import Finding, note, ok, problem
from edgekit.errors import MissingExtra
from edgekit.measure import Machine, machine
from edgekit.runtime import edgetpu
from edgekit.runtime.backends import open_backend

_DEV = Path("/dev")
_PROC = Path("/proc")
_HOT_C = 80.0  # a Raspberry Pi lowers its clock from here on
_LEAST_DISK = 200 * 2**20
_LEAST_MEMORY_MB = 400.0


def edge_tpu() -> Iterator[Finding]:
    """Look at the Edge TPU's devices and library, and at the build that fits."""
    devices = edgetpu.devices()
    for device in devices:
        said = edgetpu.device_problem(device)
        if said:
            text, _, remedy = said.partition(": ")
            yield problem("edgetpu-device", text, remedy or said)
        else:
            yield ok("edgetpu-device", f"Edge TPU {device.name} is attached ({device.node}).")
        if slow := edgetpu.slow_port(device):
            text, _, remedy = slow.partition("; ")
            yield note("edgetpu-port", f"{text}.", remedy)
    yield _library(attached=bool(devices))


def _library(*, attached: bool) -> Finding:
    """Judge the installed libedgetpu against the installed interpreter."""
    try:
        backend = open_backend()
    except MissingExtra:
        return note("edgetpu-library", "Which libedgetpu fits depends on the interpreter.")
    build = edgetpu.fitting_build(backend.name, backend.version)
    words = edgetpu.build_words(backend.name, backend.version)
    library = edgetpu.installed_library()
    if library is None:
        kind = problem if attached else note
        return kind(
            "edgetpu-library", "libedgetpu, for Coral devices, is not installed.", words
        )
    if library.version is None:
        text = f"{library.path} is there; no package says which build it is."
        return note("edgetpu-library", text, words)
    text = f"{library.package} {library.version} is installed"
    if build is None or edgetpu.fits(library.version, build):
        return ok("edgetpu-library", f"{text}; it fits {backend.name} {backend.version}.")
    text = f"{text}; it was built for an earlier runtime than {backend.name} {backend.version}."
    return problem("edgetpu-library", text, words)


def cameras() -> Iterator[Finding]:
    """Look for cameras; none is opened."""
    if sys.platform != "linux":
        return
    nodes = sorted(_DEV.glob("video*"), key=lambda node: (len(node.name), node.name))
    closed = [node.name for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if closed:
        yield problem(
            "camera",
            f"This user may not open {', '.join(closed)}.",
            "sudo usermod -aG video $USER, then log in again",
        )
    elif nodes:
        yield ok("camera", f"Video devices: {', '.join(node.name for node in nodes)}.")
    else:
        yield note("camera", "No video device is attached.", "Plug in a USB camera.")
    if shutil.which("rpicam-hello") or shutil.which("libcamera-hello"):
        yield ok("libcamera", "libcamera is installed: --source picamera reaches its cameras.")


def microphones() -> Iterator[Finding]:
    """Look for devices that record."""
    if sys.platform != "linux":
        return
    try:
        lines = (_PROC / "asound/pcm").read_text(encoding="utf-8", errors="replace")
    except OSError:
        lines = ""
    names = [
        line.split(":")[1].strip()
        for line in lines.splitlines()
        if re.search(r": capture \d+", line)
    ]
    if names:
        yield ok("microphone", f"Devices that record: {', '.join(names)}.")
    else:
        yield note("microphone", "No device that records is attached.", "Plug in a microphone.")


def health() -> Iterator[Finding]:
    """Look at temperature, supply, clock, memory and disk."""
    found = machine()
    yield from _heat(found)
    if found.governor not in {None, "performance"}:
        yield note(
            "governor",
            f"The clock follows the load ({found.governor}); latencies scatter.",
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )
    if found.memory_mb is not None and found.memory_mb < _LEAST_MEMORY_MB:
        yield note(
            "memory", f"This machine has {found.memory_mb:.0f} MiB.", "Use small models; swap."
        )
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < _LEAST_DISK:
        yield problem(
            "disk",
            f"{tempfile.gettempdir()} has {free / 2**20:.0f} MiB left.",
            "Remove files, or set TMPDIR to a folder on another disk.",
        )


def _heat(found: Machine) -> Iterator[Finding]:
    if found.temperature_c is not None and found.temperature_c >= _HOT_C:
        yield problem(
            "temperature",
            f"The processor has {found.temperature_c:.0f} degrees C and slows itself down.",
            "Give it a heat sink or a fan; measure again when it is cool.",
        )
    elif found.temperature_c is not None:
        yield ok("temperature", f"The processor has {found.temperature_c:.0f} degrees C.")
    if found.throttled:
        yield problem(
            "power",
            f"The firmware reports: {', '.join(found.throttled)}.",
            "Use the supply made for this board and a short cable; cool it.",
        )

"""What a number was measured with: statistics of latencies, the machine, versions, digests."""

import ctypes
import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgekit.errors import InputError

MIB = 2**20
_PROC = Path("/proc")
_SYS = Path("/sys")
_TOOL_TIMEOUT_S = 5.0
_CHUNK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Order statistics of repeated measurements, in milliseconds.

    There is no mean: one interruption by another process moves it, and it would be read
    as the typical value.

    Attributes:
        min: The fastest run.
        p5: 5 % of the runs were at least as fast.
        median: The typical run.
        p95: 95 % of the runs were at least as fast.
        p99: 99 % of the runs were at least as fast.
        max: The slowest run.
    """

    min: float
    p5: float
    median: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine that a measurement was made on; None where it does not say.

    Attributes:
        board: Name of the board, e.g. `Raspberry Pi 4 Model B Rev 1.4`.
        cpu: Name of the processor.
        arch: Machine as in `platform.machine()`, e.g. `aarch64`.
        os: Name and version of the system.
        kernel: Release of the kernel.
        python: Version of Python.
        cores: Cores that this process may use.
        memory_mb: Memory of the machine, in MiB.
        governor: What sets the clock, e.g. `ondemand` or `performance`.
        temperature_c: Temperature of the processor in degrees Celsius.
        throttled: What a Raspberry Pi's firmware says of its supply and clock, in words;
            empty if all is well.
        load: Load average of the last minute.
    """

    board: str | None
    cpu: str | None
    arch: str
    os: str
    kernel: str
    python: str
    cores: int
    memory_mb: float | None
    governor: str | None
    temperature_c: float | None
    throttled: tuple[str, ...] | None
    load: float | None


def summarize(ms: Sequence[float]) -> Summary:
    """Return the order statistics of one or more durations.

    Percentiles between two runs are interpolated linearly.

    Args:
        ms: Durations in milliseconds, in any order.

    Raises:
        InputError: There are none, or one is not finite.

    >>> summarize([3.0, 1.0, 2.0]).median
    2.0
    """
    if not len(ms) or not np.isfinite(ms).all():
        msg = f"A summary needs at least one finite duration; found {list(ms)[:5]}."
        raise InputError(msg)
    values = np.percentile(np.asarray(ms, np.float64), [0, 5, 50, 95, 99, 100])
    low, p5, median, p95, p99, high = (float(value) for value in values)
    return Summary(min=low, p5=p5, median=median, p95=p95, p99=p99, max=high)


def machine() -> Machine:
    """Describe this machine, with its temperature and load at this moment."""
    return Machine(
        board=_board(),
        cpu=_cpu_name(),
        arch=platform.machine(),
        os=_os_name(),
        kernel=platform.release(),
        python=platform.python_version(),
        cores=_cores(),
        memory_mb=_memory_mb(),
        governor=_read(_SYS / "devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        temperature_c=_temperature_c(),
        throttled=_throttled(),
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    )


def peak_rss_mb() -> float:
    """Most memory that this process ever held, in MiB; 0 where the system does not say."""
    # getrusage on Linux keeps the peak of the process that started this one.
    kilobytes = _field(_PROC / "self/status", "VmHWM")
    if kilobytes is not None:
        return int(kilobytes.split()[0]) / 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    if sys.platform == "win32":
        return _windows_peak_mb()
    return 0.0


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in names:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def sha256(path: Path) -> str:
    """Return the digest of a file, or of the names and bytes of all files of a folder.

    Raises:
        InputError: There is no such file, or it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        if path.is_dir():
            for file in sorted(each for each in path.rglob("*") if each.is_file()):
                digest.update(file.relative_to(path).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
        else:
            for chunk in _chunks(path):
                digest.update(chunk)
    except OSError as error:
        msg = f"Cannot read {path}: {error.strerror}."
        raise InputError(msg) from error
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _read(path: Path) -> str | None:
    """Return the text of a small system file, or None."""
    try:
        return path.read_bytes().decode(errors="replace").strip("\0 \n") or None
    except OSError:
        return None


def _field(path: Path, name: str) -> str | None:
    """Return the first value of `name : value` lines."""
    for line in (_read(path) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name and value.strip():
            return value.strip()
    return None


def tool(*command: str) -> str | None:
    """Return what a program of the system prints; None if it is missing, late or fails."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            timeout=_TOOL_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _board() -> str | None:
    if sys.platform == "darwin":
        return tool("sysctl", "-n", "hw.model")
    return _read(_PROC / "device-tree/model") or _read(
        _SYS / "devices/virtual/dmi/id/product_name"
    )


def _cpu_name() -> str | None:
    if sys.platform == "darwin":
        return tool("sysctl", "-n", "machdep.cpu.brand_string")
    if sys.platform == "win32":
        return platform.processor() or None
    cpuinfo = _PROC / "cpuinfo"
    return _field(cpuinfo, "model name") or _arm_core(_field(cpuinfo, "CPU part"))


# Arm's part numbers (MIDR) of the cores of the boards that edgekit has profiles for.
_ARM_CORES = {
    "0xb76": "ARM1176",
    "0xc07": "Cortex-A7",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse N1",
    "0xd40": "Neoverse V1",
    "0xd49": "Neoverse N2",
}


def _arm_core(part: str | None) -> str | None:
    return _ARM_CORES.get(part, f"Arm part {part}") if part else None


def _os_name() -> str:
    if sys.platform == "linux":
        with suppress(OSError):
            return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.version()}".strip()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_mb() -> float | None:
    if sys.platform == "win32":
        return _windows_memory_mb()
    if sys.platform == "darwin":
        size = tool("sysctl", "-n", "hw.memsize")
        return int(size) / MIB if size else None
    kilobytes = _field(_PROC / "meminfo", "MemTotal")
    return round(int(kilobytes.split()[0]) / 1024, 1) if kilobytes else None


def _temperature_c() -> float | None:
    """Read the zone of the processor, else the first zone."""
    zones = sorted((_SYS / "class/thermal").glob("thermal_zone*"))
    zones.sort(key=lambda zone: "cpu" not in (_read(zone / "type") or ""))
    for zone in zones:
        text = _read(zone / "temp")
        if text and text.lstrip("-").isdigit():
            return int(text) / 1000
    return None


# Bits of `vcgencmd get_throttled`, from the Raspberry Pi documentation.
_THROTTLE_BITS = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage since boot",
    17: "clock capped since boot",
    18: "throttled since boot",
    19: "soft temperature limit since boot",
}


def _throttled() -> tuple[str, ...] | None:
    answer = tool("vcgencmd", "get_throttled")
    return throttle_flags(answer) if answer else None


def throttle_flags(answer: str) -> tuple[str, ...] | None:
    """Put the answer of `vcgencmd get_throttled` into words.

    >>> throttle_flags("throttled=0x50000")
    ('under-voltage since boot', 'throttled since boot')
    """
    try:
        bits = int(answer.partition("=")[2], 16)
    except ValueError:
        return None
    return tuple(text for bit, text in _THROTTLE_BITS.items() if bits >> bit & 1)


def _windows_memory_mb() -> float | None:
    """Ask GlobalMemoryStatusEx."""

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong),
            ("rest", ctypes.c_ulonglong * 6),
        )

    status = Status(length=ctypes.sizeof(Status))
    kernel = ctypes.CDLL("kernel32")
    return status.total / MIB if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def _windows_peak_mb() -> float:
    """Ask K32GetProcessMemoryInfo."""

    class Counters(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("page_faults", ctypes.c_ulong),
            ("peak", ctypes.c_size_t),
            ("rest", ctypes.c_size_t * 7),
        )

    counters = Counters(length=ctypes.sizeof(Counters))
    kernel = ctypes.CDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    asked = kernel.K32GetProcessMemoryInfo(
        ctypes.c_void_p(kernel.GetCurrentProcess()), ctypes.byref(counters), counters.length
    )
    return counters.peak / MIB if asked else 0.0

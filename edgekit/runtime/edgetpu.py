"""The Coral Edge TPU on this machine: its library, its devices, and what ails them.

Nothing here loads the library; `edgekit.runtime.delegates` does, in a child process first.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import DeviceError, EdgekitError, MissingExtra, TargetError, UsageError
from edgekit.measure import tool

VARIABLE = "EDGEKIT_EDGETPU"

# By `sys.platform`: what is tried, in this order. A bare name is searched by the system.
LIBRARIES: Mapping[str, tuple[str, ...]] = {
    "linux": (
        "libedgetpu.so.1",
        "/usr/lib/aarch64-linux-gnu/libedgetpu.so.1",
        "/usr/lib/arm-linux-gnueabihf/libedgetpu.so.1",
        "/usr/lib/x86_64-linux-gnu/libedgetpu.so.1",
        "/usr/local/lib/libedgetpu.so.1",
    ),
    "darwin": (
        "libedgetpu.1.dylib",
        "/opt/homebrew/lib/libedgetpu.1.dylib",
        "/opt/local/lib/libedgetpu.1.dylib",
        "/usr/local/lib/libedgetpu.1.dylib",
    ),
    "win32": ("edgetpu.dll", r"C:\Windows\System32\edgetpu.dll"),
}

_PLATFORM: str = sys.platform
_SYS = Path("/sys")
_DEV = Path("/dev")
# Vendor and product before the library has put its firmware on the stick, and after.
_USB = {("1a6e", "089a"), ("18d1", "9302")}
_PCI = ("0x1ac1", "0x089a")
_USB_3_MBIT = 5000
_PACKAGES = ("libedgetpu1-std", "libedgetpu1-max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Which build of libedgetpu fits an interpreter package.

    Attributes:
        package: The interpreter package.
        first: Its first version that this is about, as (major, minor).
        version: Version of the build.
        evidence: Who says so.
        source: Where.
    """

    package: str
    first: tuple[int, int]
    version: str
    evidence: str
    source: str


# The last row of a package whose `first` is not above the version decides.
BUILDS = (
    Build(
        package="ai-edge-litert",
        first=(1, 0),
        version="16.0TF2.19.1-1",
        evidence="its maker reports that both run together",
        source="https://github.com/google-ai-edge/LiteRT/issues/3611",
    ),
    Build(
        package="ai-edge-litert",
        first=(2, 0),
        version="16.0TF2.19.1-1",
        evidence="reported for ai-edge-litert 1; of 2 no report is known",
        source="https://github.com/google-ai-edge/LiteRT/issues/3611",
    ),
    Build(
        package="tflite-runtime",
        first=(2, 5),
        version="16.0",
        evidence="Google's own, for TensorFlow 2.5; from 2.12 on it crashes",
        source="https://github.com/google-coral/edgetpu/issues/812",
    ),
    Build(
        package="tflite-runtime",
        first=(2, 12),
        version="16.0TF2.17.1-1",
        evidence="its release names tflite-runtime 2.11 to 2.17",
        source="https://github.com/feranick/libedgetpu/releases",
    ),
    Build(
        package="tf.lite",
        first=(2, 17),
        version="16.0TF2.19.1-1",
        evidence="the last build; of later TensorFlow no report is known",
        source="https://github.com/feranick/libedgetpu/releases",
    ),
)
_MAKER = "github.com/feranick/libedgetpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An Edge TPU that is attached.

    Attributes:
        name: As `--delegate edgetpu:NAME` takes it, e.g. `usb:0`.
        node: File through which it is reached; None if the system made none.
        allowed: Whether this user may read and write that file.
        speed_mbit: Of its USB port; None on PCIe.
    """

    name: str
    node: str | None
    allowed: bool
    speed_mbit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The installed libedgetpu.

    Attributes:
        path: File, or the bare name that the system is asked for.
        package: Debian package that brought it; None if none did.
        version: Version of that package, e.g. `16.0tf2.19.1-1.bookworm`.
    """

    path: str
    package: str | None
    version: str | None


def library_names() -> tuple[str, ...]:
    """What is tried on this system, in order; empty if there is no library for it.

    `EDGEKIT_EDGETPU` names another one.
    """
    named = os.environ.get(VARIABLE)
    return (named,) if named else LIBRARIES.get(_PLATFORM, ())


def existing_names() -> tuple[str, ...]:
    """Those of `library_names` that may load: bare names, and files that exist."""
    return tuple(n for n in library_names() if not _is_path(n) or Path(n).exists())


def _is_path(name: str) -> bool:
    return "/" in name or "\\" in name


def check_device(device: str) -> None:
    """See that a device is named as the library takes it.

    Raises:
        UsageError: It is not.
    """
    if device and not re.fullmatch(r"(usb|pci)?(:\d+)?", device):
        msg = (
            f"No Edge TPU is named '{device}'. Write edgetpu:usb, edgetpu:pci, "
            "edgetpu:usb:0, edgetpu:pci:1 and so on."
        )
        raise UsageError(msg)


def devices() -> tuple[Device, ...]:
    """The Edge TPUs that Linux sees, USB first; empty on other systems."""
    if _PLATFORM != "linux":
        return ()
    return (*_usb_devices(), *_pci_devices())


def _usb_devices() -> list[Device]:
    found: list[Device] = []
    for folder in sorted((_SYS / "bus/usb/devices").glob("*")):
        if (_text(folder / "idVendor"), _text(folder / "idProduct")) not in _USB:
            continue
        bus, number = _number(folder / "busnum"), _number(folder / "devnum")
        node = _DEV / f"bus/usb/{bus or 0:03d}/{number or 0:03d}"
        found.append(_device(f"usb:{len(found)}", node, _number(folder / "speed")))
    return found


def _pci_devices() -> list[Device]:
    cards = [
        folder
        for folder in sorted((_SYS / "bus/pci/devices").glob("*"))
        if (_text(folder / "vendor"), _text(folder / "device")) == _PCI
    ]
    return [_device(f"pci:{i}", _DEV / f"apex_{i}", None) for i in range(len(cards))]


def _device(name: str, node: Path, speed_mbit: int | None) -> Device:
    there = node.exists()
    return Device(
        name=name,
        node=str(node) if there else None,
        allowed=there and os.access(node, os.R_OK | os.W_OK),
        speed_mbit=speed_mbit,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def installed_library() -> Library | None:
    """The libedgetpu that would be loaded, as far as files and packages tell."""
    for package in _PACKAGES:
        if version := _package_version(package):
            return Library(path=library_names()[0], package=package, version=version)
    files = [name for name in existing_names() if _is_path(name)]
    return Library(path=files[0], package=None, version=None) if files else None


def _package_version(package: str) -> str | None:
    """Version of an installed Debian package."""
    said = tool("dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", package)
    status, _, version = (said or "").partition(" ")
    return version or None if status == "installed" else None


def fitting_build(package: str, version: str) -> Build | None:
    """The build of libedgetpu that fits an interpreter; None if none is known.

    >>> fitting_build("tflite-runtime", "2.14.0").version
    '16.0TF2.17.1-1'
    """
    parts = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    rows = [row for row in BUILDS if row.package == package and row.first <= parts]
    return rows[-1] if rows else None


def fits(installed: str, wanted: Build) -> bool:
    """Whether a version of the package is the build that is wanted, or a later one.

    >>> fits("16.0tf2.19.1-1.bookworm", BUILDS[0]), fits("16.0", BUILDS[0])
    (True, False)
    """
    mine, theirs = _tensorflow_of(installed), _tensorflow_of(wanted.version)
    if not theirs:
        return not mine
    return mine >= theirs


def _tensorflow_of(version: str) -> tuple[int, ...]:
    """The TensorFlow that a build was made with; empty for Google's own ones."""
    found = re.search(r"tf(\d+(?:\.\d+)*)", version, re.IGNORECASE)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def build_words(package: str, version: str) -> str:
    """Say which build of libedgetpu an interpreter wants, and how to get it."""
    build = fitting_build(package, version)
    if build is None:
        return f"No build of libedgetpu is known to fit {package} {version}."
    return (
        f"For {package} {version} take build {build.version} ({build.evidence}): "
        f"{_install_words(build)}"
    )


def _install_words(build: Build) -> str:
    tag = build.version
    if "TF" not in tag:
        return (
            "sudo apt install libedgetpu1-std, from Google's package source (coral.ai/software)"
        )
    if _PLATFORM == "linux":
        return (
            f"download libedgetpu1-std of release {tag} from {_MAKER}/releases and "
            "sudo apt install ./libedgetpu1-std_*.deb"
        )
    return f"the file for this system in release {tag} of {_MAKER}"


def missing_library(tried: Mapping[str, str], words: str) -> MissingExtra:
    """Say that no library loads.

    Args:
        tried: Why each of the names did not load.
        words: Which build to install.
    """
    listed = "\n".join(f"  {name}: {why}" for name, why in tried.items())
    named = f" {VARIABLE} names it." if os.environ.get(VARIABLE) else ""
    return MissingExtra(
        f"The delegate edgetpu needs libedgetpu, which does not load.{named}\n{listed}\n"
        f"{words}\nIf it lies elsewhere, name it with {VARIABLE}=/path/to/the/library."
    )


def no_device(device: str, said: str) -> DeviceError:
    """Say why the library has found no device, from what the system shows.

    Args:
        device: The device that was asked for; empty for any.
        said: What the library reported.
    """
    wanted = f"device '{device}' was not found" if device else "no device was found"
    text = " ".join(said.split())
    return DeviceError(
        f"The delegate edgetpu: {wanted} ({text}).\n{_device_words(device, devices())}\n"
        "Run without it: --delegate cpu, and the file before edgetpu_compiler."
    )


def _device_words(device: str, attached: tuple[Device, ...]) -> str:
    if _PLATFORM != "linux" or not attached:
        return (
            "Is it plugged in and powered? `lsusb` shows 1a6e:089a or 18d1:9302, `lspci` "
            "shows 1ac1:089a."
        )
    kind = device.partition(":")[0]
    mine = [each for each in attached if each.name.startswith(kind)]
    names = ", ".join(each.name for each in attached)
    if not mine or (":" in device and device.lstrip(":") not in _short(attached)):
        return f"Attached: {names}. Choose one of them."
    return " ".join(device_problem(each) or f"{each.name} is there: {_BUSY}" for each in mine)


def _short(attached: tuple[Device, ...]) -> set[str]:
    """The names of all devices, and their numbers alone."""
    return {each.name for each in attached} | {str(i) for i in range(len(attached))}


_BUSY = "does another program use it? Unplug it and plug it in again if not."


def device_problem(device: Device) -> str | None:
    """Say what keeps a device from being used and what mends it; None if nothing is seen."""
    if device.node is None and device.name.startswith("pci"):
        return (
            f"{device.name} is in its slot, but its driver is not loaded: install gasket-dkms "
            "(github.com/google/gasket-driver) for this kernel, then: sudo modprobe apex"
        )
    if device.node is None:
        return f"{device.name} is plugged in, but has no device file; give it to the container."
    if device.allowed:
        return None
    if device.name.startswith("pci"):
        return (
            f"{device.name}: this user may not open {device.node}. sudo groupadd -f apex && "
            "sudo usermod -aG apex $USER, a udev rule "
            '(SUBSYSTEM=="apex", MODE="0660", GROUP="apex"), then log in again.'
        )
    return (
        f"{device.name}: this user may not open {device.node}. sudo usermod -aG plugdev $USER, "
        "the udev rule of libedgetpu (60-libedgetpu1-std.rules), then log in again and plug "
        "it in anew."
    )


def slow_port(device: Device) -> str | None:
    """Say that a device hangs on a USB 2 port; None if it does not."""
    if device.speed_mbit is None or device.speed_mbit >= _USB_3_MBIT:
        return None
    return (
        f"{device.name} hangs on a USB 2 port ({device.speed_mbit} Mbit/s) and is several "
        "times slower there; plug it into a USB 3 port (blue), with the cable it came with."
    )


# What libedgetpu and the interpreter say while a compiled model is loaded or run.
_NEWER = (
    r"requires runtime version \((\d+)\), which is newer than this runtime version \((\d+)\)"
)
_LOST = r"USB transfer error|[Uu]sb.*(?:disconnect|not found|No such device)|Deadline exceeded"
_LOST += r"|Device.*(?:lost|closed|unavailable)|HandleQueuedBulkIn|Failed to execute request"
_MISMATCH = r"Unsupported data type in custom op handler|invalid.*[Dd]elegate.*version"
_STATIC = r"delegate that only supports static-sized tensors"
_TWICE = r"[Dd]evice is already in use|Failed to open device|Resource busy"


def of_run(text: str, path: Path, words: str) -> EdgekitError | None:
    """Put into words what the library says of a model or its device; None if it is not its.

    Args:
        text: What the interpreter raised.
        path: The model.
        words: Which build of the library fits the interpreter.
    """
    if found := re.search(_NEWER, text):
        return TargetError(
            f"{path} was compiled for Edge TPU runtime {found[1]}; the installed libedgetpu "
            f"has {found[2]}.\n"
            f"Compile it again with: edgetpu_compiler --min_runtime_version {found[2]}, or "
            f"install a later libedgetpu. {words}"
        )
    if re.search(_STATIC, text):
        return TargetError(
            f"{path} has open sizes, which the Edge TPU does not take.\n"
            "Export it with fixed ones: edgekit convert --target coral-usb"
        )
    if re.search(_MISMATCH, text):
        return MissingExtra(
            "The installed libedgetpu does not fit the interpreter "
            f"({' '.join(text.split())}).\n{words}"
        )
    if re.search(_TWICE, text):
        return DeviceError(
            f"The Edge TPU is in use by another program ({' '.join(text.split())}).\n"
            "End that program, or choose another device: edgetpu:usb:1"
        )
    if re.search(_LOST, text):
        return DeviceError(
            f"The Edge TPU was lost while it ran {path.name} ({' '.join(text.split())}).\n"
            "Is its cable loose, its port too weak (a powered hub helps) or the stick too "
            "hot? Plug it in again, and use libedgetpu1-std, not -max."
        )
    return None

"""Which profile and which Python fit a Linux computer that was asked about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edgekit.bundle.device import MACHINES, Device
from edgekit.errors import MissingExtra, TargetError
from edgekit.targets import Target, load_target

# How the names of boards begin, as their device tree has them; the first that fits.
_BOARDS = {
    "Raspberry Pi 5": "raspberry-pi-5",
    "Raspberry Pi 4": "raspberry-pi-4",
    "Raspberry Pi Zero 2": "raspberry-pi-zero-2w",
    "Raspberry Pi 3": "raspberry-pi-3",
}
# Kernels that run programs of a machine, where it is not only its own.
_KERNELS = {"armv7l": {"armv7l", "armv8l", "aarch64"}}
_ANY_64 = "raspberry-pi-4"  # the wheels are the same for all 64-bit Arm
_ANY_32 = "raspberry-pi-32bit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a computer says about itself.

    Attributes:
        system: Name of its kernel, e.g. `Linux`.
        machine: As `uname -m` has it; a 32-bit system may say `aarch64`, too.
        board: Name of the board; None where nobody says.
        pythons: Its Pythons: program, version and word size, e.g.
            `("python3", "3.11", 64)`.
        cache: The folder that edgekit keeps environments in.
        free_mb: Free space there in MiB; None where nobody says.
        environments: Names of the environments that are there.
    """

    system: str
    machine: str
    board: str | None
    pythons: tuple[tuple[str, str, int], ...]
    cache: str
    free_mb: float | None
    environments: tuple[str, ...]


def read_facts(values: Mapping[str, list[str]]) -> Facts:
    """Read the answers of the script that asks; each name may come more than once."""

    def one(name: str) -> str | None:
        found = [each for each in values.get(name, []) if each]
        return found[0] if found else None

    free = one("free_kb")
    return Facts(
        system=one("system") or "unknown",
        machine=one("machine") or "unknown",
        board=one("board"),
        pythons=tuple(_pythons(values.get("python", []))),
        cache=one("cache") or "",
        free_mb=int(free) / 1024 if free and free.isdigit() else None,
        environments=tuple(values.get("environment", [])),
    )


def _pythons(lines: list[str]) -> list[tuple[str, str, int]]:
    split = [line.split() for line in lines]
    return [
        (each[0], each[1], int(each[2]))
        for each in split
        if len(each) == 3 and each[2].isdigit()
    ]


def choose_device(facts: Facts, where: str, wished: str | None) -> Device:
    """Say what a bundle for the computer must be.

    Args:
        facts: What it says about itself.
        where: Its address, for messages.
        wished: Name of a profile, or a TOML file; None finds out.

    Raises:
        MissingExtra: It has no Python.
        TargetError: It is no Linux computer that edgekit runs on, or has no fitting Python.
        UnknownName: There is no such profile.
    """
    if facts.system != "Linux":
        msg = f"{where} runs {facts.system}; edgekit brings itself to Linux computers only."
        raise TargetError(msg)
    if not facts.pythons:
        msg = (
            f"{where} has no Python, and edgekit needs one there.\n"
            "On Raspberry Pi OS and Debian, once: sudo apt install python3"
        )
        raise MissingExtra(msg)
    bits = facts.pythons[0][2]
    target = load_target(wished) if wished else _find_target(facts, bits, where)
    if target.arch == "any":
        target = replace(target, arch=_find_target(facts, bits, where).arch)
    if facts.machine not in _KERNELS.get(target.arch, {target.arch}):
        msg = (
            f"{where} is a {facts.machine}, and {target.name} is {target.arch}.\n"
            "Leave --target out, or name the profile of that device."
        )
        raise TargetError(msg)
    wanted_bits = MACHINES.get(target.arch)
    for _, version, size in facts.pythons:
        if version in target.runtime.python and size == wanted_bits:
            return Device(target, (version,))
    found = ", ".join(f"{version} ({size} bits)" for _, version, size in facts.pythons)
    known = ", ".join(target.runtime.python) or "none"
    msg = (
        f"{where} has Python {found}. {target.runtime.package} {target.runtime.version} for "
        f"{target.name} needs one of {known} with {wanted_bits or 'other'} bits.\n"
        "Install one of them there, or name another --target."
    )
    raise TargetError(msg)


def _find_target(facts: Facts, bits: int, where: str) -> Target:
    """The profile of the board, else one with the same wheels.

    Raises:
        TargetError: There are no wheels for such a machine.
    """
    if facts.machine == "x86_64" and bits == 64:
        return replace(load_target("host"), arch="x86_64")
    if facts.machine in {"aarch64", "armv7l", "armv8l"}:
        if bits == 32:
            return load_target(_ANY_32)
        board = facts.board or ""
        return load_target(
            next((name for start, name in _BOARDS.items() if board.startswith(start)), _ANY_64)
        )
    msg = (
        f"{where} is a {facts.machine} with {bits}-bit programs; the interpreter is published "
        f"for {', '.join(MACHINES)}."
    )
    raise TargetError(msg)

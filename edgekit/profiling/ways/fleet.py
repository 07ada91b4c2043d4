"""Many devices at once: one record each; one that fails does not stop the others."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import DeviceError, EdgekitError, RecordError, UsageError
from edgekit.profiling.profile import Profile
from edgekit.profiling.ways.address import parse
from edgekit.profiling.ways.table import profile_on
from edgekit.progress import muted, track
from edgekit.records import from_json, read_toml

MARK = "@"
_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A device of a fleet, as its file has it.

    Attributes:
        on: Its address.
        target: Name of its profile, or a TOML file; None finds the board out.
        threads: CPU threads; None takes what the command line says.
        backend: Interpreter package; None takes what the command line says.
        delegate: Accelerator; None takes what the command line says.
    """

    on: str
    target: str | None = None
    threads: int | None = None
    backend: str | None = None
    delegate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What became of one device.

    Attributes:
        name: Its name in the file.
        on: Its address.
        profiles: What was measured, one a model; empty if it failed.
        error: Why it failed, as a message; None if it did not.
        exit_code: What `edgekit profile` alone would have ended with.
    """

    name: str
    on: str
    profiles: tuple[Profile, ...]
    error: str | None
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What was measured on many devices.

    Attributes:
        devices: One each, in the order of the file.
        failed: How many were not measured.
    """

    devices: tuple[Visit, ...]
    failed: int


def read_fleet(path: Path) -> dict[str, Member]:
    """Read a file of devices: one TOML table each, whose name is the device's.

    Raises:
        RecordError: It cannot be read, or a field is missing, unknown or wrong.
        UsageError: An address makes no sense, or there are none.
    """
    values = read_toml(path)
    members = {
        name: from_json(Member, each, f"{path}: [{name}]") for name, each in values.items()
    }
    if not members:
        msg = (
            f'{path} names no device. Give each a table: [kitchen] and on = "ssh://pi@kitchen".'
        )
        raise RecordError(msg)
    for name, member in members.items():
        try:
            parse(member.on)
        except UsageError as error:
            error.args = (f"{path}: [{name}]: {error}",)
            raise
    return members


def profile_fleet(path: str | Path, models: Sequence[str | Path], **how: Any) -> Fleet:
    """Measure models on all devices of a file at once.

    Args:
        path: The file.
        models: The models, on this machine.
        **how: Options of `profile_on`; what the file says of a device comes first.

    Raises:
        RecordError: The file is wrong.
        UsageError: An address makes no sense.
        DeviceError: No device was measured; with each reason.
    """
    members = read_fleet(Path(path))
    with ThreadPoolExecutor(min(_AT_ONCE, len(members))) as pool:
        work = [pool.submit(_visit, *each, models, how) for each in members.items()]
        for _ in track(as_completed(work), "Measuring", len(work), "device"):
            pass
    visits = tuple(each.result() for each in work)
    failed = sum(each.error is not None for each in visits)
    if failed == len(visits):
        reasons = "\n".join(f"{each.name}: {each.error}" for each in visits)
        msg = f"None of the {failed} devices of {path} was measured.\n{reasons}"
        raise DeviceError(msg)
    return Fleet(devices=visits, failed=failed)


def _visit(
    name: str, member: Member, models: Sequence[str | Path], how: dict[str, Any]
) -> Visit:
    own = {
        field: value
        for field in ("target", "threads", "backend", "delegate")
        if (value := getattr(member, field)) is not None
    }
    try:
        with muted():
            profiles = profile_on(member.on, models, alone=False, **how | own)
    except EdgekitError as error:
        return Visit(
            name=name, on=member.on, profiles=(), error=str(error), exit_code=error.exit_code
        )
    return Visit(name=name, on=member.on, profiles=profiles, error=None, exit_code=0)

"""Do an errand on a Linux computer through ssh.

The device needs a Python and an ssh server, no network and no edgekit: a bundle with all that
is needed is sent on the first visit, installed into a folder of its own, and used again on
every later one. Another version of edgekit brings another environment.
"""

import os
import secrets
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit import guard
from edgekit.bundle import environment_bundle, environment_name
from edgekit.bundle.device import Device
from edgekit.bundle.fit import open_candidates, reasons_against
from edgekit.errors import CrashError, EdgekitError, TargetError
from edgekit.files import told
from edgekit.profiling.profile import Profile
from edgekit.profiling.ways.address import Address
from edgekit.profiling.ways.board import choose_device
from edgekit.profiling.ways.errand import Errand
from edgekit.profiling.ways.ssh import problems, scripts
from edgekit.profiling.ways.ssh.connection import Connection, Sent
from edgekit.progress import task
from edgekit.records import from_json

_THERE = "edgekit.profiling.ways.there:work"
_MIB = 2**20
_ROOM = 1.2  # of what is written, for folders and what the file system rounds up
_CONNECTION_BROKE = 255  # ssh's own exit code
_LAST_WORDS = 6

Files = Sequence[tuple[str, Path | bytes, bool]]


def measure(address: Address, errand: Errand) -> tuple[Profile, ...]:
    """Measure the models on the device."""
    found = (from_json(Profile, each, "the profile") for each in call(address, errand))
    return tuple(replace(each, on=address.text) for each in found)


def call(address: Address, errand: Errand) -> Any:
    """Do an errand on the device; the result is plain JSON.

    Raises:
        InputError: A file cannot be used; a crash of the interpreter there is one, too.
        TargetError: The device lacks space, or a fitting Python; or a model does not fit.
        MissingExtra: There is no ssh here, or no Python there.
        DeviceError: The device cannot be reached, or went away.
        EdgekitError: What the function raises there.
    """
    candidates = open_candidates([*errand.files]) if errand.files else []
    with Connection(address, may_ask=errand.alone and _somebody_is_there()) as connection:
        device = choose_device(connection.facts, address.text, errand.target)
        reasons = [why for each in candidates for why in reasons_against(each, device.target)]
        if reasons:
            msg = f"{address.text} cannot run this:\n  " + "\n  ".join(reasons)
            raise TargetError(msg)
        name = _environment(connection, device)
        return _work(connection, name, errand)


def _somebody_is_there() -> bool:
    """Whether ssh may ask for a password: at a terminal, or with a program that asks."""
    asks = os.environ.get("SSH_ASKPASS_REQUIRE") in {"force", "prefer"}
    return asks or (sys.stdin.isatty() and sys.stderr.isatty())


def _environment(connection: Connection, device: Device) -> str:
    """See that the device has the environment of this edgekit, and return its name.

    Raises:
        TargetError: The device lacks space.
        DeviceError: It went away.
        EdgekitError: It cannot be installed there.
    """
    facts, address = connection.facts, connection.address
    name = environment_name(device)
    if name in facts.environments:
        return name
    packed = environment_bundle(device)
    needed = _needed_mb(packed)
    if facts.free_mb is not None and facts.free_mb < needed:
        raise problems.no_space(address, facts.cache, needed, facts.free_mb)
    doing = f"installing edgekit on {address.text}"
    command = connection.command(scripts.INSTALL, facts.cache, name, secrets.token_hex(4))
    with (
        task(doing[0].upper() + doing[1:]),
        told(f"read {packed}"),
        zipfile.ZipFile(packed) as archive,
    ):
        sent = connection.send(_unpacked(archive), command)
    _see_that_it_worked(address, doing, sent)
    return name


def _unpacked(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes, bool]]:
    """The files of a bundle, without the folder that they are in."""
    for info in archive.infolist():
        executable = bool(info.external_attr >> 16 & 0o100)
        yield info.filename.partition("/")[2], archive.read(info), executable


def _needed_mb(packed: Path) -> float:
    """Return what installing a bundle takes: its wheels, and what is in them."""
    total = 0
    with told(f"read {packed}"), zipfile.ZipFile(packed) as archive:
        for info in archive.infolist():
            total += info.file_size
            if info.filename.endswith(".whl"):
                with archive.open(info) as wheel, zipfile.ZipFile(wheel) as inner:
                    total += sum(each.file_size for each in inner.infolist())
    return _ROOM * total / _MIB


def _see_that_it_worked(address: Address, doing: str, sent: Sent) -> None:
    """Turn the end of a step into an error, if it is one.

    Raises:
        TargetError: The disk was full.
        DeviceError: The connection broke.
        EdgekitError: It failed in another way.
    """
    if sent.code == 0:
        return
    if full := problems.step_failed(address, doing, sent.code, sent.said):
        raise full
    if sent.code == _CONNECTION_BROKE:
        raise problems.connection_broke(address, doing)
    words = "\n".join(f"  | {line}" for line in sent.said[-_LAST_WORDS:] if line.strip())
    msg = f"{doing[0].upper()}{doing[1:]} failed (code {sent.code}). It says:\n{words}"
    raise EdgekitError(msg)


def _work(connection: Connection, name: str, errand: Errand) -> Any:
    """Send the files, have the errand done, and take the answer."""
    address = connection.address
    there = (connection.facts.cache, name, secrets.token_hex(4))
    names = {f"{place}/{path.name}": path for place, path in enumerate(errand.files)}
    files: Files = [(each, path, False) for each, path in names.items()]
    with told("read the models"):
        sent = connection.send(files, connection.command(scripts.RECEIVE, *there))
    _see_that_it_worked(address, f"sending models to {address.text}", sent)
    job = guard.job(
        _THERE,
        {
            "function": errand.function,
            "files": list(names),
            "arguments": errand.arguments,
            "folder": f"{there[0]}/job-{there[2]}",
        },
        doing=f"{errand.doing} on {address.text}",
    )
    ending = None
    try:
        ending = guard.converse(connection.command(scripts.WORK, *there), job)
    finally:
        if ending is None or ending.answer is None:
            connection.send([], connection.command(scripts.FORGET, *there))
    return _result(address, ending, errand, {each: str(path) for each, path in names.items()})


def _result(
    address: Address, ending: guard.Ending, errand: Errand, names: dict[str, str]
) -> Any:
    """Return what the device answered, with the names that files have here.

    Raises:
        DeviceError: The connection broke.
        CrashError: Python died there.
        EdgekitError: What was raised there.
    """
    if ending.answer is None and ending.code == _CONNECTION_BROKE:
        raise problems.connection_broke(address, errand.doing)
    if ending.answer is None:
        words = "\n".join(f"  | {line}" for line in ending.last_words[-_LAST_WORDS:])
        msg = (
            f"Python on {address.text} ended with code {ending.code} while {errand.doing}, "
            f"before it gave a result. Is its memory enough?\n{words}"
        )
        raise CrashError(msg)
    try:
        return _named(guard.result(ending.answer), names)
    except EdgekitError as error:
        text = str(error)
        for there, here in names.items():
            text = text.replace(there, here)
        error.args = (f"On {address.text}: {text}",)
        raise


def _named(value: Any, names: dict[str, str]) -> Any:
    """Replace the names that files had on the device."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list):
        return [_named(each, names) for each in value]
    if isinstance(value, dict):
        return {key: _named(each, names) for key, each in value.items()}
    return value

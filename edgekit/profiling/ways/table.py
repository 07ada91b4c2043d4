"""The table of ways in, and what is done through them."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from edgekit.errors import UsageError
from edgekit.profiling.profile import Profile
from edgekit.profiling.ways.address import parse
from edgekit.profiling.ways.errand import MEASURE, Errand

# way -> module with `measure(address, errand)` and, if edgekit runs there, `call`.
WAYS_IN = {
    "local": "edgekit.profiling.ways.local",
    "ssh": "edgekit.profiling.ways.ssh.way",
    "adb": "edgekit.profiling.ways.adb.way",
}


def profile_on(
    on: str,
    models: Sequence[str | Path],
    *,
    target: str | None = None,
    benchmark_model: str | Path | None = None,
    function: str = MEASURE,
    alone: bool = True,
    **how: Any,
) -> tuple[Profile, ...]:
    """Measure models on a device.

    Args:
        on: Its address: `local`, `ssh://user@host:port` or `adb://serial`.
        models: The models, on this machine.
        target: Name of the device's profile, or a TOML file; None finds the board out.
        benchmark_model: The program that measures on a phone; None looks in the cache.
        function: What measures there, as `Errand` has it.
        alone: Whether no other device is at work meanwhile, so that a person may be asked.
        **how: Options of `edgekit.profiling.profile.profile_many`.

    Raises:
        UsageError: The address or an option makes no sense.
        InputError: A model cannot be used there; a crash of the interpreter is one, too.
        TargetError: The device lacks space or a fitting Python.
        MissingExtra: A program is missing, here or there.
        DeviceError: The device cannot be reached, or went away.
    """
    address = parse(on)
    errand = Errand(
        function=function,
        files=tuple(Path(model) for model in models),
        arguments=how,
        target=target,
        benchmark_model=Path(benchmark_model) if benchmark_model else None,
        alone=alone,
    )
    found: tuple[Profile, ...] = way_in(address.way).measure(address, errand)
    return found


def call_on(
    on: str,
    function: str,
    files: Sequence[str | Path] = (),
    *,
    target: str | None = None,
    **arguments: Any,
) -> Any:
    """Call a function of edgekit on a device.

    Args:
        on: As in `profile_on`.
        function: `package.module:name`, as `Errand` has it.
        files: Files on this machine, which are sent along.
        target: As in `profile_on`.
        **arguments: Records or plain JSON values.

    Returns:
        Its result as plain JSON.

    Raises:
        As `profile_on`, and what the function raises there.
    """
    address = parse(on)
    way = way_in(address.way)
    if not hasattr(way, "call"):
        msg = f"edgekit itself does not run on {on}; this works on: local, ssh://user@host."
        raise UsageError(msg)
    errand = Errand(
        function=function,
        files=tuple(Path(file) for file in files),
        arguments=arguments,
        target=target,
    )
    return way.call(address, errand)


def way_in(name: str) -> ModuleType:
    """Import the module of a way."""
    return importlib.import_module(WAYS_IN[name])

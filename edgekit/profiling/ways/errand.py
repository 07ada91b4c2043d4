"""What is to be done on a device, whichever way leads there."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edgekit.profiling.profile import Profile
from edgekit.profiling.ways.address import Address

MEASURE = "edgekit.profiling.profile:profile_many"
MORE = "edgekit.profiling.thorough:measure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A function of edgekit, with files and options.

    Attributes:
        function: `package.module:name`. It takes the paths of the files as its only
            positional argument, if there are any, and returns a record or plain JSON.
        files: Models on this machine, which are sent along.
        arguments: Its keyword arguments: records or plain JSON values.
        target: Name of the device's profile, or a TOML file; None finds the board out.
        benchmark_model: The program that measures on a phone; None looks in the cache.
        alone: Whether no other device is at work meanwhile, so that a person may be asked.
    """

    function: str = MEASURE
    files: tuple[Path, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    benchmark_model: Path | None = None
    alone: bool = True

    @property
    def doing(self) -> str:
        """What is being done, for messages."""
        names = ", ".join(path.name for path in self.files)
        what = "profiling" if self.function in {MEASURE, MORE} else "working"
        return f"{what} {names}".strip()


class Way(Protocol):
    """A module of a way in."""

    def measure(self, address: Address, errand: Errand) -> tuple[Profile, ...]:
        """Measure the models of an errand there."""


def carry_out(function: str, files: list[str], arguments: Mapping[str, Any]) -> Any:
    """Call the function of an errand on the machine that this runs on."""
    module, _, name = function.partition(":")
    called = getattr(importlib.import_module(module), name)
    return called(files, **arguments) if files else called(**arguments)

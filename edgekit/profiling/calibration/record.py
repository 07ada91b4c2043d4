"""What a calibration leaves behind: one small TOML file for each device."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import tomli_w

from edgekit.errors import RecordError
from edgekit.files import atomic_write
from edgekit.profiling.calibration.law import Setting
from edgekit.records import from_json, read_toml, to_json
from edgekit.targets import Target

SCHEMA = 2
_DIGITS = 5  # that numbers in the file have


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The law of one device with one runtime.

    Attributes:
        schema: Of this record.
        target: Name of the target that it stands for.
        device: Board or processor that was timed.
        arch: Machine as in `platform.machine()`.
        runtime: Package and version, e.g. `ai-edge-litert 2.3.0`.
        date: Day of the timing.
        ops_timed: Single operators that were timed.
        nets_timed: Nets that were timed.
        settings: The law, for each number of threads.
        notes: What was unusual.
    """

    schema: int = SCHEMA
    target: str
    device: str
    arch: str
    runtime: str
    date: str
    ops_timed: int
    nets_timed: int
    settings: tuple[Setting, ...]
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            RecordError: It cannot be read, is none, or is of a later schema.
        """
        values = read_toml(path)
        schema = values.get("schema")
        if schema != SCHEMA:
            msg = (
                f"{path} is no calibration of schema {SCHEMA}; its schema is {schema}.\n"
                "Make one with: edgekit calibrate-device"
            )
            raise RecordError(msg)
        found = from_json(cls, values, str(path))
        if not found.settings:
            msg = f"{path} holds no settings. Calibrate again: edgekit calibrate-device"
            raise RecordError(msg)
        return found

    def write(self, path: Path) -> None:
        """Write a file whole or not at all.

        Raises:
            EdgekitError: The folder cannot be written, or the disk is full.
        """
        atomic_write(path, tomli_w.dumps(_short(to_json(self))))

    def check(self, target: Target, path: Path, runtime: str | None = None) -> None:
        """See that it is about a target.

        Args:
            target: The target.
            path: Of the file, for messages.
            runtime: Package and version that run there; None for those of the target.

        Raises:
            RecordError: It was made on another kind of machine, or with another runtime.
        """
        if target.arch not in {"any", self.arch}:
            msg = (
                f"{path} was made on {self.device} ({self.arch}); {target.name} is "
                f"{target.arch}.\nCalibrate on the device: edgekit calibrate-device --on "
                f"ssh://user@host --target {target.name}"
            )
            raise RecordError(msg)
        wanted = runtime or f"{target.runtime.package} {target.runtime.version}"
        if not f"{self.runtime}.".startswith(f"{wanted}."):
            msg = (
                f"{path} was made with {self.runtime}; {target.name} runs {wanted}, whose "
                "kernels may take other times.\nCalibrate again with that version, or leave "
                "--calibration out."
            )
            raise RecordError(msg)


def default_path(target: str) -> Path:
    """Where the calibration of a target is looked for.

    >>> default_path("raspberry-pi-4").name
    'raspberry-pi-4.toml'
    """
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "edgekit" / "calibrations" / f"{target}.toml"


def _short(value: Any) -> Any:
    """Shorten numbers to what they are worth."""
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_short(each) for each in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value

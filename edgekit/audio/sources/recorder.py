"""What every way to a microphone is."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SILENT_S = 2.0  # a microphone that gives nothing for so long is lost


@dataclass(frozen=True, slots=True)
class Device:
    """A microphone.

    Attributes:
        name: What it is called, as `mic:NAME` takes it.
        index: Its number, as `mic:INDEX` takes it.
        channels: How many it has; 0 where that is known only when it is opened.
        rate_hz: The sample rate that it likes best; 0 where that is not known.
        default: Whether `mic` opens it.
    """

    name: str
    index: int
    channels: int
    rate_hz: int
    default: bool


class Line(Protocol):
    """One open way to a microphone."""

    @property
    def rate_hz(self) -> int:
        """The sample rate that it gives, which may be another than was asked for."""

    @property
    def device(self) -> str:
        """What to open to get the same one again; empty for the usual one."""

    def read(self) -> Samples | None:
        """Wait for the next piece, shape (n,), n > 0; None when the microphone is lost."""

    def interrupt(self) -> None:
        """Make a waiting `read` return; any thread may."""

    def close(self) -> None:
        """Let the microphone go."""

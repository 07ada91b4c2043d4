"""What every source of sound is."""

from collections.abc import Generator
from typing import Protocol

from edgekit.audio.chunk import Chunk
from edgekit.live.closing import Closes


class SoundSource(Closes, Protocol):
    """Where sound comes from. Made by `open_sound`, which saw that it gives any."""

    @property
    def live(self) -> bool:
        """Whether it goes on by itself, so that who is slow loses some of it."""

    @property
    def description(self) -> str:
        """What it is, for people."""

    @property
    def sample_rate_hz(self) -> int:
        """The rate of its samples: the one that was asked for."""

    @property
    def lost_s(self) -> float:
        """Seconds of sound that are known to be missing so far."""

    @property
    def length_s(self) -> float | None:
        """Seconds that it will give in all; None where nobody knows, or it has no end."""

    def chunks(self) -> Generator[Chunk, None, None]:
        """Yield the sound in pieces until there is no more; to be called once.

        Raises:
            DeviceError: A microphone was lost for good.
        """

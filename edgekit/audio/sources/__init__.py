"""Where sound comes from: microphones, files, or speech that is carried along."""

from typing import Protocol

from edgekit.audio.sources import file, folder, microphone, synthetic
from edgekit.audio.sources.microphone import list_devices
from edgekit.audio.sources.recorder import Device
from edgekit.audio.sources.source import SoundSource
from edgekit.errors import DataError

__all__ = ["SOURCES", "Device", "SoundSource", "list_devices", "open_sound"]


class SourceModule(Protocol):
    """One kind of source: a module.

    Attributes:
        FORM: How it is written, for messages.
    """

    FORM: str

    def accepts(self, text: str) -> bool:
        """Whether a text names a source of this kind."""

    def open_source(self, text: str, sample_rate_hz: int) -> SoundSource:
        """Open it and see that it gives sound."""


# In this order they are asked.
SOURCES: dict[str, SourceModule] = {
    "synthetic": synthetic,
    "microphone": microphone,
    "folder": folder,
    "file": file,
}


def open_sound(text: str, sample_rate_hz: int) -> SoundSource:
    """Open a source of sound and see that it gives any.

    All but microphones give their sound as fast as it is taken.

    Args:
        text: `mic`, `mic:DEVICE`, a sound file, a folder or pattern of them, or `synthetic`.
        sample_rate_hz: The rate wanted; whatever has another one is resampled.

    Raises:
        DeviceError: There is no such microphone; the text says what was tried.
        MissingExtra: There is no library or program to reach a microphone with.
        DataError: There is no such file, or it cannot be read.
    """
    for kind in SOURCES.values():
        if kind.accepts(text):
            return kind.open_source(text, sample_rate_hz)
    forms = "".join(f"\n  {kind.FORM}" for kind in SOURCES.values())
    msg = f"There is no source '{text}': no such file, and no name of this form:{forms}"
    raise DataError(msg)

"""Microphones through PortAudio, by the library sounddevice."""

import contextlib
import queue
from typing import Any

from edgekit.audio.chunk import CHUNK_S
from edgekit.audio.sources.recorder import SILENT_S, Device, Samples
from edgekit.errors import DeviceError, EdgekitError
from edgekit.extras import need

RATES_HZ = (8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000)

_WHY = "listen to a microphone"


def lacks() -> EdgekitError | None:
    """Say what is missing for it; None if nothing is."""
    try:
        _library()
    except EdgekitError as error:
        return error
    return None


def list_devices() -> tuple[Device, ...]:
    """List the microphones."""
    library = _library()
    usual = library.default.device[0]
    return tuple(
        Device(
            str(each["name"]),
            int(each["index"]),
            int(each["max_input_channels"]),
            int(each["default_samplerate"]),
            each["index"] == usual,
        )
        for each in library.query_devices()
        if each["max_input_channels"] > 0
    )


def connect(device: str, rate_hz: int, *, again: bool = False) -> "PortAudioLine":
    """Open a microphone.

    Args:
        device: Its number or a part of its name; empty for the usual one.
        rate_hz: The sample rate wanted.
        again: Whether it was lost: PortAudio knows only devices that were there when it
            was loaded, so it is loaded anew.

    Raises:
        DeviceError: There is none, or it cannot be opened; the text says what was found.
    """
    library = _library()
    if again:
        with _refusals(library, device):
            library._terminate()  # noqa: SLF001 (sounddevice has no other way)
            library._initialize()  # noqa: SLF001
    return PortAudioLine(library, device, rate_hz)


class PortAudioLine:
    """An open microphone.

    Args:
        library: The module sounddevice.
        device: Its number or a part of its name; empty for the usual one.
        rate_hz: The sample rate wanted; the nearest one that is offered is taken.

    Raises:
        DeviceError: There is none, or it cannot be opened.
    """

    def __init__(self, library: Any, device: str, rate_hz: int) -> None:
        self._pieces: queue.SimpleQueue[Samples | None] = queue.SimpleQueue()
        self._failure: type[Exception] = library.PortAudioError
        with _refusals(library, device):
            found = library.query_devices(
                int(device) if device.isdecimal() else device or None, "input"
            )
            self.device = str(found["name"]) if device else ""
            self.rate_hz, channels = _offered(library, found, rate_hz)
            self._stream = library.InputStream(
                device=found["index"],
                samplerate=self.rate_hz,
                channels=channels,
                dtype="float32",
                blocksize=round(CHUNK_S * self.rate_hz),
                latency="high",
                callback=self._take,
                finished_callback=self.interrupt,
            )
            self._stream.start()

    def read(self) -> Samples | None:
        """Wait for the next piece; None when none comes any more."""
        try:
            return self._pieces.get(timeout=SILENT_S)
        except queue.Empty:
            return None

    def interrupt(self) -> None:
        """Make `read` return None."""
        self._pieces.put(None)

    def close(self) -> None:
        """Let the microphone go."""
        with contextlib.suppress(self._failure):
            self._stream.abort()
        self._stream.close(ignore_errors=True)

    def _take(self, heard: Any, _count: int, _time: Any, _status: Any) -> None:
        """Keep what PortAudio gives; called by its own thread."""
        self._pieces.put(heard.mean(axis=1) if heard.shape[1] > 1 else heard[:, 0].copy())


def _offered(library: Any, found: Any, rate_hz: int) -> tuple[int, int]:
    """Return the sample rate and the number of channels to ask a microphone for.

    Raises:
        DeviceError: It offers nothing of use.
    """
    usual = int(found["default_samplerate"])
    for rate in nearest(rate_hz, usual):
        for channels in sorted({1, 2, int(found["max_input_channels"])}):
            if channels > found["max_input_channels"]:
                continue
            with contextlib.suppress(library.PortAudioError):
                library.check_input_settings(
                    device=found["index"], channels=channels, dtype="float32", samplerate=rate
                )
                return rate, channels
    msg = (
        f"The microphone {found['name']} cannot be opened at any sample rate of "
        f"{', '.join(map(str, RATES_HZ))} Hz.\nDoes another program use it?"
    )
    raise DeviceError(msg)


def nearest(rate_hz: int, usual: int) -> list[int]:
    """Order sample rates: the one wanted, higher ones, then lower ones, which lose sound.

    >>> nearest(16000, 48000)[:4]
    [16000, 22050, 24000, 32000]
    """
    rates = sorted({rate_hz, usual, *RATES_HZ})
    higher = [rate for rate in rates if rate >= rate_hz]
    return higher + [rate for rate in reversed(rates) if rate < rate_hz]


@contextlib.contextmanager
def _refusals(library: Any, device: str) -> Any:
    """Turn what PortAudio raises into words."""
    try:
        yield
    except (library.PortAudioError, ValueError) as error:
        asked = f"The microphone '{device}'" if device else "The microphone"
        there = "\n".join(f"  {each.index}: {each.name}" for each in list_devices())
        msg = f"{asked} cannot be opened: {error}.\n" + (
            f"Found:\n{there}\nName one with: --source mic:NUMBER"
            if there
            else "PortAudio found no microphone at all. Is one attached? `arecord -l` lists "
            "those that the system knows; to try without one: --source synthetic"
        )
        raise DeviceError(msg) from error


def _library() -> Any:
    """Return the module sounddevice.

    Raises:
        MissingExtra: It is not installed.
        DeviceError: The library of the system that it needs is not.
    """
    try:
        return need("sounddevice", _WHY)
    except OSError as error:
        msg = (
            f"sounddevice is installed, but not the library PortAudio: {error}.\n"
            "Install it with: sudo apt install libportaudio2"
        )
        raise DeviceError(msg) from error

"""Microphones: what they hear, with every sample that is missing counted."""

import logging
import re
import threading
import time
from collections.abc import Generator, Iterator
from typing import Protocol

from edgekit.audio.chunk import CHUNK_S, Chunk
from edgekit.audio.sources import arecord, portaudio
from edgekit.audio.sources.clock import SampleClock
from edgekit.audio.sources.recorder import Device, Line, Samples
from edgekit.audio.sources.source import SoundSource
from edgekit.data.resample import Resampler
from edgekit.errors import DeviceError, EdgekitError
from edgekit.live.closing import Closing
from edgekit.live.newest import Newest
from edgekit.live.reopen import reopen

FORM = "mic: a microphone; mic:2 or mic:USB by its number or a part of its name"
WAITING_S = 2.0  # of sound that waits for who is slow; what is older is lost
PATIENCE_S = 8.0  # longer than any reading may take
MUTE_S = 5.0  # of nothing but zeros: no room is so silent

_NAME = re.compile(r"mic(?::(.+))?", re.DOTALL)
_log = logging.getLogger(__name__)


class Recorder(Protocol):
    """One way to microphones: a module."""

    def lacks(self) -> EdgekitError | None:
        """Say what is missing for it; None if nothing is."""

    def list_devices(self) -> tuple[Device, ...]:
        """List the microphones."""

    def connect(self, device: str, rate_hz: int, *, again: bool = False) -> Line:
        """Open a microphone."""


# In this order they are tried.
RECORDERS: dict[str, Recorder] = {"sounddevice": portaudio, "arecord": arecord}


def accepts(text: str) -> bool:
    """Whether it names a microphone."""
    return _NAME.fullmatch(text) is not None


def open_source(text: str, sample_rate_hz: int) -> SoundSource:
    """Open a microphone.

    Args:
        text: `mic`, or `mic:DEVICE` with a number or a part of a name.
        sample_rate_hz: The rate wanted.

    Raises:
        DeviceError: There is none, or it gives no sound; the text says what was tried.
        MissingExtra: There is no library or program to reach one with.
    """
    match = _NAME.fullmatch(text)
    return Microphone(find_recorder(), (match and match[1]) or "", sample_rate_hz)


def list_devices() -> tuple[Device, ...]:
    """List the microphones of this computer.

    Raises:
        DeviceError: A library of the system is missing.
        MissingExtra: There is no library or program to reach one with.
    """
    return find_recorder().list_devices()


def find_recorder() -> Recorder:
    """Return the first way to microphones for which nothing is missing.

    Raises:
        DeviceError: A library of the system is missing.
        MissingExtra: There is no library or program to reach one with.
    """
    problems: list[EdgekitError] = []
    for name, recorder in RECORDERS.items():
        problem = recorder.lacks()
        if problem is None:
            if problems:
                _log.info("The microphone is reached with %s: %s", name, problems[0])
            return recorder
        problems.append(problem)
    first, *rest = problems
    raise type(first)("\n".join([str(first), *(f"Or: {each}" for each in rest)])) from first


class Microphone(Closing):
    """What a microphone hears.

    Time is that of the samples. Whatever is missing counts in it: samples that the system
    lost, the time that the microphone was away, and those that nobody took in time.

    Args:
        recorder: The way to it.
        device: Its number or name; empty for the usual one.
        sample_rate_hz: The rate wanted.

    Raises:
        DeviceError: It cannot be opened, or gives no sound.
    """

    live = True
    length_s = None

    def __init__(self, recorder: Recorder, device: str, sample_rate_hz: int) -> None:
        self.description = f"microphone {device}" if device else "microphone"
        self.sample_rate_hz = sample_rate_hz
        self._recorder = recorder
        self._device = device
        self._over = threading.Event()
        self._closing = threading.Lock()
        self._closed = False
        self._lost = 0
        self._line, first = self._open(again=False)
        self._device = self._line.device
        if self._line.rate_hz != sample_rate_hz:
            _log.warning(
                "%s does not offer %d Hz; it gives %d Hz, which are resampled.",
                self.description,
                sample_rate_hz,
                self._line.rate_hz,
            )
        self._heard = Newest(
            self._pieces(first),
            name=f"sound of {self.description}",
            keep=round(WAITING_S / CHUNK_S),
        )

    @property
    def lost_s(self) -> float:
        """Seconds that are missing between the pieces so far."""
        return self._lost / self.sample_rate_hz

    def chunks(self) -> Generator[Chunk, None, None]:
        """Yield what was heard, the oldest that still waits first."""
        ended, slow = 0, False
        while (found := self._heard.take()) is not None:
            begin, samples = found
            lost, ended = begin - ended, begin + samples.size
            self._lost += lost
            if self._heard.dropped and not slow:
                slow = True
                _log.warning(
                    "What %s hears is not taken fast enough: more than %g s waited, and the "
                    "oldest is lost. Losses are counted and not said again.",
                    self.description,
                    WAITING_S,
                )
            yield Chunk(begin / self.sample_rate_hz, samples, lost)

    def close(self) -> None:
        """Let the microphone go; a second call does nothing."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            ended = self._heard.close(self._interrupt, PATIENCE_S)
            if ended:
                self._line.close()
        if not ended:
            _log.warning("%s does not answer; it is left as it is.", self.description)

    def _interrupt(self) -> None:
        self._over.set()
        self._line.interrupt()

    def _open(self, *, again: bool) -> tuple[Line, Samples]:
        """Open the microphone and wait for its first piece.

        Raises:
            DeviceError: It cannot be opened, or gives none.
        """
        line = self._recorder.connect(self._device, self.sample_rate_hz, again=again)
        samples = line.read()
        if samples is None:
            line.close()
            msg = (
                f"The {self.description} was opened, and gave no sound.\n"
                "Is it in use by another program, or still waking up?"
            )
            raise DeviceError(msg)
        return line, samples

    def _pieces(self, first: Samples) -> Iterator[tuple[int, Samples]]:
        """Yield pieces, each with the place of its first sample; run by a thread."""
        clock, mute, said = SampleClock(self.sample_rate_hz), True, False
        for samples, back in self._resampled(first):
            lost = clock.count(samples.size, time.monotonic(), after_break=back)
            if lost and not back and not said:
                said = True
                _log.warning(
                    "%s gave %.2f s of sound less than time went by: samples are lost. Is the "
                    "computer too busy? Losses are counted and not said again.",
                    self.description,
                    lost / self.sample_rate_hz,
                )
            if mute:
                mute = not samples.any()
                if (
                    mute
                    and clock.position - samples.size
                    < MUTE_S * self.sample_rate_hz
                    <= clock.position
                ):
                    _log.warning("%s gives nothing but silence: is it muted?", self.description)
            yield clock.position - samples.size, samples

    def _resampled(self, first: Samples | None) -> Iterator[tuple[Samples, bool]]:
        """Yield what is heard at the rate wanted, through all losses of the microphone.

        Yields:
            A piece, and whether the microphone was away before it.

        Raises:
            DeviceError: It was lost for good.
        """
        back = False
        while first is not None:
            resampler = Resampler(self._line.rate_hz, self.sample_rate_hz)
            heard: Samples | None = first
            while heard is not None:
                if (samples := resampler.push(heard)).size:
                    yield samples, back
                    back = False
                heard = None if self._over.is_set() else self._line.read()
            first = None if self._over.is_set() else self._again()
            back = True

    def _again(self) -> Samples | None:
        """Open it again, with longer and longer waits; None if nobody wants it any more."""
        self._line.close()
        found = reopen(lambda: self._open(again=True), self.description, self._over)
        if found is None:
            return None
        self._line, first = found
        return first

"""What test_keywords.py runs in guarded children: microphones that are none."""

import ctypes
import time
from collections.abc import Generator
from typing import Any, Self
from unittest import mock

import numpy as np
from tiny_spotters import RATE, silence, tone

from edgekit.audio.chunk import Chunk
from edgekit.audio.sources.source import SoundSource
from edgekit.audio.spotter import open_spotter
from edgekit.records import from_json
from edgekit_demos import listen
from edgekit_demos.keywords import Request, Run

SIZE = RATE // 20


class Microphone:
    """Hears one word a second, in real time, until it is closed."""

    live = True
    description = "stand-in"
    length_s = None
    lost_s = 0.25

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._over = False

    def chunks(self) -> Generator[Chunk, None, None]:
        second = np.concatenate([silence(0.4), tone("low"), silence(0.3)])
        number = 0
        while not self._over:
            at = number * SIZE % RATE
            yield Chunk(number * SIZE / RATE, second[at : at + SIZE])
            number += 1
            time.sleep(0.05)

    def close(self) -> None:
        self._over = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Dying(Microphone):
    """One whose library crashes."""

    def chunks(self) -> Generator[Chunk, None, None]:
        yield next(super().chunks())
        ctypes.string_at(0)


SOURCES = {"dying": Dying}


def worker(request: dict[str, Any]) -> Run:
    """Do what the demo does, with a stand-in for the microphone."""
    wishes = from_json(Request, request, "the request")

    def open_sound(text: str, sample_rate_hz: int) -> SoundSource:
        return SOURCES.get(text, Microphone)(sample_rate_hz)

    with mock.patch.object(listen, "open_sound", open_sound):
        return listen.listen(wishes, open_spotter(wishes.model, **wishes.opening()))

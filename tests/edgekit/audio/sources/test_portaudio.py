"""Microphones through PortAudio; a library that stands in for it says what there is."""

import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgekit.audio.sources import portaudio
from edgekit.audio.sources.recorder import Device
from edgekit.errors import DeviceError, MissingExtra

FOUND = [
    {"name": "HDMI", "max_input_channels": 0, "default_samplerate": 44_100.0},
    {"name": "USB Mic", "max_input_channels": 1, "default_samplerate": 48_000.0},
    {"name": "Array", "max_input_channels": 4, "default_samplerate": 16_000.0},
]


class PortAudioError(Exception):
    """As sounddevice has it."""


class Stream:
    """Gives what it is told to its callback."""

    def __init__(self, **asked: Any) -> None:
        self.asked = asked
        self.began = False
        self.closed = 0

    def start(self) -> None:
        self.began = True

    def give(self, samples: Any) -> None:
        self.asked["callback"](samples, len(samples), None, 0)

    def abort(self) -> None:
        if self.closed:
            raise PortAudioError

    def close(self, *, ignore_errors: bool) -> None:
        assert ignore_errors
        self.closed += 1


class Library(ModuleType):
    """What of sounddevice is used."""

    def __init__(self, offers: Callable[[int, int, int], bool] = lambda *_: True) -> None:
        super().__init__("sounddevice")
        self.PortAudioError = PortAudioError
        self.devices: list[dict[str, Any]] = [
            {"index": index, **each} for index, each in enumerate(FOUND)
        ]
        self.default = SimpleNamespace(device=(1, 0))
        self.offers = offers
        self.streams: list[Stream] = []
        self.loaded = 1

    def query_devices(self, device: int | str | None = None, kind: str = "") -> Any:
        if not kind:
            return self.devices
        known = [each for each in self.devices if each["max_input_channels"]]
        if device is None:
            device = self.default.device[0]
        for each in known:
            if device in {each["index"], each["name"]}:
                return each
        msg = f"No input device matching {device!r}"
        raise ValueError(msg)

    def check_input_settings(
        self, *, device: int, channels: int, samplerate: int, dtype: str
    ) -> None:
        assert dtype == "float32"
        if not self.offers(device, channels, samplerate):
            raise PortAudioError

    def InputStream(self, **asked: Any) -> Stream:  # noqa: N802 (sounddevice's name)
        self.streams.append(Stream(**asked))
        return self.streams[-1]

    def _terminate(self) -> None:
        self.loaded -= 1

    def _initialize(self) -> None:
        self.loaded += 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    stand_in = Library()
    monkeypatch.setitem(sys.modules, "sounddevice", stand_in)
    return stand_in


def test_microphones_are_listed_and_loudspeakers_not(library: Library) -> None:
    assert portaudio.lacks() is None
    assert portaudio.list_devices() == (
        Device("USB Mic", 1, 1, 48_000, default=True),
        Device("Array", 2, 4, 16_000, default=False),
    )
    assert library.loaded == 1


@pytest.mark.parametrize(
    ("asked", "index", "remembered"),
    [("", 1, ""), ("2", 2, "Array"), ("USB Mic", 1, "USB Mic")],
    ids=["the usual one", "by number", "by name"],
)
def test_a_microphone_is_found_again_by_its_name(
    library: Library, asked: str, index: int, remembered: str
) -> None:
    line = portaudio.connect(asked, 16_000)
    assert library.streams[0].asked["device"] == index
    assert library.streams[0].began
    assert line.device == remembered
    line.close()
    portaudio.connect(line.device, 16_000, again=True).close()
    assert library.streams[1].asked["device"] == index
    assert library.loaded == 1


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        pytest.param({16_000, 48_000}, 16_000, id="what was asked for"),
        pytest.param({8000, 44_100, 48_000}, 44_100, id="the nearest that loses nothing"),
        pytest.param({8000, 11_025}, 11_025, id="else the highest"),
    ],
)
def test_the_nearest_rate_is_taken(library: Library, offered: set[int], taken: int) -> None:
    library.offers = lambda _device, channels, rate: channels == 1 and rate in offered
    line = portaudio.connect("", 16_000)
    assert line.rate_hz == library.streams[0].asked["samplerate"] == taken
    assert library.streams[0].asked["blocksize"] == round(taken * 0.05)


def test_channels_are_averaged_where_one_alone_is_not_offered(library: Library) -> None:
    library.offers = lambda _device, channels, _rate: channels == 4
    line = portaudio.connect("2", 16_000)
    library.streams[0].give(np.array([[0.4, 0, 0, 0], [0, 0.8, 0, 0]], np.float32))
    found = line.read()
    assert found is not None
    assert found == pytest.approx([0.1, 0.2])
    assert found.dtype == np.float32


def test_what_portaudio_gives_is_copied(library: Library) -> None:
    line = portaudio.connect("", 16_000)
    buffer = np.full((3, 1), 0.5, np.float32)
    library.streams[0].give(buffer)
    buffer[:] = 0
    assert line.read() == pytest.approx([0.5, 0.5, 0.5])


def test_a_microphone_that_gives_nothing_more_is_lost(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "SILENT_S", 0.05)
    line = portaudio.connect("", 16_000)
    assert line.read() is None
    library.streams[0].asked["finished_callback"]()
    monkeypatch.setattr(portaudio, "SILENT_S", 30)
    assert line.read() is None
    line.close()
    line.close()


@pytest.mark.parametrize("asked", ["Bluetooth", "0", "99"])
def test_an_unknown_microphone_is_refused_and_those_there_are_named(
    library: Library, asked: str
) -> None:
    with pytest.raises(DeviceError, match=rf"'{asked}' cannot be opened(?s:.*)1: USB Mic"):
        portaudio.connect(asked, 16_000)
    assert not library.streams


def test_where_there_is_none_at_all_it_is_said(library: Library) -> None:
    library.devices = library.devices[:1]
    with pytest.raises(DeviceError, match="found no microphone at all"):
        portaudio.connect("", 16_000)


def test_a_microphone_without_any_usable_rate_is_refused(library: Library) -> None:
    library.offers = lambda *_: False
    with pytest.raises(DeviceError, match=r"USB Mic cannot be opened at any sample rate"):
        portaudio.connect("", 16_000)


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    lacks = portaudio.lacks()
    assert isinstance(lacks, MissingExtra)
    assert "edgekit[audio]" in str(lacks)


def test_missing_portaudio_itself_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> ModuleType:
        msg = "PortAudio library not found"
        raise OSError(msg)

    monkeypatch.setattr(portaudio, "need", fail)
    lacks = portaudio.lacks()
    assert isinstance(lacks, DeviceError)
    assert "sudo apt install libportaudio2" in str(lacks)

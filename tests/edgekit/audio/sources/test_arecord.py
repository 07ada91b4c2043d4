"""Microphones through arecord; a program of that name stands in for it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.audio.sources import arecord
from edgekit.audio.sources.recorder import Device
from edgekit.errors import DeviceError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="arecord is Linux's")

CARDS = """\
**** List of CAPTURE Hardware Devices ****
card 1: Device [USB Audio Device], device 0: USB Audio [USB Audio]
  Subdevices: 1/1
card 2: seeed2micvoicec [seeed-2mic-voicecard], device 1: wm8960-hifi-0 [wm8960-hifi-0]
"""
RAMP = np.arange(-4000, 4000, dtype="<i2")


class Program:
    """A program `arecord` that notes what it was asked and does what a script says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ramp").write_bytes(RAMP.tobytes())
        (folder / "cards").write_text(CARDS)

    def does(self, *lines: str) -> None:
        path = self.folder / "arecord"
        path.write_text("\n".join(["#!/bin/sh", f"cd {self.folder}", *lines]))
        path.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().split()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    made = Program(tmp_path)
    made.does('echo "$@" > asked', "cat ramp", "exec sleep 30")
    return made


def test_samples_come_in_pieces_as_arecord_gives_them(program: Program) -> None:
    line = arecord.connect("", 16_000)
    pieces = [line.read() for _ in range(10)]
    line.close()
    found = np.concatenate([each for each in pieces if each is not None])
    assert np.array_equal(found, RAMP / np.float32(32_768))
    assert found.dtype == np.float32
    assert {each.size for each in pieces if each is not None} == {800}
    assert (line.rate_hz, line.device) == (16_000, "")
    assert "-r 16000" in " ".join(program.asked)
    assert "-D" not in program.asked


@pytest.mark.parametrize(
    ("device", "asked"),
    [("hw:1,0", "hw:1,0"), ("0", "default"), ("2", "plughw:CARD=seeed2micvoicec,DEV=1")],
)
def test_a_device_has_a_name_or_a_number(program: Program, device: str, asked: str) -> None:
    program.does('[ "$1" = -l ] && exec cat cards', 'echo "$@" > asked', "exec cat ramp")
    line = arecord.connect(device, 16_000)
    line.close()
    assert program.asked[-2:] == ["-D", asked]
    assert line.device == asked


def test_microphones_are_listed(program: Program) -> None:
    program.does("exec cat cards")
    assert arecord.lacks() is None
    assert arecord.list_devices() == (
        Device("default", 0, 0, 0, default=True),
        Device("plughw:CARD=Device,DEV=0", 1, 0, 0, default=False),
        Device("plughw:CARD=seeed2micvoicec,DEV=1", 2, 0, 0, default=False),
    )
    program.does("echo 'arecord: device_list:277: no soundcards found...' >&2; exit 1")
    assert arecord.list_devices() == ()


def test_an_unknown_number_is_refused_and_those_there_are_named(program: Program) -> None:
    program.does("exec cat cards")
    with pytest.raises(DeviceError, match=r"no microphone 7(?s:.*)1: plughw:CARD=Device"):
        arecord.connect("7", 16_000)


def test_another_rate_of_the_microphone_is_noticed(program: Program) -> None:
    warning = "Warning: rate is not accurate (requested = 16000Hz, got = 48000Hz)"
    program.does(f"echo '{warning}' >&2", "cat ramp", "exec sleep 30")
    line = arecord.connect("hw:1,0", 16_000)
    line.close()
    assert line.rate_hz == 48_000


def test_what_arecord_says_is_passed_on(program: Program) -> None:
    program.does(
        "echo 'ALSA lib pcm.c:2666: Unknown PCM hw:9' >&2",
        "echo 'arecord: main:831: audio open error: No such device' >&2",
        "exit 1",
    )
    with pytest.raises(DeviceError, match=r"'hw:9' cannot .* audio open error") as caught:
        arecord.connect("hw:9", 16_000)
    assert "ALSA lib" not in str(caught.value)


def test_a_microphone_that_ends_or_gives_nothing_more_is_lost(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arecord, "SILENT_S", 0.5)
    for last in ("true", "exec sleep 30"):
        program.does("cat ramp", last)
        line = arecord.connect("", 16_000)
        assert sum(line.read() is not None for _ in range(12)) == 10
        line.close()
        line.close()


def test_interrupting_ends_who_waits(program: Program) -> None:
    program.does("head -c 1600 ramp", "exec sleep 30")
    line = arecord.connect("", 16_000)
    assert line.read() is not None
    line.interrupt()
    assert line.read() is None
    line.close()


def test_a_missing_program_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "sudo apt install alsa-utils" in str(arecord.lacks())

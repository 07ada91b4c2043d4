"""A real path of sound: a file played into a sound server, a microphone on its other side."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any

import hear
import numpy as np
import pytest
import soundfile
from demo_runs import command, edgekit, wait_for
from numpy.typing import NDArray
from pulse import Pulse, pulse, usable
from tiny_spotters import silence, tone, write_sound, write_words

from edgekit.audio.sources.synthetic import WORDS, Synthetic
from edgekit.errors import DeviceError
from edgekit_demos.models import model_names

pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(not usable(), reason="PulseAudio and arecord are not installed"),
]
RATE = hear.RATE_HZ
needs_sounddevice = pytest.mark.skipif(
    find_spec("sounddevice") is None, reason="sounddevice is not installed"
)
RECORDERS = [pytest.param("sounddevice", marks=needs_sounddevice), "arecord"]
PIECE = RATE // 10


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Pulse]:
    with pulse(tmp_path) as running:
        yield running


class Listener:
    """A process that listens."""

    def __init__(self, server: Pulse, recorder: str, seconds: float, folder: Path) -> None:
        self._path = folder / "heard.npz"
        self._process = subprocess.Popen(
            [sys.executable, hear.__file__, recorder, str(seconds), str(self._path)],
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def ended(self) -> tuple[dict[str, NDArray[np.float64]], str]:
        """Wait for its end; return what it heard and what it said."""
        _, said = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, said
        with np.load(self._path) as found:
            return dict(found), said


def matches(heard: NDArray[np.float64], played: NDArray[np.int16]) -> float:
    """Return the share of tenths of a second that were heard bit for bit."""
    whole = np.rint(heard * 2**15).astype(np.int16).tobytes()
    pieces = np.split(played, range(PIECE, played.size, PIECE))
    return float(np.mean([piece.tobytes() in whole for piece in pieces]))


@pytest.mark.parametrize("recorder", RECORDERS)
def test_what_is_played_is_heard_bit_for_bit(
    server: Pulse, recorder: str, tmp_path: Path
) -> None:
    played = np.random.default_rng(0).integers(-9000, 9000, 2 * RATE).astype(np.int16)
    soundfile.write(tmp_path / "noise.wav", played, RATE)
    listener = Listener(server, recorder, 3.5, tmp_path)
    server.play(tmp_path / "noise.wav").wait(30)
    heard, _ = listener.ended()
    # Some may be lost where this very machine is busy.
    assert matches(heard["heard"], played) >= (0.9 if server.urgent else 0.5)


@pytest.mark.parametrize("recorder", RECORDERS)
def test_a_microphone_that_disappears_comes_back_and_its_absence_is_counted(
    recorder: str, tmp_path: Path
) -> None:
    with pulse(tmp_path) as first:
        listener = Listener(first, recorder, 6.0, tmp_path)
        time.sleep(1.0)
    time.sleep(0.5)
    begun = time.monotonic()
    with pulse(tmp_path):
        heard, said = listener.ended()
        seconds = time.monotonic() - begun
    assert "microphone was lost; it is opened again in 0.5 s." in said
    assert "microphone is back after" in said
    assert 0.5 < heard["lost_s"] < 5
    assert heard["lost"].sum() == pytest.approx(heard["lost_s"] * RATE)
    assert heard["t"][-1] == pytest.approx(
        (heard["heard"].size + heard["lost"].sum()) / RATE, abs=0.1
    )
    assert seconds < 6


def spoken_words(seconds: float, path: Path) -> list[str]:
    """Write spoken words into a file and return those that are to be found."""
    source = Synthetic(RATE)
    pieces = []
    for chunk in source.chunks():
        pieces.append(chunk.samples)
        if chunk.t > seconds:
            source.close()
    soundfile.write(path, np.concatenate(pieces), RATE)
    spoken = takewhile(lambda each: each.end < seconds, source.spoken())
    return [each.word for each in spoken if each.word in WORDS]


def events_of(
    server: Pulse, played: Path, folder: Path, *options: object
) -> list[dict[str, Any]]:
    """Run the demo while a file is played, and return the lines that it wrote."""
    seconds = soundfile.info(played).duration + 2
    lines = folder / "lines"
    demo = subprocess.Popen(
        command(
            *("keywords", "--source", "mic", "--seconds", seconds, "--jsonl", lines, *options)
        ),
        env=server.environment,
    )
    wait_for(server.heard)
    server.play(played).wait(60)
    assert demo.wait(60) == 0
    return [json.loads(line) for line in lines.read_text().splitlines()]


def test_the_demo_hears_what_is_played(server: Pulse, tmp_path: Path) -> None:
    model = write_words(tmp_path / "tones.tflite")
    parts = [silence(1.0), tone("low"), silence(1.5), tone("high"), silence(0.5)]
    talk = write_sound(tmp_path / "talk.wav", np.concatenate(parts))
    events = events_of(server, talk, tmp_path, "--model", model)
    assert [each["keyword"] for each in events] == ["low", "high"]
    assert events[1]["t"] - events[0]["t"] == pytest.approx(1.8, abs=0.2)


@pytest.mark.slow
@pytest.mark.skipif("words" not in model_names(), reason="no model of words is carried")
def test_the_demo_hears_the_words_that_are_played(server: Pulse, tmp_path: Path) -> None:
    spoken = spoken_words(48.0, tmp_path / "words.wav")
    events = [each["keyword"] for each in events_of(server, tmp_path / "words.wav", tmp_path)]
    found = sum(min(events.count(word), spoken.count(word)) for word in WORDS)
    assert found >= 0.75 * len(spoken), f"heard {events} of {spoken}"
    assert len(events) - found <= 2, f"heard {events} of {spoken}"


def test_microphones_are_listed(server: Pulse) -> None:
    done = edgekit("keywords", "--list-devices", "--json", environment=server.environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["devices"]
    assert [each["default"] for each in found].count(True) == 1


def test_no_microphone_at_all_is_one_message(server: Pulse, tmp_path: Path) -> None:
    model = write_words(tmp_path / "tones.tflite")
    server.process.terminate()
    server.process.wait(10)
    done = edgekit(
        *("keywords", "--model", model, "--source", "mic"), environment=server.environment
    )
    assert done.returncode == DeviceError.exit_code
    assert "The microphone cannot be opened" in done.stderr
    assert "Traceback" not in done.stderr

"""A real path of sound: a file played into a sound server, a microphone on its other side."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

import hear
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from pulse import Pulse, pulse, usable

from edgekit.audio.sources.synthetic import WORDS, Spoken, Synthetic
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
            env={**server.environment, "PYTHONPATH": ":".join(sys.path)},
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
    assert matches(heard["heard"], played) >= 0.9  # a busy machine may lose some


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


def spoken_words(seconds: float, path: Path) -> list[Spoken]:
    """Write spoken words into a file and return those that are to be found."""
    source = Synthetic(RATE)
    pieces = []
    for chunk in source.chunks():
        pieces.append(chunk.samples)
        if chunk.t > seconds:
            source.close()
    soundfile.write(path, np.concatenate(pieces), RATE)
    all_words = takewhile(lambda each: each.end < seconds, source.spoken())
    return [replace(each, gain=1.0) for each in all_words if each.word in WORDS]


@pytest.mark.slow
@pytest.mark.skipif("words" not in model_names(), reason="no model of words is carried")
def test_the_demo_hears_the_words_that_are_played(server: Pulse, tmp_path: Path) -> None:
    spoken = spoken_words(24.0, tmp_path / "words.wav")
    demo = subprocess.Popen(
        [
            *(sys.executable, "-m", "edgekit", "demo", "keywords", "--source", "mic"),
            *("--seconds", "32", "--jsonl", str(tmp_path / "lines")),
        ],
        env={**server.environment, "PYTHONPATH": ":".join(sys.path)},
    )
    time.sleep(5)
    server.play(tmp_path / "words.wav").wait(60)
    assert demo.wait(60) == 0
    lines = [json.loads(line) for line in (tmp_path / "lines").read_text().splitlines()]
    events = [line["keyword"] for line in lines if "keyword" in line]
    wanted = [each.word for each in spoken]
    found = sum(min(events.count(word), wanted.count(word)) for word in WORDS)
    assert found >= 0.75 * len(wanted), f"heard {events} of {wanted}"
    assert len(events) - found <= 2, f"heard {events} of {wanted}"

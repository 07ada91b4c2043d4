"""A microphone that loses samples, goes away, is too fast, or gives only silence."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import pytest

from edgekit.audio.chunk import Chunk
from edgekit.audio.sources import list_devices, microphone, open_sound
from edgekit.audio.sources.microphone import Microphone
from edgekit.audio.sources.recorder import Device, Samples
from edgekit.data.resample import resample
from edgekit.errors import DeviceError, EdgekitError, MissingExtra
from edgekit.live import reopen

RATE, PIECE = 16_000, 800
DEVICES = (Device("USB", 3, 1, 48_000, default=True),)

Script = Callable[[], Iterator[Samples]]


def steady(
    pieces: int, *, rate: int = RATE, pause_after: int = 0, pause_s: float = 0.0
) -> Script:
    """Give pieces of noise at the pace of their rate; with a pause, samples are lost."""

    def give() -> Iterator[Samples]:
        begun = time.monotonic()
        for index in range(pieces):
            late = pause_s if pause_after and index >= pause_after else 0.0
            time.sleep(max(begun + late + index * 0.05 - time.monotonic(), 0))
            yield noise(round(rate * 0.05), index)

    return give


def noise(samples: int, seed: int) -> Samples:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


class Line:
    """A microphone that gives what its script says and is lost after that."""

    def __init__(self, script: Script, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.device = "USB"
        self.closed = 0
        self._pieces = script()
        self._over = threading.Event()

    def read(self) -> Samples | None:
        return None if self._over.is_set() else next(self._pieces, None)

    def interrupt(self) -> None:
        self._over.set()

    def close(self) -> None:
        self.closed += 1


class Recorder:
    """Opens one microphone after the other; None in their place is a refusal."""

    def __init__(self, *scripts: Script | None, rate_hz: int = RATE) -> None:
        self.scripts = list(scripts)
        self.rate_hz = rate_hz
        self.lines: list[Line] = []
        self.asked: list[tuple[str, bool]] = []

    def lacks(self) -> EdgekitError | None:
        return None

    def list_devices(self) -> tuple[Device, ...]:
        return DEVICES

    def connect(self, device: str, rate_hz: int, *, again: bool = False) -> Line:
        del rate_hz
        self.asked.append((device, again))
        script = self.scripts.pop(0) if self.scripts else None
        if script is None:
            msg = "It is off."
            raise DeviceError(msg)
        self.lines.append(Line(script, self.rate_hz))
        return self.lines[-1]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open again soon, and not for ever."""
    monkeypatch.setattr(reopen, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(reopen, "PATIENCE_S", 0.0)


def heard(recorder: Recorder) -> tuple[Microphone, list[Chunk]]:
    """Listen until the microphone is lost for good."""
    chunks: list[Chunk] = []
    lost = pytest.raises(DeviceError, match="was lost and did not come back: It is off")
    with Microphone(recorder, "", RATE) as source, lost:
        chunks.extend(source.chunks())
    return source, chunks


def test_all_samples_come_in_their_order() -> None:
    source, chunks = heard(Recorder(steady(10)))
    expected = np.concatenate([noise(PIECE, index) for index in range(10)])
    assert np.array_equal(np.concatenate([each.samples for each in chunks]), expected)
    assert [each.t for each in chunks] == pytest.approx([index * 0.05 for index in range(10)])
    assert (source.lost_s, source.live, source.length_s) == (0.0, True, None)


def test_another_rate_is_resampled_and_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        _, chunks = heard(Recorder(steady(10, rate=44_100), rate_hz=44_100))
    whole = resample(np.concatenate([noise(2205, index) for index in range(10)]), 44_100, RATE)
    found = np.concatenate([each.samples for each in chunks])
    assert np.array_equal(found, whole[: found.size])
    assert whole.size - found.size < 0.01 * RATE
    assert "does not offer 16000 Hz; it gives 44100 Hz" in caplog.text


def test_samples_that_nobody_flags_as_lost_are_counted_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = steady(70, pause_after=24, pause_s=0.5)
    with caplog.at_level(logging.WARNING):
        source, chunks = heard(Recorder(script))
    lost = sum(each.lost for each in chunks)
    assert lost / RATE == source.lost_s == pytest.approx(0.5, abs=0.04)
    assert chunks[-1].t == pytest.approx(69 * 0.05 + 0.5, abs=0.04)
    assert caplog.text.count("samples are lost") == 1


def test_a_microphone_that_comes_back_is_the_same_and_its_absence_counts(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reopen, "FIRST_WAIT_S", 0.4)
    recorder = Recorder(steady(10), steady(10))
    with caplog.at_level(logging.WARNING):
        source, chunks = heard(recorder)
    assert recorder.asked == [("", False), ("USB", True), ("USB", True)]
    assert all(line.closed for line in recorder.lines)
    lost = [each.lost for each in chunks]
    assert [index for index, each in enumerate(lost) if each] == [10]
    assert 0.3 < source.lost_s < 2
    assert "microphone was lost; it is opened again in 0.4 s" in caplog.text
    assert "microphone is back after" in caplog.text
    assert "samples are lost" not in caplog.text


def test_who_is_slow_loses_the_oldest_which_is_counted_and_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "WAITING_S", 0.2)
    with caplog.at_level(logging.WARNING), Microphone(Recorder(steady(60)), "", RATE) as source:
        chunks = source.chunks()
        first = next(chunks)
        time.sleep(1.0)
        rest = list(islice(chunks, 10))
    assert (first.t, first.lost) == (0.0, 0)
    assert rest[0].lost == pytest.approx(0.8 * RATE, abs=0.4 * RATE)
    assert rest[0].t == pytest.approx(0.05 + rest[0].lost / RATE)
    assert sum(each.lost for each in rest[1:]) == 0
    assert source.lost_s == rest[0].lost / RATE
    assert caplog.text.count("is not taken fast enough") == 1


def test_nothing_but_silence_is_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "MUTE_S", 0.2)

    def silence() -> Iterator[Samples]:
        for piece in steady(12)():
            yield np.zeros_like(piece)

    with caplog.at_level(logging.WARNING):
        heard(Recorder(silence))
    assert caplog.text.count("is it muted?") == 1


def test_a_microphone_that_gives_nothing_is_refused() -> None:
    recorder = Recorder(steady(0))
    with pytest.raises(DeviceError, match="was opened, and gave no sound"):
        Microphone(recorder, "", RATE)
    assert recorder.lines[0].closed == 1


def test_closing_ends_who_waits_and_the_thread() -> None:
    recorder = Recorder(steady(10_000))
    source = Microphone(recorder, "", RATE)
    threading.Timer(0.2, source.close).start()
    assert len(list(source.chunks())) < 20
    source.close()
    assert recorder.lines[0].closed == 1
    assert not [each for each in threading.enumerate() if "sound of" in each.name]


@pytest.mark.parametrize(
    ("text", "device"), [("mic", ""), ("mic:2", "2"), ("mic:hw:1,0", "hw:1,0")]
)
def test_the_name_may_have_a_device(
    text: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(steady(3))
    monkeypatch.setattr(microphone, "RECORDERS", {"fake": recorder})
    open_sound(text, RATE).close()
    assert recorder.asked[0] == (device, False)
    assert list_devices() == DEVICES


class Lacking(Recorder):
    """A way to microphones that is not installed."""

    def __init__(self, error: EdgekitError) -> None:
        super().__init__()
        self._error = error

    def lacks(self) -> EdgekitError | None:
        return self._error


NOT_INSTALLED = MissingExtra("pip install 'edgekit[audio]'")
NO_PROGRAM = DeviceError("sudo apt install alsa-utils")


def test_where_a_library_is_missing_the_program_is_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    second = Recorder(steady(3))
    monkeypatch.setattr(microphone, "RECORDERS", {"a": Lacking(NOT_INSTALLED), "b": second})
    with caplog.at_level(logging.INFO):
        open_sound("mic", RATE).close()
    assert second.lines
    assert "is reached with b: pip install" in caplog.text


@pytest.mark.parametrize("text", ["mic", "list"])
def test_where_all_is_missing_each_remedy_is_named(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both: dict[str, Sequence[EdgekitError]] = {"all": [NOT_INSTALLED, NO_PROGRAM]}
    monkeypatch.setattr(
        microphone, "RECORDERS", {str(each): Lacking(each) for each in both["all"]}
    )
    with pytest.raises(MissingExtra, match=r"edgekit\[audio\](?s:.*)Or: sudo apt install"):
        list_devices() if text == "list" else open_sound(text, RATE)

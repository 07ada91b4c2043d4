"""Speech without a microphone, a file or a network: words spoken by machines, in soft noise."""

import json
import logging
import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.chunk import CHUNK_S, Chunk
from edgekit.audio.sources.source import SoundSource
from edgekit.data.resample import resample
from edgekit.data.sounds import SoundFile
from edgekit.live.closing import Closing

FORM = "synthetic: spoken words, no microphone needed; synthetic:7 in another order"
WORDS = ("alexa", "computer", "jarvis", "snowboy")

_NAME = re.compile(r"synthetic(?::(\d{1,9}))?", re.ASCII)
# Made by benchmarks/synthetic_speech.py; the table says which word stands where.
_SPEECH = Path(__file__).with_name("speech.opus")
_PAUSE_S = (0.6, 1.6)  # between words
_GAIN_DB = (-10.0, 0.0)
_NOISE_S = 8.0  # then it begins again
_NOISE_LEVEL = 0.002  # some 35 dB softer than the words
_NOISE_SLOPE = 0.5  # its amplitude falls with this power of the frequency, as in rooms
_OTHERS = 4  # other words among as many that are to be found

_log = logging.getLogger(__name__)


def accepts(text: str) -> bool:
    """Whether it is the name of this source."""
    return _NAME.fullmatch(text) is not None


def open_source(text: str, sample_rate_hz: int) -> SoundSource:
    """Open the source.

    Args:
        text: `synthetic`, or with the seed of another order `synthetic:7`.
        sample_rate_hz: The rate wanted.
    """
    match = _NAME.fullmatch(text)
    return Synthetic(sample_rate_hz, seed=int((match and match[1]) or 0))


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, and where it is spoken.

    Attributes:
        word: What is said.
        voice: Who says it.
        begin: Seconds from the opening of the source to its beginning.
        end: And to its end.
        gain: By which the clip is made softer.
    """

    word: str
    voice: str
    begin: float
    end: float
    gain: float


class Synthetic(Closing):
    """Words without end, as fast as they are taken; the same seed gives the same samples.

    Each round has every one of `WORDS` and four others, in any order and by any voice.
    Which word comes when is told by `spoken`, and in the log as it comes.

    Args:
        sample_rate_hz: The rate wanted.
        seed: Chooses order, voices, pauses and loudness.
    """

    live = False
    lost_s = 0.0
    length_s = None

    def __init__(self, sample_rate_hz: int, seed: int = 0) -> None:
        self.description = "synthetic speech"
        self.sample_rate_hz = sample_rate_hz
        self._seed = seed
        self._over = False
        self._clips = _clips(sample_rate_hz)
        self._noise = _noise(sample_rate_hz, np.random.default_rng(seed))

    def spoken(self) -> Iterator[Spoken]:
        """Yield the words that are spoken, without end."""
        rng = np.random.default_rng(self._seed)
        others = sorted({word for word, _ in self._clips} - set(WORDS))
        end = 0.0
        while True:
            words = [*WORDS, *rng.choice(others, _OTHERS, replace=False).tolist()]
            for word in rng.permutation(words).tolist():
                voices = [voice for each, voice in self._clips if each == word]
                voice = voices[rng.integers(len(voices))]
                begin = end + self._whole(rng.uniform(*_PAUSE_S))
                end = begin + self._clips[word, voice].size / self.sample_rate_hz
                yield Spoken(
                    word, voice, begin, end, float(10 ** (rng.uniform(*_GAIN_DB) / 20))
                )

    def chunks(self) -> Generator[Chunk, None, None]:
        """Yield pieces until `close`."""
        size = round(CHUNK_S * self.sample_rate_hz)
        place = 0
        for each in self.spoken():
            samples = self._samples(place, each)
            _log.info("%.2f s: %s, spoken by %s", each.begin, each.word, each.voice)
            for piece in np.split(samples, range(size, samples.size, size)):
                if self._over:
                    return
                yield Chunk(place / self.sample_rate_hz, piece)
                place += piece.size

    def close(self) -> None:
        """Say no more."""
        self._over = True

    def _samples(self, place: int, spoken: Spoken) -> NDArray[np.float32]:
        """Return what is heard from a place to the end of a word."""
        end = round(spoken.end * self.sample_rate_hz)
        samples = self._noise[np.arange(place, end) % self._noise.size]
        clip = self._clips[spoken.word, spoken.voice]
        samples[samples.size - clip.size :] += clip * np.float32(spoken.gain)
        return samples

    def _whole(self, seconds: float) -> float:
        """Return a time that is one of a sample."""
        return round(seconds * self.sample_rate_hz) / self.sample_rate_hz


def _clips(sample_rate_hz: int) -> dict[tuple[str, str], NDArray[np.float32]]:
    """Return what each voice can say, by word and voice."""
    with SoundFile(_SPEECH) as file:
        rate, wave = file.sample_rate_hz, file.read(-1)
    rows: list[dict[str, Any]] = json.loads(_SPEECH.with_suffix(".json").read_text("utf-8"))
    return {
        (row["word"], row["voice"]): resample(
            wave[row["begin"] : row["end"]], rate, sample_rate_hz
        )
        for row in rows
    }


def _noise(sample_rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return soft noise that can begin again after its end without a click."""
    samples = round(_NOISE_S * sample_rate_hz)
    heights = rng.standard_normal((samples // 2 + 1, 2)) @ (1, 1j)
    heights *= np.maximum(np.arange(heights.size), 100.0) ** -_NOISE_SLOPE
    noise: NDArray[np.float32] = np.fft.irfft(heights, samples).astype(np.float32)
    return noise * np.float32(_NOISE_LEVEL / noise.std())

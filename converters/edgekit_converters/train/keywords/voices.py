"""Let installed speech synthesisers say the words, and what sounds like them but is not.

espeak-ng says any sequence of sounds: near words have some sounds of a word changed, left out
or swapped. flite says texts. What is none of the words is made of frequent words and of
invented ones. Neither synthesiser is needed; what is missing is said.
"""

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.data.sounds import read_sound
from edgekit.errors import DataError
from edgekit.progress import track
from edgekit_converters.train.keywords.invented import Speller
from edgekit_converters.train.keywords.recordings import Recording
from edgekit_converters.train.keywords.wordlist import PLAIN

Random = np.random.Generator

SYNTHESISERS = ("espeak-ng", "flite")
_VARIANTS = (
    *(f"m{number}" for number in range(1, 9)),
    *(f"f{number}" for number in range(1, 6)),
    *("klatt", "klatt2", "klatt3", "klatt4", "croak", "grandma", "grandpa", "adam", "Alex"),
    *("Alicia", "Andrea", "Andy", "Annie", "David", "Denis", "Gene", "Jacky", "John", "Lee"),
    *("Linda", "Mario", "Max", "Michael", "Mike", "Mr", "Pablo", "Paul", "Rob", "steph", "Zac"),
)
ESPEAK_VARIANTS = ("", *(f"+{each}" for each in _VARIANTS))  # "": the accent's own voice
ESPEAK_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-us-nyc")
FLITE_VOICES = ("awb", "kal16", "rms", "slt")

_SOUNDS = "p b t d k g f v s z m n l r w j h S I E a V 0 U i: u: oU aI eI OI aU @"
WORD, NEAR, RUNNING = "word", "near", "plain"  # what begins the names of recordings
_NEAR, _RUNNING = 0.25, 0.55  # shares of what is no word: near words, and running speech
_INVENTED = 0.6  # share of words that are invented
_OUT = "{out}"  # stands for the file
_FLITE = 0.2  # share of what flite says where both are installed
_SECONDS = 10.0  # that a synthesiser may take for a word
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Utterance:
    """What is to be said.

    Attributes:
        command: A command that writes the sound to the file `_OUT`.
        label: The word; empty where it is none.
        voice: Who says it.
        name: What is said.
    """

    command: tuple[str, ...]
    label: str
    voice: str
    name: str


def available() -> tuple[str, ...]:
    """Return the synthesisers that are installed."""
    return tuple(name for name in SYNTHESISERS if shutil.which(name))


def spoken(
    words: Sequence[str], rate: int, seed: int, language: str, *, each: int, others: int
) -> list[Recording]:
    """Let synthesisers say words and other things.

    Args:
        words: The words.
        rate: Sample rate wanted, in Hz.
        seed: The draws.
        language: As espeak-ng names it.
        each: Recordings of each word.
        others: Recordings of what is none of the words; their label is empty.

    Returns:
        The recordings, their speaker being the voice; none where no synthesiser is installed.
    """
    installed = available()
    lacking = [name for name in SYNTHESISERS if name not in installed]
    if lacking:
        _log.warning(
            "%s is not installed: no synthetic voices say words that are none of yours, which "
            "costs false alarms. On Debian: apt install %s; or add speech to --unknown.",
            " and ".join(lacking),
            " ".join(lacking),
        )
    if not installed:
        return []
    draw = _Draw(words, language, installed, np.random.default_rng([seed, 77]))
    asked = [draw.word(word) for word in words for _ in range(each)]
    return _said([*asked, *(draw.other() for _ in range(others))], rate)


def is_near(recording: Recording) -> bool:
    """Whether something that `spoken` made sounds like a word, which nobody says."""
    return recording.name.startswith(NEAR)


def phonemes(word: str, language: str) -> tuple[str, ...]:
    """Return the sounds of a word as espeak-ng writes them; none if it cannot be asked."""
    command = ["espeak-ng", "-q", "-x", "--sep=_", "-v", language, "--", word]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(answer.stdout.strip().replace(" ", "_").strip("_").split("_"))


def alike(several: Sequence[str], words: Sequence[str], language: str) -> set[str]:
    """Return which of several words sound like one of the words: `four` like `4`.

    Args:
        several: One word each.
        words: The words.
        language: As espeak-ng names it; where it cannot be asked, spelling decides.
    """
    lines = "".join(f"{each}.\n" for each in (*several, *words))
    command = ["espeak-ng", "-q", "-x", "--sep=_", "-v", language, "--stdin"]
    try:
        answer = subprocess.run(
            command, input=lines, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return {*several} & {*words}
    said = [line.strip().replace("'", "") for line in answer.stdout.splitlines()]
    if len(said) != len(several) + len(words):  # a word that is read as two sentences
        return {*several} & {*words}
    own = {*said[len(several) :]}
    return {each for each, sounds in zip(several, said, strict=False) if sounds in own}


def near(sounds: Sequence[str], pool: Sequence[str], rng: Random) -> tuple[str, ...]:
    """Change a word: two or more of its sounds are other ones, left out, or swapped.

    Args:
        sounds: The word's sounds.
        pool: Sounds to put in.
        rng: The draws.
    """
    made = list(sounds)
    for _ in range(max(2, round(len(sounds) * rng.uniform(0.25, 0.6)))):
        place = int(rng.integers(len(made)))
        kind = rng.random()
        if kind < 0.55:  # another sound
            stress = "'" if made[place].startswith("'") else ""
            made[place] = stress + _one(pool, rng)
        elif kind < 0.8 and len(made) > 2:
            del made[place]
        else:
            made.insert(place, _one(pool, rng))
    return tuple(made)


class _Draw:
    """Draws what is said, and by whom."""

    def __init__(
        self, words: Sequence[str], language: str, installed: Sequence[str], rng: Random
    ) -> None:
        self._words, self._language, self._rng = words, language, rng
        self._installed = installed
        alikes = alike(PLAIN, words, language)
        self._barred = {*words, *alikes}
        self._plain = [each for each in PLAIN if each not in alikes]
        self._spell = Speller(PLAIN)
        asked = words if "espeak-ng" in installed else ()
        sounds = [phonemes(word, language) for word in asked]
        self._sounds = [each for each in sounds if each]
        every = [*_SOUNDS.split(), *(sound for each in self._sounds for sound in each)]
        self._pool = [sound.lstrip("'") for sound in every]

    def word(self, word: str) -> _Utterance:
        """Let one of the voices say a word."""
        say = self._flite if self._by_flite() else self._espeak
        return say(word, word, WORD)

    def other(self) -> _Utterance:
        """Let one of the voices say what is none of the words."""
        chance = self._rng.random()
        if chance < _RUNNING:
            text, kind = self._plain_text(int(self._rng.integers(6, 13))), RUNNING
        elif chance < 1 - _NEAR:
            text, kind = self._plain_text(int(self._rng.choice([1, 1, 1, 2, 3]))), RUNNING
        else:
            text, kind = self._near(), NEAR
        flite = self._by_flite() and not text.startswith("[[")
        return (self._flite if flite else self._espeak)(text, "", kind)

    def _by_flite(self) -> bool:
        share = _FLITE if "espeak-ng" in self._installed else 1.0
        return "flite" in self._installed and self._rng.random() < share

    def _near(self) -> str:
        """Change sounds of a word, else its letters."""
        if self._sounds and self._rng.random() < 0.75:
            made = near(_one(self._sounds, self._rng), self._pool, self._rng)
            if made not in self._sounds:
                return f"[[{''.join(made)}]]"
        return misspelt(_one(self._words, self._rng), self._rng)

    def _plain_text(self, count: int) -> str:
        return " ".join(self._plain_word() for _ in range(count))

    def _plain_word(self) -> str:
        if self._rng.random() < _INVENTED:
            made = self._spell(self._rng)
            if made not in self._barred:
                return made
        return str(_one(self._plain, self._rng))

    def _espeak(self, text: str, label: str, kind: str) -> _Utterance:
        rng, language = self._rng, self._language
        accent = _one(ESPEAK_ACCENTS, rng) if language.startswith("en") else language
        voice = f"{accent}{_one(ESPEAK_VARIANTS, rng)}"
        options = ("-s", str(rng.integers(110, 220)), "-p", str(rng.integers(15, 90)))
        command = ("espeak-ng", "-v", voice, *options, "-w", _OUT, "--", text)
        return _Utterance(command, label, voice, f"{kind}: {text}")

    def _flite(self, text: str, label: str, kind: str) -> _Utterance:
        voice = _one(FLITE_VOICES, self._rng)
        stretch = f"duration_stretch={self._rng.uniform(0.75, 1.4):.2f}"
        pitch = f"int_f0_target_mean={self._rng.integers(80, 240)}"
        options = ("-voice", voice, "--setf", stretch, "--setf", pitch)
        command = ("flite", *options, "-t", text, "-o", _OUT)
        return _Utterance(command, label, voice, f"{kind}: {text}")


def misspelt(word: str, rng: Random) -> str:
    """Change letters of a word until a good part of it is another."""
    letters = list(word)
    for _ in range(max(2, round(0.4 * len(letters)))):
        letters[int(rng.integers(len(letters)))] = _one("abdefgiklmnoprstuvz", rng)
    return "".join(letters)


def _one(several: Sequence[Any], rng: Random) -> Any:
    return several[int(rng.integers(len(several)))]


def _said(asked: Sequence[_Utterance], rate: int) -> list[Recording]:
    """Run the synthesisers, two at a time, and read what they said."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        outputs = [Path(folder) / f"{number}.wav" for number in range(len(asked))]
        results = pool.map(_say, asked, outputs, [rate] * len(asked))
        made = list(track(results, "Listening to synthetic voices", len(asked), "word"))
    return [each for each in made if each is not None]


def _say(asked: _Utterance, output: Path, rate: int) -> Recording | None:
    """Say one thing; None where the synthesiser could not."""
    command = [str(output) if part == _OUT else part for part in asked.command]
    try:
        subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)
        wave = read_sound(output, rate)
    except (OSError, subprocess.SubprocessError, DataError):
        return None
    output.unlink()
    loud = np.flatnonzero(np.abs(wave) > 0.01 * np.abs(wave).max())
    if not loud.size:
        return None
    wave = wave[loud[0] : loud[-1] + 1]
    return Recording(asked.name, asked.label, asked.voice, wave)

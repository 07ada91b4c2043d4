"""What is learned from: every view is another way from a mouth to the samples."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.decisions import BACKGROUND
from edgekit.data.align import word_span
from edgekit.data.frontend import FrontEnd, extract
from edgekit_converters.train.keywords import augment, noises
from edgekit_converters.train.keywords.pieces import faded, joined, piece
from edgekit_converters.train.keywords.recordings import Recording

Wave = NDArray[np.float32]
Random = np.random.Generator

SILENCE, UNKNOWN = range(len(BACKGROUND))
_EDGE_S = 0.08  # around what is loud of a word, its soft beginning and end
_LEAST_S = 0.45  # length that a word has at least, where the recording has it
_CONTEXT_S = 0.6  # of the recording around the word
_LATEST_S = 0.4  # longest time from a word's end to the window's
_SYNTHETIC = 0.12  # share of a word's views that synthetic voices speak, where many people do
_BESIDE_FEW = (1.5, 0.5)  # that share times the number of people, and the most it can be
_OTHERS = 4  # words that all that is no word weighs as much as, where many people speak
_WORDS = (0.4, 0.82)  # least and most share of words
_INVENTED, _INVENTED_S = 200, 3.0  # noises that are made once, and how much longer they are
_BABBLE = 0.2  # share of noises that are many voices
_PIECES = 0.3  # share of speech that is put together from pieces of words
_MISTAKEN = 0.3  # share of speech that comes near to words
_PEOPLE = (0.2, 0.7)  # of other speech, least and most share of people beside synthesisers
_HIDDEN = 0.45  # share of a word that may at most be seen where it counts as unknown


@dataclass(frozen=True, slots=True)
class Place:
    """Where the word lies in a recording.

    Attributes:
        recording: The recording.
        start: The word's first sample.
        end: The one after its last.
    """

    recording: Recording
    start: int
    end: int

    @property
    def word(self) -> Wave:
        """The samples of the word."""
        return self.recording.wave[self.start : self.end]


def locate(recording: Recording, front_end: FrontEnd, low: int = 0, high: int = -1) -> Place:
    """Find the word in a recording by its energy.

    Args:
        recording: A recording of one word.
        front_end: Says the sample rate and how long a window is.
        low: Where the word begins at the earliest.
        high: Where it ends at the latest; -1: the end of the recording.
    """
    rate, wave = front_end.sample_rate_hz, recording.wave
    high = wave.size if high < 0 else min(high, wave.size)
    least = round(_LEAST_S * rate)
    found = word_span(wave[low:high], rate)
    if found is None or high - low <= 2 * least:
        return Place(recording, low, high)
    edge = round(_EDGE_S * rate)
    start, end = found[0] + low - edge, found[1] + low + edge
    lacking = max(0, least - (end - start)) // 2
    return Place(recording, max(low, start - lacking), min(high, end + lacking))


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What views are made of.

    Attributes:
        labels: All classes, those of `BACKGROUND` first.
        words: Recordings of words, located.
        unknown: Speech without the words.
        background: Noises.
        synthetic: Words and other things, spoken by synthesisers.
        front_end: What turns them into features.
        mistaken: Parts of speech without words that come near to words.
    """

    labels: tuple[str, ...]
    words: Sequence[Place]
    unknown: Sequence[Recording]
    background: Sequence[Recording]
    synthetic: Sequence[Recording]
    front_end: FrontEnd
    mistaken: Sequence[Wave] = ()


class Views:
    """Makes batches of views from the seed and the number of the step alone.

    Args:
        material: What they are made of.
        batch: Views in a batch.
        seed: The draws.

    Attributes:
        steps: Batches in which every recording of a word is shown once.
    """

    def __init__(self, material: Material, batch: int, seed: int) -> None:
        self._material, self._batch, self._seed = material, batch, seed
        self._synthetic = synthetic_share([place.recording for place in material.words])
        count = len(material.labels) - len(BACKGROUND)
        self._words = max(1, round(words_share(count, self._synthetic) * batch))
        self._silent = max(1, round(0.2 * (batch - self._words)))
        self.steps = max(1, round(len(material.words) / self._words))
        self._others = [each for each in material.synthetic if not each.label]
        self._people = _share(len(material.unknown), len(self._others))
        self._voices = {
            label: [each for each in material.synthetic if each.label == label]
            for label in material.labels
        }
        self._front_end = material.front_end
        self._size = material.front_end.samples
        self._rate = material.front_end.sample_rate_hz
        rng = np.random.default_rng([seed, 2])
        length = round(_INVENTED_S * self._rate) + self._size
        self._invented = [noises.invented(length, self._rate, rng) for _ in range(_INVENTED)]

    def shares(self) -> Wave:
        """Return the share of each class among all views, shape (classes,), above 0."""
        said = Counter(place.recording.label for place in self._material.words)
        of_one = self._words / said.total()
        unknown = max(1, self._batch - self._words - self._silent)
        shown: list[float] = [self._silent, unknown]
        shown += [of_one * said[word] for word in self._material.labels[len(BACKGROUND) :]]
        return np.array([each / self._batch for each in shown], np.float32)

    def __call__(self, step: int) -> tuple[Wave, Wave]:
        """Make a batch: features, shape (batch, frames, features), and targets."""
        rng = np.random.default_rng([self._seed, step])
        waves, classes = self.waves(step, rng)
        rows = [augment.hide(extract(wave, self._front_end), rng) for wave in waves]
        targets = np.eye(len(self._material.labels), dtype=np.float32)[classes]
        return np.stack(rows), targets

    def waves(self, step: int, rng: Random) -> tuple[list[Wave], list[int]]:
        """Make the sounds of a batch and their classes."""
        waves, classes = [], []
        words = self._material.words
        epoch, index = divmod(step, self.steps)
        order = np.random.default_rng([self._seed, epoch, 1]).permutation(len(words))
        for number in range(self._batch):
            if number < self._words:
                place = words[int(order[(index * self._words + number) % len(words)])]
                waves.append(self._word(place, rng))
                classes.append(self._material.labels.index(place.recording.label))
            elif number < self._words + self._silent:
                waves.append(self._silence(rng))
                classes.append(SILENCE)
            else:
                waves.append(self._unknown(rng))
                classes.append(UNKNOWN)
        return waves, classes

    def _word(self, place: Place, rng: Random) -> Wave:
        """Return a window that holds a whole word."""
        voices = self._voices[place.recording.label]
        if voices and rng.random() < self._synthetic:
            chosen = voices[int(rng.integers(len(voices)))]
            place = Place(chosen, 0, chosen.wave.size)
        moved, start, end = self._moved(place, augment.draw_way(rng), rng)
        room = max(0, self._size - (end - start))
        late = round(rng.uniform(0, min(room, _LATEST_S * self._rate)))
        window = self._cut(moved, end + late - self._size)
        if rng.random() < 0.12:
            window = self._preceded(window, self._size - late - (end - start), rng)
        return self._finished(window, augment.level(moved[start:end]), rng)

    def _moved(self, place: Place, way: augment.Way, rng: Random) -> tuple[Wave, int, int]:
        """Send a word with what surrounds it on its way; tell where it then begins and ends."""
        context = round(_CONTEXT_S * self._rate)
        low = max(0, place.start - context)
        sound = place.recording.wave[low : place.end + context]
        moved = augment.travel(sound, self._rate, way, rng)
        start, end = (
            (each - low) * moved.size // sound.size for each in (place.start, place.end)
        )
        return moved, start, end

    def _preceded(self, window: Wave, before: int, rng: Random) -> Wave:
        """Let other speech stand right before a word."""
        count = before - round(0.03 * self._rate)
        if count < self._rate // 10:
            return window
        speech = self._speech(rng)[-count:]
        loud = float(np.abs(window).max() / (np.abs(speech).max() + 1e-9))
        window[count - speech.size : count] += faded(speech) * np.float32(
            loud * rng.uniform(0.3, 1)
        )
        return window

    def _unknown(self, rng: Random) -> Wave:
        """Return a window with speech in which there is no word."""
        way = augment.draw_way(rng)
        if rng.random() < 0.2:
            window = self._hidden_word(way, rng)
            return self._finished(window, augment.level(window), rng)
        speech = augment.travel(self._speech(rng), self._rate, way, rng)
        if speech.size > self._size:
            start = int(rng.integers(speech.size - self._size + 1))
            window = speech[start : start + self._size]
        else:
            low = min(0, speech.size - self._size)
            window = self._cut(speech, int(rng.integers(low, 1)))
        return self._finished(window, augment.level(speech), rng)

    def _hidden_word(self, way: augment.Way, rng: Random) -> Wave:
        """Return a window at whose edge a part of a word is seen, as it comes or goes."""
        moved, start, end = self._moved(self._drawn_word(rng), way, rng)
        seen = rng.uniform(0.1, _HIDDEN) * (end - start)
        if rng.random() < 0.5:  # it comes
            return self._cut(moved, round(start + seen) - self._size)
        return self._cut(moved, round(end - seen))

    def _speech(self, rng: Random) -> Wave:
        """Draw something that is said and is no word."""
        mistaken = self._material.mistaken
        if mistaken and rng.random() < _MISTAKEN:
            return mistaken[int(rng.integers(len(mistaken)))]
        if self._people is not None and rng.random() >= _PIECES:
            of_people = rng.random() < self._people
            several = self._material.unknown if of_people else self._others
            wave = self._some(several, rng)
            return joined(wave, self._some(several, rng)) if rng.random() < 0.2 else wave
        made = self._piece(rng)
        while rng.random() < 0.35 and made.size < 2 * self._size:  # in running speech
            made = joined(made, self._piece(rng))
        return made

    def _piece(self, rng: Random) -> Wave:
        one, other = self._drawn_word(rng), self._drawn_word(rng)
        if one.recording.label == other.recording.label and rng.random() < 0.7:
            other = self._drawn_word(rng)
        return piece(one.word, other.word, rng)

    def _some(self, several: Sequence[Recording], rng: Random) -> Wave:
        """Draw a recording, or a part of one that is long."""
        wave = several[int(rng.integers(len(several)))].wave
        start = int(rng.integers(max(1, wave.size - 2 * self._size + 1)))
        return wave[start : start + 2 * self._size]

    def _drawn_word(self, rng: Random) -> Place:
        words = self._material.words
        return words[int(rng.integers(len(words)))]

    def _silence(self, rng: Random) -> Wave:
        """Return a window without speech."""
        chance = rng.random()
        if chance < 0.1:
            return np.zeros(self._size, np.float32)
        if chance < 0.3:  # what a recording of a word has before it
            place = self._drawn_word(rng)
            quiet = place.recording.wave[: place.start]
            if quiet.size > self._rate // 4:
                tiled = np.resize(quiet, self._size)
                return augment.at_level(tiled, augment.level(tiled) * 10, rng)
        noise = self._noise(rng, babble=False)
        return augment.at_level(noise, augment.level(noise) * rng.uniform(0.5, 10), rng)

    def _noise(self, rng: Random, *, babble: bool = True) -> Wave:
        """Draw a noise: one of those given, an invented one, or many voices."""
        chance = rng.random()
        given = self._material.background
        if given and chance < 0.55:
            wave = given[int(rng.integers(len(given)))].wave
            speed = rng.uniform(0.8, 1.25)
            count = round(self._size * speed)
            start = int(rng.integers(max(1, wave.size - count + 1)))
            cut = np.resize(wave[start : start + count], count)
            moved = np.interp(np.arange(self._size) * speed, np.arange(count), cut)
            return np.asarray(moved, np.float32)
        if babble and chance >= 1 - _BABBLE:
            return self._babble(rng)
        noise = self._invented[int(rng.integers(len(self._invented)))]
        start = int(rng.integers(noise.size - self._size + 1))
        return noise[start : start + self._size]

    def _babble(self, rng: Random) -> Wave:
        noise = np.zeros(self._size, np.float32)
        for _ in range(int(rng.integers(3, 7))):
            speech = np.resize(self._speech(rng), self._size)
            loud = float(np.abs(speech).max()) + 1e-6
            noise += np.roll(speech / np.float32(loud), int(rng.integers(self._size)))
        return noise

    def _cut(self, wave: Wave, start: int) -> Wave:
        """Cut a window out; what lies outside the sound is silent."""
        window = np.zeros(self._size, np.float32)
        low, high = max(0, start), min(wave.size, start + self._size)
        if low < high:
            window[low - start : high - start] = wave[low:high]
        return window

    def _finished(self, window: Wave, voice: float, rng: Random) -> Wave:
        return augment.mixed(window, voice, self._noise(rng), rng)


def synthetic_share(words: Sequence[Recording]) -> float:
    """Return the share of a word's views that synthetic voices speak.

    Other speech has many voices. Where few people say the words, a voice that is none of
    theirs would be taken for a sign of other speech; so synthetic voices say more of them.

    Args:
        words: Recordings of people; who speaks is counted where it is known.
    """
    people = {each.speaker for each in words} - {""}
    times_people, most = _BESIDE_FEW
    return min(max(_SYNTHETIC, times_people / len(people)), most) if people else _SYNTHETIC


def said_by_few(words: Sequence[Recording]) -> bool:
    """Whether few people say the words, as far as it is known who speaks."""
    return synthetic_share(words) > _SYNTHETIC


def words_share(count: int, synthetic: float) -> float:
    """Return the share of words among all views.

    What is no word weighs less by as much as people's words do, for which it has to make room:
    else a voice that is like none of few people is soon taken for other speech.

    Args:
        count: How many words there are.
        synthetic: Share of their views that synthetic voices speak, see `synthetic_share`.
    """
    others = _OTHERS * (1 - synthetic) / (1 - _SYNTHETIC)
    return float(np.clip(count / (count + others), *_WORDS))


def _share(people: int, others: int) -> float | None:
    """Return the share of people's speech, by how many recordings there are; None: none."""
    if not people or not others:
        return float(people > 0) if people or others else None
    return float(np.clip(people / (people + others), *_PEOPLE))

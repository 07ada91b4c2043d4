"""Judge a trained keyword model, and choose its thresholds."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.decisions import BACKGROUND, Mean, Settings
from edgekit.audio.tuning import Mark, Scored, Tally
from edgekit.data.align import align
from edgekit.data.frontend import FrontEnd, extract
from edgekit.progress import track
from edgekit_converters.train.keywords import augment
from edgekit_converters.train.keywords.recordings import Recording
from edgekit_converters.train.keywords.views import Material, Place, locate
from edgekit_converters.train.keywords.voices import is_near

Wave = NDArray[np.float32]

EVERY = 3  # rows between two runs of the model
SMOOTH = 4  # scores that are averaged
FOREIGN = "foreign"  # mark of what is no word
_FOREIGN_PER_THOUSAND = 10.0  # alarms in foreign words
_BATCH = 256
_IN_A_ROW = 8  # recordings that make running speech
_ROUNDS = 5  # times that they do so, each time in another order, room and voice
_BREAK_S = 0.5  # after a recording
_MARGIN_S = 0.2  # around a window that was taken for a word


class Span(NamedTuple):
    """A part of one of several recordings.

    Attributes:
        number: Which recording.
        start: The first sample.
        end: The one after the last.
    """

    number: int
    start: int
    end: int


class Judge:
    """Scores recordings with a model in training as a spotter does on a device.

    Args:
        model: Gives the probabilities, shape (k, classes), of windows of features, shape
            (k, frames, features).
        labels: Its classes.
        front_end: Its front end.
    """

    def __init__(
        self, model: Callable[[Wave], Any], labels: Sequence[str], front_end: FrontEnd
    ) -> None:
        self._model, self._labels, self._front_end = model, tuple(labels), front_end
        self.settings = Settings(every=EVERY, smooth=SMOOTH)

    def scored(self, wave: Wave, marks: Sequence[tuple[int, int, str]] = ()) -> Scored:
        """Score a recording with silence around it, as a stream.

        Args:
            wave: Shape (n,).
            marks: First sample, last sample and label of what is said.
        """
        front_end = self._front_end
        rate, before = front_end.sample_rate_hz, front_end.samples
        padded = np.pad(wave, (before, round(_BREAK_S * rate)))
        rows = extract(padded, front_end)
        scores = self._predict(_windows(rows, front_end.frames, EVERY))
        ends = front_end.frames + EVERY * np.arange(len(scores))
        times = ((ends - 1) * front_end.step_samples + front_end.frame_samples) / rate
        placed = tuple(
            Mark((before + start) / rate, (before + end) / rate, label)
            for start, end, label in marks
        )
        return Scored(scores, times, padded.size / rate, placed)

    def right(self, recordings: Sequence[Recording]) -> NDArray[np.bool_]:
        """Say of each recording whether the window around its word is given its label."""
        front_end = self._front_end
        rows = [
            extract(align(each.wave, front_end.samples, front_end.sample_rate_hz), front_end)
            for each in track(recordings, "Judging", len(recordings), "recording")
        ]
        found = self._predict(np.stack(rows)).argmax(axis=1)
        wanted = [self._labels.index(each.label) for each in recordings]
        return np.asarray(found == wanted)

    def relocated(self, place: Place) -> Place:
        """Look for a word only where the model hears it best.

        A loud breath or a second word is louder than the word now and then. The model, once
        it has seen some recordings, tells them apart.
        """
        front_end, wave = self._front_end, place.recording.wave
        if wave.size <= front_end.samples:
            return place
        rows = extract(wave, front_end)
        scores = self._predict(_windows(rows, front_end.frames, 2))
        column = scores[:, self._labels.index(place.recording.label)]
        heard = np.flatnonzero(column >= 0.9 * column.max())
        if column.max() < 0.5:
            return place
        low = int(heard[0]) * 2 * front_end.step_samples
        high = int(heard[-1]) * 2 * front_end.step_samples + front_end.samples
        low, high = _common(low, high, front_end.samples)
        if low <= place.start and place.end <= high:
            return place
        return locate(place.recording, front_end, low, min(high, wave.size))

    def mistaken(self, others: Sequence[Recording], count: int) -> list[Span]:
        """Find the parts of speech that come nearest to the words, as many for each word.

        Args:
            others: Speech without the words.
            count: How many parts, at most; one for each recording and word.

        Returns:
            A window and some more of each, those of a word in the order of its scores.
        """
        columns = range(len(BACKGROUND), len(self._labels))
        found: list[list[tuple[float, Span]]] = [[] for _ in columns]
        mean = Mean(len(self._labels), SMOOTH)
        for number, each in enumerate(
            track(others, "Looking for mistakes", len(others), "recording")
        ):
            scored = self.scored(each.wave)
            mean.reset()
            smooth = mean.push(scored.scores)[:, columns.start :]
            for best, column in zip(found, smooth.T, strict=True):
                span = self._around(float(scored.times[column.argmax()]), each.wave.size)
                best.append((float(column.max()), Span(number, *span)))
        each_word = count // len(columns)
        for best in found:
            best.sort(key=lambda one: -one[0])
        return [span for best in found for _, span in best[:each_word]]

    def _around(self, time_s: float, size: int) -> tuple[int, int]:
        """Return the samples of the window that ends at a time of a padded recording."""
        front_end = self._front_end
        margin = round(_MARGIN_S * front_end.sample_rate_hz)
        end = round(time_s * front_end.sample_rate_hz) - front_end.samples
        return max(0, end - front_end.samples - margin), min(size, end + margin)

    def thresholds(
        self,
        material: Material,
        others: Sequence[Recording],
        noises: Sequence[Recording],
        false_alarms_per_hour: float,
        seed: int,
    ) -> dict[str, float]:
        """Choose a threshold for each word.

        Words are those that were learned from, in noise that they were not learned in;
        speech and noises were not learned from. Near words are left out: nobody says them.

        Args:
            material: What was learned from.
            others: Speech without the words that was not.
            noises: Noises that were not.
            false_alarms_per_hour: The budget.
            seed: The draws.
        """
        tally = Tally(self._labels, self.settings)
        for scored in self._trials(material, others, noises, np.random.default_rng([seed, 5])):
            tally.add(scored)
        return tally.tune(false_alarms_per_hour, _FOREIGN_PER_THOUSAND)

    def _trials(
        self,
        material: Material,
        others: Sequence[Recording],
        noises: Sequence[Recording],
        rng: np.random.Generator,
    ) -> Iterator[Scored]:
        rate = self._front_end.sample_rate_hz
        for place in track(material.words, "Choosing thresholds", len(material.words), "word"):
            wave = _in_noise(place, rate, rng)
            yield self.scored(wave, [(place.start, place.end, place.recording.label)])
        plain = [each for each in others if not is_near(each)]
        for each in plain:
            wave = augment.at_level(each.wave, augment.level(each.wave), rng)
            yield self.scored(wave, [(0, wave.size, FOREIGN)])
        for wave in track(
            _running(plain, rate, rng), "Listening to speech", _ROUNDS * _rows(plain), "row"
        ):
            yield self.scored(wave)
        for each in noises:
            yield self.scored(each.wave)

    def _predict(self, windows: Wave) -> Wave:
        parts = [
            np.asarray(self._model(windows[first : first + _BATCH]))
            for first in range(0, len(windows), _BATCH)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(self._labels)), np.float32)


def _windows(rows: Wave, frames: int, every: int) -> Wave:
    """Return the windows of rows, shape (k, frames, features)."""
    if len(rows) < frames:
        return np.empty((0, frames, rows.shape[1]), np.float32)
    view = np.lib.stride_tricks.sliding_window_view(rows, frames, axis=0)[::every]
    return np.ascontiguousarray(view.transpose(0, 2, 1))


def _common(low: int, high: int, samples: int) -> tuple[int, int]:
    """Return what all windows from `low` to `high` have in common, or half a window."""
    inner = (high - samples, low + samples)
    least = samples // 2
    if inner[1] - inner[0] >= least:
        return inner
    middle = (low + high) // 2
    return middle - least // 2, middle + least // 2


def _in_noise(place: Place, rate: int, rng: np.random.Generator) -> Wave:
    """Return a recording in some noise, as loud as it was."""
    wave = place.recording.wave
    noise = augment.coloured(wave.size, rate, rng)
    ratio = 10 ** (rng.uniform(0, 25) / 20)
    scale = augment.level(place.word) / (ratio * augment.level(noise))
    return np.clip(wave + noise * np.float32(scale), -1, 1)


def _rows(recordings: Sequence[Recording]) -> int:
    return -(-len(recordings) // _IN_A_ROW)


def _running(
    recordings: Sequence[Recording], rate: int, rng: np.random.Generator
) -> Iterator[Wave]:
    """Yield recordings in rows without breaks, many times and never twice the same way."""
    for _ in range(_ROUNDS):
        order = rng.permutation(len(recordings))
        for first in range(0, len(order), _IN_A_ROW):
            row = [recordings[number].wave for number in order[first : first + _IN_A_ROW]]
            moved = augment.travel(np.concatenate(row), rate, augment.draw_way(rng), rng)
            noise = augment.coloured(moved.size, rate, rng)
            yield augment.mixed(moved, augment.level(moved), noise, rng)

"""From scores to words heard: smoothing, a threshold and a refractory time for each word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import RecordError
from edgekit.records import from_json

BACKGROUND = ("_silence_", "_unknown_")  # classes that are no words, in this order
THRESHOLD = 0.5  # of a word for which nobody chose one

_PLAIN = frozenset(name.strip("_") for name in BACKGROUND)

Scores = NDArray[np.float32]
Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How scores become decisions; the manifest's `decoding` of a keyword model.

    Attributes:
        kind: Always `keywords`.
        every: Frames of the front end between two runs of the model.
        smooth: How many scores, one after the other, are averaged.
        thresholds: Smoothed score from which on a word is heard, by word.
        refractory_s: Time after a word in which the same word is not heard again.
        states: Output that holds what an input gets in the next run, by input, for models
            that carry their state through inputs and outputs.
    """

    kind: Literal["keywords"] = "keywords"
    every: int = 1
    smooth: int = 1
    thresholds: dict[str, float] = field(default_factory=dict)
    refractory_s: float = 1.0
    states: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("every", "smooth"):
            if getattr(self, name) < 1:
                msg = f"{name} must be 1 or more; found {getattr(self, name)}."
                raise RecordError(msg)
        if self.refractory_s < 0:
            msg = f"refractory_s must be 0 or more; found {self.refractory_s:g}."
            raise RecordError(msg)
        for word, value in self.thresholds.items():
            if not 0 <= value <= 1:
                msg = f"The threshold of '{word}' must lie in 0..1; found {value:g}."
                raise RecordError(msg)

    def threshold(self, word: str) -> float:
        """Return the threshold of a word."""
        return self.thresholds.get(word, THRESHOLD)


def load_settings(decoding: Mapping[str, Any] | None) -> Settings:
    """Read the settings out of a manifest's `decoding`; None gives the usual ones.

    Raises:
        RecordError: They are no settings of a keyword model.
    """
    if decoding is None:
        return Settings()
    return from_json(Settings, dict(decoding), "the manifest's decoding")


def words_of(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that are words, without those of silence and of unknown words.

    >>> words_of(("_silence_", "_unknown_", "yes", "no"))
    ('yes', 'no')
    """
    return tuple(label for label in labels if label.strip("_").lower() not in _PLAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A word that was heard.

    Attributes:
        t: When: seconds since the stream was opened, by its samples.
        keyword: The word.
        score: Its smoothed score at that moment, in [0, 1].
    """

    t: float
    keyword: str
    score: float


class Decider:
    """Turns a stream of scores into events, the same however the stream is cut.

    A word is heard when the mean of its last scores reaches its threshold; again only after
    the mean was below it meanwhile and the refractory time is over. Before the first score
    the mean counts zeros, so that a single one decides nothing.

    Args:
        labels: Names of the classes in the order of the scores.
        settings: How scores become decisions.
    """

    def __init__(self, labels: Sequence[str], settings: Settings) -> None:
        self.settings = settings
        self._classes = len(labels)
        self._words = [(word, labels.index(word)) for word in words_of(labels)]
        self._mean = Mean(self._classes, settings.smooth)
        self._triggers: dict[str, Trigger] = {}
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        self._mean.reset()
        self._triggers = {
            word: Trigger(self.settings.threshold(word), self.settings.refractory_s)
            for word, _ in self._words
        }

    def push(self, scores: Scores, times: Times) -> tuple[Event, ...]:
        """Take in scores and return what was heard, in the order of time.

        Args:
            scores: Shape (k, classes), in [0, 1].
            times: When the window of each ended, in seconds, shape (k,); ascending, also
                from one call to the next.
        """
        if not len(times):
            return ()
        mean = self._mean.push(scores)
        found = [
            Event(t=float(times[place]), keyword=word, score=float(mean[place, column]))
            for word, column in self._words
            for place in self._triggers[word].push(mean[:, column], times)
        ]
        return tuple(sorted(found, key=lambda event: event.t))


class Mean:
    """The mean of the last scores of a stream; what lies before the first counts as 0.

    Args:
        classes: Scores at a time.
        smooth: How many are averaged.
    """

    def __init__(self, classes: int, smooth: int) -> None:
        self._shape = (smooth - 1, classes)
        self._smooth = smooth
        self.reset()

    def reset(self) -> None:
        """Forget the scores."""
        self._last = np.zeros(self._shape, np.float32)

    def push(self, scores: Scores) -> Scores:
        """Return the mean that ends at each score, shape (k, classes).

        A score that is no number counts as 0.
        """
        known = np.concatenate([self._last, np.nan_to_num(scores.astype(np.float32))])
        total = np.zeros(scores.shape, np.float32)
        for first in range(self._smooth):  # in the same order however the stream is cut
            total += known[first : first + len(scores)]
        self._last = known[len(known) - self._shape[0] :]
        mean: Scores = total / np.float32(self._smooth)
        return mean


class Trigger:
    """Says at which scores of a stream one word is heard.

    Args:
        threshold: Score from which on it is.
        refractory_s: Time after it in which it is not heard again.
    """

    def __init__(self, threshold: float, refractory_s: float) -> None:
        self._threshold = np.float32(threshold)
        self._refractory_s = refractory_s
        self._free_from = -np.inf
        self._above = False  # whether the last score was, and
        self._spent = False  # whether the word was heard since it is

    def push(self, scores: Scores, times: Times) -> list[int]:
        """Return the places where the word is heard.

        Args:
            scores: Shape (k,).
            times: Shape (k,), in seconds, ascending.
        """
        if not len(scores):
            return []
        above = scores >= self._threshold
        edges = np.flatnonzero(np.diff(above, prepend=False, append=False))
        starts, ends = edges[::2], edges[1::2]  # of the runs of scores that are high enough
        ends_at = times[ends - 1]
        goes_on = self._above and above[0]
        heard = 0 if goes_on and self._spent else -1  # the run in which it was heard last
        found, number = [], 0
        while number < len(starts):
            start, end = int(starts[number]), int(ends[number])
            place = start + int(np.searchsorted(times[start:end], self._free_from))
            if place < end and number != heard:
                found.append(place)
                self._free_from = times[place] + self._refractory_s
                heard = number
            number = max(number + 1, int(np.searchsorted(ends_at, self._free_from)))
        self._above = bool(above[-1])
        self._spent = heard == len(starts) - 1
        return found

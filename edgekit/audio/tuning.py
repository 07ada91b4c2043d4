"""Count what a spotter misses and what it imagines, at every threshold; choose thresholds.

A mark says which word lies where in a recording. An event in a mark of its word, or up to
`WITHIN_S` after it, finds that word, once; every other event is a false alarm. Alarms in
marks of words that the model does not know are counted apart: per foreign word and per hour
of whatever else was heard are two numbers.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.decisions import Mean, Scores, Settings, Times, Trigger, words_of
from edgekit.errors import UsageError

WITHIN_S = 0.75  # how long after its end a word may be heard
CONFIDENCE = 0.95  # of the upper bounds

_STEPS = 110  # thresholds that are tried, evenly on the scale of logits
_LOGITS = (-3.0, 8.0)
_MOST_UNITS = 200  # a budget of more alarms is counted in larger units
_ALARM = 1e-6  # what an alarm costs beside a word missed, so that of equals the quiet one wins

Counts = NDArray[np.int64]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """A word in a recording.

    Attributes:
        start_s: Where it begins, in seconds.
        end_s: Where it ends.
        label: The word; one that the model does not know is a foreign word.
    """

    start_s: float
    end_s: float
    label: str

    def holds(self, t: float) -> bool:
        """Whether a word that is heard at a time can be this one."""
        return self.start_s <= t <= self.end_s + WITHIN_S


@dataclass(frozen=True, slots=True)
class Scored:
    """A recording as a model scored it.

    Attributes:
        scores: As the model gave them, not smoothed, shape (k, classes).
        times: When the window of each ended, in seconds, shape (k,).
        seconds: Length of the recording.
        marks: The words in it.
    """

    scores: Scores
    times: Times
    seconds: float
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WordCount:
    """What became of one word at one threshold.

    Attributes:
        word: The word.
        threshold: The threshold.
        said: How often it was said.
        found: How often it was heard when it was said.
        false_rejects: Share of those said that were not heard; None if none was.
        false_alarms: How often it was heard when it was not said, outside foreign words.
        foreign_alarms: How often it was heard in foreign words.
    """

    word: str
    threshold: float
    said: int
    found: int
    false_rejects: float | None
    false_alarms: int
    foreign_alarms: int


class Tally:
    """Counts at all thresholds; recordings are added one by one and not kept.

    Args:
        labels: Names of the classes in the order of the scores.
        settings: How scores become decisions; its thresholds are among those counted.

    Attributes:
        seconds: Length of all recordings, without their foreign words.
        foreign: How many foreign words there were.
    """

    def __init__(self, labels: Sequence[str], settings: Settings) -> None:
        self._settings = settings
        self._mean = Mean(len(labels), settings.smooth)
        self._counters = {
            word: _Counter(word, labels.index(word), settings) for word in words_of(labels)
        }
        self.seconds = 0.0
        self.foreign = 0

    @property
    def words(self) -> tuple[str, ...]:
        """The words that are counted."""
        return tuple(self._counters)

    @property
    def hours(self) -> float:
        """Length of all recordings, without their foreign words."""
        return self.seconds / 3600

    @property
    def said(self) -> int:
        """How many words were said that the model knows."""
        return sum(each.said for each in self._counters.values())

    def add(self, scored: Scored) -> None:
        """Count one recording."""
        self._mean.reset()
        smooth = self._mean.push(scored.scores)
        marks = sorted(scored.marks, key=lambda mark: mark.start_s)
        foreign = [mark for mark in marks if mark.label not in self._counters]
        spans = _Spans(foreign)
        self.foreign += len(foreign)
        self.seconds += scored.seconds - spans.seconds(scored.seconds)
        for each in self._counters.values():
            each.add(smooth, scored.times, marks, spans)

    def at(self, thresholds: Mapping[str, float] | None = None) -> tuple[WordCount, ...]:
        """Return what became of each word.

        Args:
            thresholds: Those of the settings, or some that `tune` gave; None takes the
                settings'.
        """
        chosen = thresholds or {}
        return tuple(
            each.at(chosen.get(word, self._settings.threshold(word)))
            for word, each in self._counters.items()
        )

    def curve(self, word: str) -> tuple[WordCount, ...]:
        """Return what became of a word at every threshold, from the lowest on."""
        counter = self._counters[word]
        return tuple(counter.at(level) for level in counter.levels)

    def tune(
        self, false_alarms_per_hour: float, foreign_per_thousand: float | None = None
    ) -> dict[str, float]:
        """Choose the thresholds that miss the fewest words within a budget of alarms.

        The sum of all words' shares of misses is as low as any thresholds on the scale can
        make it. Among thresholds that do the same, the one in their middle is taken.

        Args:
            false_alarms_per_hour: Alarms of all words together outside foreign words; what
                the recordings are too short to show must be none.
            foreign_per_thousand: Alarms of all words together in 1000 foreign words; None
                sets no limit.

        Raises:
            UsageError: A budget is below 0.
        """
        budget = np.array(
            [
                _allowed(false_alarms_per_hour, self.hours),
                _allowed(foreign_per_thousand or 0.0, self.foreign / 1000),
            ]
        )
        units = np.maximum(budget // _MOST_UNITS, 1)
        options = {
            word: each.options(units, foreign=foreign_per_thousand is not None)
            for word, each in self._counters.items()
        }
        return _cheapest(options, budget // units)


def levels(also: float) -> NDArray[np.float32]:
    """Return the thresholds that are tried, ascending, among them a given one and 1."""
    logits = np.linspace(*_LOGITS, _STEPS + 1)
    scale = [*(1 / (1 + np.exp(-logits))), also, 1.0]
    return np.unique(np.asarray(scale, np.float32))


def poisson_upper(count: int, confidence: float = CONFIDENCE) -> float:
    """Return the highest mean that a count does not contradict.

    A Poisson process of a higher mean gives so few only with a probability of less than
    1 - confidence.

    Args:
        count: How often something was seen.
        confidence: In (0, 1).

    >>> round(poisson_upper(0), 3), round(poisson_upper(10), 2)
    (2.996, 16.96)
    """
    k = np.arange(count + 1)
    factorials = np.cumsum(np.log(np.maximum(k, 1)))
    low, high = float(count), count + 10.0 * math.sqrt(count + 1) + 10.0
    for _ in range(100):
        mean = (low + high) / 2
        terms = k * math.log(mean) - mean - factorials if mean else np.array([0.0])
        enough = np.exp(terms).sum() < 1 - confidence
        low, high = (low, mean) if enough else (mean, high)
    return high


@dataclass(frozen=True, slots=True)
class _Option:
    """Thresholds that do the same: what they cost and use up.

    Attributes:
        threshold: The one in their middle.
        cost: Share of misses, and a trifle for each alarm.
        used: Of both budgets, in their units.
    """

    threshold: float
    cost: float
    used: tuple[int, int]


class _Counter:
    """Counts of one word at all thresholds."""

    def __init__(self, word: str, column: int, settings: Settings) -> None:
        self.levels = levels(settings.threshold(word))
        self.said = 0
        self._word = word
        self._column = column
        self._refractory_s = settings.refractory_s
        self._counts = np.zeros((len(self.levels), 3), np.int64)  # found, alarms, foreign

    def add(
        self, smooth: Scores, times: Times, marks: Sequence[Mark], foreign: "_Spans"
    ) -> None:
        said = [mark for mark in marks if mark.label == self._word]
        self.said += len(said)
        scores = np.ascontiguousarray(smooth[:, self._column])
        reached = int(np.searchsorted(self.levels, scores.max(initial=-1.0), "right"))
        for number, level in enumerate(self.levels[:reached]):
            places = Trigger(level, self._refractory_s).push(scores, times)
            self._counts[number] += _judge(times[places].tolist(), said, foreign)

    def at(self, threshold: float) -> WordCount:
        number = int(np.abs(self.levels - np.float32(threshold)).argmin())
        found, alarms, foreign = (int(each) for each in self._counts[number])
        return WordCount(
            word=self._word,
            threshold=float(self.levels[number]),
            said=self.said,
            found=found,
            false_rejects=(self.said - found) / self.said if self.said else None,
            false_alarms=alarms,
            foreign_alarms=foreign,
        )

    def options(self, units: Counts, *, foreign: bool) -> list[_Option]:
        """Return the choices there are; the highest thresholds come first."""
        counts = self._counts * [1, 1, int(foreign)]
        changes = np.flatnonzero((np.diff(counts, axis=0) != 0).any(axis=1)) + 1
        parts = np.split(np.arange(len(self.levels)), changes)
        return [self._option(part, counts[part[0]], units) for part in reversed(parts)]

    def _option(self, part: Counts, counts: Counts, units: Counts) -> _Option:
        found, alarms, foreign = (int(each) for each in counts)
        missed = (self.said - found) / self.said if self.said else 0.0
        used = -(-counts[1:] // units)
        middle = self.levels[part[(len(part) - 1) // 2]]
        cost = missed + _ALARM * (alarms + foreign)
        return _Option(float(middle), cost, (int(used[0]), int(used[1])))


class _Spans:
    """The times that marks cover together, with the time after them.

    Args:
        marks: By their start.
    """

    def __init__(self, marks: Sequence[Mark]) -> None:
        starts = np.array([mark.start_s for mark in marks])
        ends = np.maximum.accumulate([mark.end_s + WITHIN_S for mark in marks])
        first = np.ones(len(marks), np.bool_)  # of those that touch each other
        first[1:] = starts[1:] > ends[:-1]
        self._starts = starts[first]
        self._ends = ends[np.roll(first, -1)]

    def seconds(self, length: float) -> float:
        """Return how much they are of a recording of a length."""
        inside = np.minimum(self._ends, length) - np.minimum(self._starts, length)
        return float(inside.sum())

    def count(self, times: Sequence[float]) -> int:
        """Return how many of some times lie in them."""
        if not self._starts.size or not times:
            return 0
        place = np.searchsorted(self._starts, times, "right") - 1
        return int(((place >= 0) & (np.asarray(times) <= self._ends[place])).sum())


def _judge(
    heard: Sequence[float], said: Sequence[Mark], foreign: _Spans
) -> tuple[int, int, int]:
    """Count the words found, the false alarms and those in foreign words."""
    waiting: list[Mark] = []
    found, begun, alarms = 0, 0, []
    for t in heard:
        while begun < len(said) and said[begun].start_s <= t:
            waiting.append(said[begun])
            begun += 1
        waiting = [mark for mark in waiting if mark.holds(t)]
        if waiting:
            found += 1
            waiting.pop(0)
        else:
            alarms.append(t)
    in_foreign = foreign.count(alarms)
    return found, len(alarms) - in_foreign, in_foreign


def _allowed(rate: float, amount: float) -> int:
    if not rate >= 0:
        msg = f"A budget of false alarms is 0 or more; found {rate:g}."
        raise UsageError(msg)
    return int(min(rate * amount + 1e-9, 1e9))


def _cheapest(options: Mapping[str, Sequence[_Option]], budget: Counts) -> dict[str, float]:
    """Choose one option for each word, the cheapest together that a budget allows."""
    shape = (int(budget[0]) + 1, int(budget[1]) + 1)
    cost = np.zeros(shape)
    choices: list[tuple[str, NDArray[np.intp]]] = []
    chosen = dict.fromkeys(options, 1.0)
    for word, each in options.items():
        tried = np.stack([_spent(cost, option) for option in each])
        if not np.isfinite(tried[:, -1, -1]).any():
            _log.warning(
                "No threshold keeps '%s' within the budget of false alarms; it gets the "
                "highest, 1: it will hardly be heard.",
                word,
            )
            continue
        choices.append((word, tried.argmin(axis=0)))
        cost = tried.min(axis=0)
    at = np.array(shape) - 1
    for word, choice in reversed(choices):
        option = options[word][choice[tuple(at)]]
        at = at - option.used
        chosen[word] = option.threshold
    return chosen


def _spent(cost: NDArray[np.float64], option: _Option) -> NDArray[np.float64]:
    """Return the cost at each budget if an option is taken out of it."""
    result = np.full(cost.shape, np.inf)
    rows, columns = cost.shape[0] - option.used[0], cost.shape[1] - option.used[1]
    if rows > 0 and columns > 0:
        result[option.used[0] :, option.used[1] :] = cost[:rows, :columns] + option.cost
    return result

"""Keyword models on recordings: what they hear, what they miss and what they imagine."""

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgekit.audio.decisions import Settings
from edgekit.audio.sources.file import REST_S, Recording
from edgekit.audio.spotter import Heard, Spotter, spotter_of
from edgekit.audio.tuning import Scored, Tally, WordCount, poisson_upper
from edgekit.data.samples import MAX_UNREADABLE
from edgekit.errors import DataError
from edgekit.evaluation.marks import Marked, check_marks, open_marked, warn_of_foreign
from edgekit.evaluation.metrics import Need, Score
from edgekit.evaluation.request import DataRequest
from edgekit.evaluation.subject import Subject
from edgekit.progress import track

_PIECE_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetPoint:
    """What a word is worth at one threshold.

    Attributes:
        threshold: The threshold.
        false_rejects: Share of those said that were not heard; None if none was said.
        false_alarms_per_hour: How often it was heard when it was not said.
        foreign_alarms: How often it was heard in foreign words.
    """

    threshold: float
    false_rejects: float | None
    false_alarms_per_hour: float | None
    foreign_alarms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spotting:
    """What a keyword model is worth on recordings.

    Attributes:
        hours: Length of the recordings without their foreign words.
        false_alarms: Words heard that were not said, outside foreign words.
        false_alarms_per_hour: The same an hour; None without any length.
        false_alarms_per_hour_upper: Upper 95 % bound of that, exact for a Poisson process.
        foreign_words: Marks of words that the model does not know.
        foreign_alarms: Words heard in them.
        foreign_alarms_per_thousand: The same for 1000 of them; None if there are none.
        foreign_alarms_per_thousand_upper: Upper 95 % bound of that.
        words: What became of each word, at its threshold.
        budget: False alarms an hour that the thresholds were chosen for on these very
            recordings; None if they are the model's own.
        det: What each word is worth at every threshold that makes a difference.
    """

    hours: float
    false_alarms: int
    false_alarms_per_hour: float | None
    false_alarms_per_hour_upper: float | None
    foreign_words: int
    foreign_alarms: int
    foreign_alarms_per_thousand: float | None
    foreign_alarms_per_thousand_upper: float | None
    words: tuple[WordCount, ...]
    budget: float | None
    det: dict[str, tuple[DetPoint, ...]]


class FalseRejects:
    """Share of the words said that were not heard, over all recordings.

    Args:
        labels: Names of the classes in the order of the scores.
        settings: How scores become decisions.
        budget: Choose the thresholds for so many false alarms an hour; None takes those of
            the settings.
    """

    needs: ClassVar[Need] = "marks"

    def __init__(
        self, labels: Sequence[str], settings: Settings, budget: float | None = None
    ) -> None:
        self._tally = Tally(labels, settings)
        self._budget = budget

    def add(self, outputs: Any, truth: Any = None) -> None:  # noqa: ARG002 (the marks are among them)
        """Count one recording, given as `Scored`."""
        self._tally.add(outputs)

    @property
    def said(self) -> int:
        """How many words were said that the model knows."""
        return self._tally.said

    def score(self) -> Score:
        """Return the share, and that of each word that was said."""
        words = self._at()
        missed = sum(each.said - each.found for each in words)
        return Score(
            metric="false_rejects",
            value=missed / self.said if self.said else None,
            per_class={
                each.word: each.false_rejects
                for each in words
                if each.false_rejects is not None
            },
            per_output={},
        )

    def spotting(self) -> Spotting:
        """Return all that was counted."""
        tally, words = self._tally, self._at()
        alarms = sum(each.false_alarms for each in words)
        foreign = sum(each.foreign_alarms for each in words)
        thousands = tally.foreign / 1000
        return Spotting(
            hours=tally.hours,
            false_alarms=alarms,
            false_alarms_per_hour=_rate(alarms, tally.hours),
            false_alarms_per_hour_upper=_rate(poisson_upper(alarms), tally.hours),
            foreign_words=tally.foreign,
            foreign_alarms=foreign,
            foreign_alarms_per_thousand=_rate(foreign, thousands),
            foreign_alarms_per_thousand_upper=_rate(poisson_upper(foreign), thousands),
            words=words,
            budget=self._budget,
            det={word: self._curve(word) for word in tally.words},
        )

    def _at(self) -> tuple[WordCount, ...]:
        chosen: Mapping[str, float] | None = None
        if self._budget is not None:
            chosen = self._tally.tune(self._budget)
        return self._tally.at(chosen)

    def _curve(self, word: str) -> tuple[DetPoint, ...]:
        """Return the highest threshold of all that do the same."""
        points: dict[tuple[int, int, int], DetPoint] = {}
        for each in self._tally.curve(word):
            points[each.found, each.false_alarms, each.foreign_alarms] = DetPoint(
                threshold=each.threshold,
                false_rejects=each.false_rejects,
                false_alarms_per_hour=_rate(each.false_alarms, self._tally.hours),
                foreign_alarms=each.foreign_alarms,
            )
        return tuple(points.values())


def is_spotter(subject: Subject, request: DataRequest) -> bool:
    """Whether a model is to hear words in a stream of sound."""
    task = subject.manifest.task if subject.manifest else "generic"
    return task in {"keywords", "generic"} and subject.front_end(request) is not None


def open_listener(subject: Subject, request: DataRequest) -> Spotter:
    """Return an opened model as a spotter.

    Raises:
        TargetError: It takes no features of sound, or has no class scores.
        UsageError: It names no classes, or other than their number of labels was given.
    """
    return spotter_of(
        subject.model,
        subject.path.name,
        labels=request.labels,
        front_end=subject.front_end(request),
    )


def judge_recordings(
    subject: Subject, request: DataRequest, budget: float | None
) -> tuple[FalseRejects, str, int]:
    """Play recordings with marks to a keyword model.

    Args:
        subject: The model.
        request: The recordings; one that cannot be read is named, skipped and counted.
        budget: As for `FalseRejects`.

    Returns:
        The counts, what the recordings are, and how many were skipped.

    Raises:
        DataError: There are none, or the marks are not theirs.
        TargetError: The model is no spotter.
    """
    spotter = open_listener(subject, request)
    recordings = _chosen(open_marked(request.path), request)
    warn_of_foreign(recordings, spotter.words, subject.path.name)
    judge = FalseRejects(spotter.labels, spotter.settings, budget)
    skipped = 0
    for each in track(recordings, "Listening", len(recordings), "recording"):
        try:
            judge.add(scored(spotter, each))
        except DataError as error:
            if len(recordings) == 1:
                raise
            skipped += 1
            _skip(skipped, len(recordings), error)
    count = f"{len(recordings)} recording{'s' if len(recordings) > 1 else ''}"
    return judge, f"{Path(request.path).name}: {count} with marks", skipped


def scored(spotter: Spotter, recording: Marked) -> Scored:
    """Play one recording to a spotter and keep its scores.

    Raises:
        DataError: It cannot be read, or its marks are not its own.
    """
    parts = [(each.scores, each.times) for each in play(spotter, recording.path)]
    scores, times = (np.concatenate(each) for each in zip(*parts, strict=True))
    seconds = float(times[-1]) - REST_S if len(times) else 0.0
    check_marks(recording, seconds + REST_S)
    return Scored(scores, times, max(seconds, 0.0), recording.marks)


def play(spotter: Spotter, path: Path) -> Iterator[Heard]:
    """Play a sound file to a spotter from its beginning, piece by piece.

    Raises:
        DataError: It cannot be read.
    """
    spotter.reset()
    with Recording(path, spotter.sample_rate_hz) as source:
        held: list[NDArray[np.float32]] = []
        for chunk in source.chunks():
            held.append(chunk.samples)
            if sum(map(len, held)) >= _PIECE_S * spotter.sample_rate_hz:
                yield spotter.hear(np.concatenate(held))
                held = []
        yield spotter.hear(np.concatenate([*held, np.empty(0, np.float32)]))
        if source.damaged:
            msg = f"{path} is damaged; only its beginning can be read."
            raise DataError(msg)


def _chosen(recordings: tuple[Marked, ...], request: DataRequest) -> tuple[Marked, ...]:
    if request.samples is None or request.samples >= len(recordings):
        return recordings
    places = random.Random(request.seed).sample(range(len(recordings)), request.samples)  # noqa: S311 (no secret)
    return tuple(recordings[place] for place in sorted(places))


def _skip(skipped: int, total: int, error: DataError) -> None:
    """Warn of an unreadable recording; give up when there are too many."""
    _log.warning("Skipped: %s", error)
    if skipped > MAX_UNREADABLE * total:
        msg = (
            f"{skipped} of {total} recordings cannot be used so far, more than "
            f"{MAX_UNREADABLE:.0%}. The last one: {error}"
        )
        raise DataError(msg) from error


def _rate(count: float, amount: float) -> float | None:
    return count / amount if amount > 0 else None

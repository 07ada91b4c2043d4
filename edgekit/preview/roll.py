"""The last seconds of a sound: its features, the scores of the words, the words heard."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.preview.picture import Picture, spectrogram

_SECONDS = 6.0
_POINTS = 150  # of a curve; more are not told apart
_DARKEST, _BRIGHTEST = 2.0, 99.8  # percentiles of the features
_SHRINKS = 0.02  # how much of the way the range goes back at a time, so that nothing flickers


@dataclass(frozen=True, slots=True)
class Strip:
    """What is on the roll at one moment.

    Attributes:
        picture: The features, the newest to the right.
        seconds: How much time that is.
        words: What was heard in it: `label`, `score`, and as `box` what the model had in
            view then, in pixels of the picture.
        scores: For each word `label`, the newest `score` and its `threshold`.
        curves: For each word its scores over that time, in percent.
    """

    picture: Picture
    seconds: float
    words: tuple[dict[str, Any], ...]
    scores: tuple[dict[str, Any], ...]
    curves: tuple[list[int], ...]


class Roll:
    """Takes up what a spotter hears; memory does not grow.

    Args:
        words: The words, in the order of the scores.
        thresholds: Score from which on each is heard.
        features: Values that a row has.
        step_s: Seconds from one row to the next.
        row_s: Seconds of sound that a row is made of.
        rows: How many the model sees at once.
        level_rows: Show each feature by what is usual for it, where they differ in kind.
    """

    def __init__(
        self,
        words: Sequence[str],
        thresholds: Sequence[float],
        *,
        features: int,
        step_s: float,
        row_s: float,
        rows: int,
        level_rows: bool = False,
    ) -> None:
        self._words = tuple(words)
        self._thresholds = tuple(thresholds)
        self._step_s, self._row_s, self._rows = step_s, row_s, rows
        self._level = level_rows
        length = max(round(_SECONDS / step_s), 2)
        self._features = np.full((length, features), np.nan, np.float32)
        self._scores = np.zeros((length, len(self._words)), np.float32)
        self._heard: deque[tuple[int, str, float]] = deque()
        self._low, self._high = np.inf, -np.inf
        self._count = 0  # rows so far
        self._origin = 0  # of these, those before the clock of the spotter began

    def begin(self) -> None:
        """Take note that the clock of the spotter begins anew."""
        self._origin = self._count

    def add(
        self,
        features: NDArray[np.float32],
        scores: NDArray[np.float32],
        times: NDArray[np.float64],
        events: Iterable[tuple[float, str, float]],
    ) -> None:
        """Add what comes next.

        Args:
            features: Shape (m, features), in their order.
            scores: Shape (k, words); what is not in [0, 1] is made to be.
            times: When the window of each score ended, by the spotter's clock, shape (k,).
            events: Time by the same clock, word and score of each that was heard.
        """
        new = features[-len(self._features) :]
        self._count += len(features)
        newest = self._scores[-1:]
        if len(new):
            self._features = np.concatenate([self._features[len(new) :], new])
            more = np.repeat(newest, len(new), axis=0)
            self._scores = np.concatenate([self._scores[len(new) :], more])
        for row, found in zip(self._places(times), scores, strict=True):
            if row >= 0:
                self._scores[row:] = np.nan_to_num(found).clip(0, 1)
        for t, word, score in events:
            self._heard.append((self._row(t), word, score))
        while self._heard and self._heard[0][0] < self._count - len(self._features):
            self._heard.popleft()

    def strip(self) -> Strip:
        """Return what is on it; it stays as it is while more is added."""
        low, high = self._range()
        features = np.where(np.isnan(self._features), low, self._features)
        if self._level:
            features = _leveled(self._features)
            low, high = -2.0, 2.0
        return Strip(
            picture=spectrogram(features.astype(np.float32), low, high),
            seconds=len(self._features) * self._step_s,
            words=tuple(self._box(*each) for each in self._heard),
            scores=tuple(
                {"label": word, "score": float(score), "threshold": threshold}
                for word, score, threshold in zip(
                    self._words, self._scores[-1], self._thresholds, strict=True
                )
            ),
            curves=tuple(_points(each) for each in self._scores.T),
        )

    def _row(self, t: float) -> int:
        """Return which of all rows ends at a time of the spotter's clock."""
        return self._origin + round((t - self._row_s) / self._step_s)

    def _places(self, times: NDArray[np.float64]) -> list[int]:
        """Return where on the roll times are."""
        first = self._count - len(self._features)
        return [min(self._row(float(t)) - first, len(self._features) - 1) for t in times]

    def _box(self, row: int, word: str, score: float) -> dict[str, Any]:
        right = row + 1 - (self._count - len(self._features))
        left, high = max(right - self._rows, 0), self._features.shape[1]
        return {"label": word, "score": score, "box": (left, 0, right, high)}

    def _range(self) -> tuple[float, float]:
        """Return what is dark and what is bright; it widens at once and shrinks slowly."""
        known = self._features[np.isfinite(self._features)]
        if not known.size:
            return 0.0, 1.0
        low, high = np.percentile(known, [_DARKEST, _BRIGHTEST])
        if np.isfinite(self._low):
            low = min(low, self._low + _SHRINKS * (low - self._low))
            high = max(high, self._high + _SHRINKS * (high - self._high))
        self._low, self._high = float(low), float(high)
        return self._low, self._high


def _leveled(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each feature in units of what is usual for it; what is not known becomes 0."""
    known = np.ma.masked_invalid(features)
    spread = np.maximum(known.std(axis=0), 1e-6)
    leveled: NDArray[np.float32] = ((known - known.mean(axis=0)) / spread).filled(0.0)
    return leveled


def _points(scores: NDArray[np.float32]) -> list[int]:
    """Return a curve in percent, of few points, with all its peaks.

    >>> _points(np.array([0.0, 0.5, 0.25], np.float32))
    [0, 50, 25]
    """
    width = -(-len(scores) // _POINTS)
    padded = np.pad(scores, (-len(scores) % width, 0))
    return [round(100 * float(each)) for each in padded.reshape(-1, width).max(axis=1)]

"""Features of a whole sound, or of a sound that arrives in pieces: the same to the last bit."""

import numpy as np
from numpy.typing import NDArray

from edgekit.data.frontend.mel import Mel
from edgekit.data.frontend.micro import Micro
from edgekit.data.frontend.record import FrontEnd
from edgekit.errors import DataError

_BLOCK = 32  # rows that are computed at once: what they need stays in the cache
_LOUDEST = 100.0  # far beyond any sound in [-1, 1], even amplified, far below 16-bit numbers


def extract(wave: NDArray[np.float32], front_end: FrontEnd) -> NDArray[np.float32]:
    """Return the features of a whole sound.

    Args:
        wave: Shape (n,), in [-1, 1], at the front end's sample rate.
        front_end: What to compute.

    Returns:
        Shape (front_end.count(n), front_end.features); no rows for a sound that is shorter
        than a frame.

    Raises:
        DataError: The wave is of the wrong shape or type, or holds values that are not
            finite or far outside [-1, 1].
    """
    return Stream(front_end).push(wave)


class Stream:
    """The features of a sound that arrives in pieces.

    The rows of all pushes together are those of `extract` on the whole, bit for bit,
    wherever the pieces are cut.

    Args:
        front_end: What to compute.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end
        self.reset()

    def reset(self) -> None:
        """Forget what was heard: the next push begins a sound."""
        front_end = self.front_end
        self._rows = (Micro if front_end.kind == "micro" else Mel)(front_end).rows
        self._waiting = np.empty(0, np.float32)
        self._last = np.zeros(1, np.float32)

    def push(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next samples and return the rows that they complete.

        Args:
            wave: Shape (n,), in [-1, 1]; n may be 0.

        Returns:
            Shape (k, features); k may be 0.

        Raises:
            DataError: As for `extract`; the piece is not taken.
        """
        front_end = self.front_end
        wave = self._emphasised(_checked(wave))
        waiting = np.concatenate((self._waiting, wave)) if self._waiting.size else wave
        count = front_end.count(waiting.size)
        self._waiting = waiting[count * front_end.step_samples :].copy()
        rows = np.empty((count, front_end.features), np.float32)
        frames = _frames(waiting, count, front_end)
        for first in range(0, count, _BLOCK):
            rows[first : first + _BLOCK] = self._rows(frames[first : first + _BLOCK])
        rows -= np.float32(front_end.mean)
        rows /= np.float32(front_end.std)
        return rows if front_end.limits is None else np.clip(rows, *front_end.limits, out=rows)

    def _emphasised(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a share of the sample before off each sample."""
        share = np.float32(self.front_end.preemphasis)
        if not share or not wave.size:
            return wave
        before = np.concatenate((self._last, wave[:-1]))
        self._last = wave[-1:].copy()
        return wave - share * before


def _checked(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Refuse what is no piece of sound."""
    if wave.ndim != 1:
        msg = f"A front end takes samples of one channel, shape (n,); found {wave.shape}."
        raise DataError(msg)
    if wave.dtype.kind != "f":
        msg = (
            f"A front end takes real samples in [-1, 1]; found {wave.dtype}.\n"
            "Divide 16-bit samples by 32768."
        )
        raise DataError(msg)
    if wave.size:
        _check_range(wave)
    return np.ascontiguousarray(wave, np.float32)


def _check_range(wave: NDArray[np.float32]) -> None:
    """Refuse what cannot lie in [-1, 1], by two looks that also find what is no number."""
    low, high = wave.min(), wave.max()
    if low >= -_LOUDEST and high <= _LOUDEST:
        return
    if not np.isfinite(wave).all():
        msg = (
            f"{int((~np.isfinite(wave)).sum())} of {wave.size} samples are not finite numbers."
        )
        raise DataError(msg)
    msg = (
        f"A front end takes samples in [-1, 1]; these go from {low:g} to {high:g}.\n"
        "Divide samples that were 16-bit integers by 32768."
    )
    raise DataError(msg)


def _frames(wave: NDArray[np.float32], count: int, front_end: FrontEnd) -> NDArray[np.float32]:
    """View a contiguous sound as frames, shape (count, frame_samples)."""
    shape = (count, front_end.frame_samples)
    strides = (front_end.step_samples * wave.itemsize, wave.itemsize)
    return np.ndarray(shape, wave.dtype, wave, strides=strides)

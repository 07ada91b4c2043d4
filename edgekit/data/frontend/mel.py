"""Log-mel energies and cepstral coefficients in floating point."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.frontend.record import FrontEnd

Floats = NDArray[np.float32]

_LARGEST_PRODUCT = 8192  # weights; for more, BLAS wakes threads, which cost more than they save


class Mel:
    """Rows of a `log-mel` or `mfcc` front end.

    A row has the same bits however many are computed at once: the sums are products of one
    row each, for which BLAS has one way to add, where a product of many rows has several.

    Args:
        front_end: Of kind `log-mel` or `mfcc`.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self._tables = _tables(front_end)
        self._fft_size, self._bins = front_end.fft_size, front_end.bins
        self._floor = np.float32(front_end.floor)
        self._root = front_end.spectrum == "magnitude"

    def rows(self, frames: Floats) -> Floats:
        """Turn frames of sound into rows of features.

        Args:
            frames: Shape (k, frame_samples).

        Returns:
            Shape (k, features), before mean and std.
        """
        tables = self._tables
        count, size = frames.shape
        padded = np.empty((count, self._fft_size), np.float32)
        np.multiply(frames, tables.window, out=padded[:, :size])
        padded[:, size:] = 0  # numpy's own padding takes longer
        spectrum = np.fft.rfft(padded)
        parts = spectrum.view(spectrum.real.dtype)
        np.multiply(parts, parts, out=parts)
        power = parts[:, ::2] + parts[:, 1::2]
        if self._root:
            np.sqrt(power, out=power)
        power = power.astype(np.float32, copy=False)  # numpy 1 computes spectra in double
        power = power[:, np.newaxis]
        rows = np.empty((count, 1, self._bins), np.float32)
        for group in tables.groups:
            part = power[..., group.frequencies]
            np.matmul(part, group.weights, out=rows[..., group.bands])
        rows += self._floor
        np.log(rows, out=rows)
        if tables.cosines is not None:
            rows = np.matmul(rows, tables.cosines)
        return rows[:, 0]


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbouring bands, with the frequencies that any of them holds.

    Attributes:
        bands: Which bands.
        frequencies: Which of the spectrum.
        weights: Shape (frequencies, bands).
    """

    bands: slice
    frequencies: slice
    weights: Floats


@dataclass(frozen=True, slots=True)
class _Tables:
    """What is computed once a front end.

    Attributes:
        window: Shape (frame_samples,).
        groups: The mel bands.
        cosines: Cosine transform, shape (bins, coefficients); None for log-mel.
    """

    window: Floats
    groups: tuple[_Group, ...]
    cosines: Floats | None


@functools.lru_cache(maxsize=8)
def _tables(front_end: FrontEnd) -> _Tables:
    cosines = None
    if front_end.kind == "mfcc":
        cosines = cosine_transform(front_end.bins, front_end.coefficients)
    window = {"hann": hann, "hamming": hamming}[front_end.window]
    weights = window(front_end.frame_samples).astype(np.float32)
    groups = _groups(mel_bank(front_end), 0, front_end.bins)
    return _Tables(weights, tuple(groups), cosines)


def _groups(bank: NDArray[np.float64], first: int, end: int) -> Iterator[_Group]:
    """Halve the bands from `first` to before `end` until each half's product is small."""
    held = np.flatnonzero(bank[:, first:end].any(axis=1))
    low, high = (held[0], held[-1] + 1) if held.size else (0, 1)
    if (high - low) * (end - first) > _LARGEST_PRODUCT and end - first > 1:
        middle = (first + end) // 2
        yield from _groups(bank, first, middle)
        yield from _groups(bank, middle, end)
        return
    weights = np.ascontiguousarray(bank[low:high, first:end], np.float32)
    yield _Group(slice(first, end), slice(low, high), weights)


def hann(size: int) -> NDArray[np.float64]:
    """Return the periodic Hann window: 0 at its start, its next 0 lies behind its end."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))


def hamming(size: int) -> NDArray[np.float64]:
    """Return the symmetric Hamming window: 0.08 at its start and at its end."""
    return np.asarray(0.54 - 0.46 * np.cos(2 * np.pi * np.arange(size) / (size - 1)))


def mel_bank(front_end: FrontEnd) -> NDArray[np.float64]:
    """Return the triangles of the mel bands, as HTK and `tf.signal` define them.

    mel(f) = 1127 ln(1 + f / 700). The bands' edges are equally far apart in mel between
    `low_hz` and `high_hz`; band b rises from edge b to 1 at edge b + 1 and falls to edge
    b + 2, linearly in mel. The constant component (0 Hz) belongs to no band.

    Returns:
        Shape (fft_size / 2 + 1, bins).
    """
    nyquist = front_end.sample_rate_hz / 2
    at = _mel(np.linspace(0, nyquist, front_end.fft_size // 2 + 1))[:, np.newaxis]
    edges = np.linspace(_mel(front_end.low_hz), _mel(front_end.high_hz), front_end.bins + 2)
    width = edges[1] - edges[0]
    bank: NDArray[np.float64] = np.maximum(
        0, np.minimum(at - edges[:-2], edges[2:] - at) / width
    )
    bank[0] = 0
    return bank


def cosine_transform(bins: int, coefficients: int) -> Floats:
    """Return the first columns of the orthogonal DCT-II but for the first one's scale.

    Coefficient c = sqrt(2 / bins) * sum over b of x[b] cos(pi c (b + 1/2) / bins), as
    `tf.signal.mfccs_from_log_mel_spectrograms` scales it.

    Returns:
        Shape (bins, coefficients).
    """
    angle = np.pi / bins * np.outer(np.arange(bins) + 0.5, np.arange(coefficients))
    return np.asarray(np.sqrt(2 / bins) * np.cos(angle), np.float32)


def _mel(hz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)

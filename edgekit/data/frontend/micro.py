"""The front end of micro_speech: 16-bit integers, noise reduction and gain control.

Every step computes the integers of TensorFlow Lite Micro's preprocessor, bit for bit. They
stand in int64 or, where they are summed, in double precision, which holds them exactly.

Source: https://github.com/tensorflow/tflite-micro, signal/ and
tensorflow/lite/micro/examples/micro_speech
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.frontend.fixed_fft import fixed_rfft
from edgekit.data.frontend.record import Adaptation, FrontEnd

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_WINDOW_BITS = 12  # fraction bits of the window
_WEIGHT_BITS = 12  # and of the bands' weights
_NOISE_BITS = 10  # fraction bits of the noise estimate
_SHARE_BITS = 14  # fraction bits of the shares in the adaptation
_RATIO_BITS = 12  # fraction bits of the signal after gain control
_OUTPUT_BITS = 6  # fraction bits of the features
_GAIN_INTERVALS = 32  # the gain's table has one quadratic piece an octave
_LOG_SEGMENTS = 128  # the logarithm's table has so many straight pieces an octave
_UINT32 = 2**32 - 1


class Micro:
    """Rows of a `micro` front end; it remembers the noise that it heard.

    Args:
        front_end: Of kind `micro`.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        assert front_end.adaptation is not None
        self._adaptation = front_end.adaptation
        self._tables = _tables(front_end)
        self._fft_size = front_end.fft_size
        # By how many bits the transform's scaling exceeds that of the weights' root.
        self._excess = front_end.fft_size.bit_length() - 1 - _WEIGHT_BITS // 2
        self._noise = np.zeros(front_end.bins, np.int64)

    def rows(self, frames: Floats) -> Floats:
        """Turn the next frames of a sound into rows of features.

        Args:
            frames: Shape (k, frame_samples), in [-1, 1].

        Returns:
            Shape (k, bins): integers, before mean and std.
        """
        signal = self._bands(frames)
        noise = self._noises(signal)
        return self._logarithms(self._evened(self._reduced(signal, noise), noise))

    def _bands(self, frames: Floats) -> Integers:
        """Return the root of the energy in each band, shape (k, bins)."""
        samples = np.clip(np.rint(frames * np.float32(32768)), -32768, 32767)
        weighed = (samples.astype(np.int64) * self._tables.window) >> _WINDOW_BITS
        loudest = np.abs(weighed).max(axis=1, keepdims=True)
        shift = np.maximum(15 - _bit_length(loudest), 0)
        padded = np.zeros((len(frames), self._fft_size), np.int64)
        padded[:, : weighed.shape[1]] = weighed << shift
        real, imaginary = fixed_rfft(padded)
        energy = (real * real + imaginary * imaginary) @ self._tables.bank
        root = np.rint(np.sqrt(energy))
        # The root of what 32 bits hold is not rounded up to more than 16 bits.
        root = np.where(energy <= _UINT32, np.minimum(root, 65535), root)
        bands: Integers = root.astype(np.int64) >> shift
        return bands

    def _noises(self, signal: Integers) -> Integers:
        """Return the noise estimate of each row: a mean that forgets, shape (k, bins)."""
        smoothing = self._tables.smoothing
        entering = _raised(signal) * smoothing
        left = (1 << _SHARE_BITS) - smoothing
        noise = np.empty_like(signal)
        before = self._noise
        for row, each in zip(noise, entering, strict=True):
            np.multiply(before, left, out=row)
            np.add(row, each, out=row)
            np.right_shift(row, _SHARE_BITS, out=row)
            before = row
        self._noise = before.copy()
        return noise

    def _reduced(self, signal: Integers, noise: Integers) -> Integers:
        """Take the noise off the signal."""
        raised = _raised(signal)
        rest = (raised - np.minimum(noise, raised)) >> _NOISE_BITS
        least = (signal * _share(self._adaptation.least_signal)) >> _SHARE_BITS
        return np.asarray(np.maximum(rest, least))

    def _evened(self, signal: Integers, noise: Integers) -> Integers:
        """Divide the signal by a power of the noise; squeeze what is below it."""
        shift = self._adaptation.gain_bits - self._excess - _RATIO_BITS
        ratio = ((signal * self._gain(noise)) >> shift) & _UINT32
        spare = _RATIO_BITS - _OUTPUT_BITS
        squeezed = (ratio * ratio) >> (2 + _RATIO_BITS + spare)
        return np.where(
            ratio < 2 << _RATIO_BITS, squeezed, (ratio >> spare) - (1 << _OUTPUT_BITS)
        )

    def _gain(self, noise: Integers) -> Integers:
        """Look up the gain: a quadratic in each octave, exact at 0, 1 and 2."""
        octave = _bit_length(noise)
        constant, slope, bend = self._tables.gain[:, octave]
        place = ((noise << 11) >> octave) & 0x3FF
        curve = (((bend * place) >> 5) + (slope << 5)) * place
        gain: Integers = constant + ((curve + (1 << 14)) >> 15)
        return gain

    def _logarithms(self, signal: Integers) -> Floats:
        """Return 64 times the natural logarithm; 0 for signals up to 1."""
        raised = (signal << self._excess) & _UINT32
        octave = _bit_length(raised) - 1
        place = (np.maximum(raised, 1) << 16 >> np.maximum(octave, 0)) - (1 << 16)
        segment, within = np.divmod(place, (1 << 16) // _LOG_SEGMENTS)
        start, end = _log_table()[segment], _log_table()[segment + 1]
        binary = (octave << 16) + place + start + (((end - start) * within) >> 16)
        natural = (45426 * binary + (1 << 15)) >> 16  # 45426 / 65536 is ln 2
        scaled = np.minimum(((natural << _OUTPUT_BITS) + (1 << 15)) >> 16, 32767)
        return np.where(raised > 1, scaled, 0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Tables:
    """What is computed once a front end.

    Attributes:
        window: Shape (frame_samples,), `_WINDOW_BITS` fraction bits.
        bank: Weights, shape (fft_size / 2 + 1, bins), `_WEIGHT_BITS` fraction bits.
        smoothing: Share of a row in the noise estimate, shape (bins,).
        gain: Quadratic of each octave, shape (3, octaves): constant, slope, bend.
    """

    window: Integers
    bank: NDArray[np.float64]
    smoothing: Integers
    gain: Integers


@functools.lru_cache(maxsize=4)
def _tables(front_end: FrontEnd) -> _Tables:
    adaptation = front_end.adaptation
    assert adaptation is not None
    smoothing = np.full(front_end.bins, _share(adaptation.even_smoothing))
    smoothing[1::2] = _share(adaptation.odd_smoothing)
    excess = front_end.fft_size.bit_length() - 1 - _WEIGHT_BITS // 2
    return _Tables(
        fixed_window(front_end.frame_samples),
        fixed_bank(front_end).astype(np.float64),
        smoothing,
        gain_table(adaptation, _NOISE_BITS - excess),
    )


def fixed_window(size: int) -> Integers:
    """Return the Hann window as 12-bit fractions: 0 half a sample before and after it."""
    angle = 2 * np.pi / size * (np.arange(size) + 0.5)
    window = (0.5 - 0.5 * np.cos(angle)) * (1 << _WINDOW_BITS)
    return np.asarray(np.floor(window + 0.5), np.int64)


def fixed_bank(front_end: FrontEnd) -> Integers:
    """Return the triangles of the mel bands as 12-bit fractions, rounded down.

    A frequency's two weights are computed in single precision, as the sources do.

    Returns:
        Shape (fft_size / 2 + 1, bins).
    """
    count = front_end.fft_size // 2 + 1
    at = _mel(np.arange(count) * (front_end.sample_rate_hz / 2 / (count - 1)))
    low, high = _mel(np.array([front_end.low_hz, front_end.high_hz]))
    spacing = (high - low) / np.float32(front_end.bins + 1)
    edges = low + spacing * np.arange(front_end.bins + 2, dtype=np.float32)
    below = np.searchsorted(edges[1:], at)  # how many upper edges lie below a frequency
    inside = np.flatnonzero((at > low) & (below <= front_end.bins))
    below = below[inside]
    falling = (edges[below + 1] - at[inside]) / (edges[below + 1] - edges[below])
    bank = np.zeros((count, front_end.bins + 2), np.int64)
    bank[inside, below] = falling * (1 << _WEIGHT_BITS)
    bank[inside, below + 1] = (1 - falling) * (1 << _WEIGHT_BITS)
    return bank[:, 1:-1]


def gain_table(adaptation: Adaptation, noise_bits: int) -> Integers:
    """Return the gain (noise + offset) ** -strength, by octaves of the noise.

    Args:
        adaptation: Its parameters.
        noise_bits: Fraction bits of the noise.

    Returns:
        Shape (3, octaves): the constant, slope and bend of each octave's quadratic in the
        share of the octave; the noise's bit length chooses the octave.
    """

    def gain(noise: NDArray[np.floating]) -> Integers:
        real = noise.astype(np.float32) / np.float32(1 << noise_bits)
        power = (real + np.float32(adaptation.gain_offset)) ** -np.float32(
            adaptation.gain_strength
        )
        exact = np.float32(1 << adaptation.gain_bits) * power
        return np.asarray(np.minimum(np.floor(exact + np.float32(0.5)), 32767), np.int64)

    starts = 2.0 ** np.arange(_GAIN_INTERVALS)
    ends = np.minimum(2 * starts, _UINT32)
    first, middle, last = gain(starts), gain(1.5 * starts), gain(ends)
    slope = 4 * (middle - first) - (last - first)
    bend = last - first - slope
    table = np.zeros((3, _GAIN_INTERVALS + 1), np.int64)
    table[:, 1:] = first, slope, bend
    table[:, 0] = gain(np.zeros(1))[0], 0, 0
    table[1:, 1] = 0  # a noise of 1 is exact
    return table


@functools.lru_cache(maxsize=1)
def _log_table() -> Integers:
    """How far the binary logarithm lies above its chord, 16 fraction bits."""
    share = np.arange(_LOG_SEGMENTS + 1) / _LOG_SEGMENTS
    return np.asarray(np.rint((np.log2(1 + share) - share) * (1 << 16)), np.int64)


def _mel(hz: NDArray[np.floating]) -> Floats:
    return np.asarray(1127.0 * np.log1p(hz.astype(np.float32) / np.float32(700.0)), np.float32)


def _share(value: float) -> int:
    return int(value * (1 << _SHARE_BITS))


def _raised(signal: Integers) -> Integers:
    """Give a signal the fraction bits of the noise, in 32 bits."""
    return (signal << _NOISE_BITS) & _UINT32


def _bit_length(values: Integers) -> Integers:
    """How many bits each value takes; 0 for 0."""
    return np.asarray(np.frexp(values.astype(np.float64))[1], np.int64)

"""Change the sample rate of a sound.

Written here, in numpy alone, because the device must do what training did and the libraries
for it (scipy, soxr) are large or have no wheel on small boards.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError

LOWEST_HZ, HIGHEST_HZ = 1000, 192_000  # sample rates that sound has
_ZEROS = 64  # zero crossings of the sinc on each side
_ROLLOFF = 0.955  # half of the amplitude is left at this share of the lower Nyquist frequency
_BETA = 9.0  # Kaiser window: 90 dB
_BANKED = 1024  # phases for which the weights are kept
_BLOCK = 2**18  # weights that are handled at once, 2 MB in double precision


def resample(wave: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Resample by a windowed sinc, evaluated exactly at each output sample.

    Passes frequencies up to 0.91 of the lower Nyquist frequency within 0.01 % and suppresses
    those above it by 90 dB. Linear phase: sample 0 stays at time 0. Beyond its ends the
    sound is taken as silent.

    Args:
        wave: Shape (samples,).
        from_hz: Its sample rate.
        to_hz: The rate wanted.

    Returns:
        Shape (ceil(samples * to_hz / from_hz),).

    Raises:
        DataError: A rate is outside `LOWEST_HZ`..`HIGHEST_HZ`.
    """
    whole = Resampler(from_hz, to_hz)
    if whole.idle or not wave.size:
        return wave
    return np.concatenate([whole.push(wave), whole.finish()])


class Resampler:
    """Resample a sound that comes in pieces: what `resample` makes of the whole, bit for bit.

    An output sample leaves as soon as the last input sample that it is made of has come:
    4 ms after its own place for a rate of 16 kHz.

    Args:
        from_hz: The sample rate of the pieces.
        to_hz: The rate wanted.

    Raises:
        DataError: A rate is outside `LOWEST_HZ`..`HIGHEST_HZ`.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        for rate in (from_hz, to_hz):
            if not LOWEST_HZ <= rate <= HIGHEST_HZ:
                msg = f"A sample rate of {rate} Hz is not usable ({LOWEST_HZ} to {HIGHEST_HZ})."
                raise DataError(msg)
        divisor = math.gcd(from_hz, to_hz)
        self._up, self._down = to_hz // divisor, from_hz // divisor
        self._half = _half(self._up, self._down)
        self._held = np.zeros(0, np.float32)
        self._begin()

    @property
    def idle(self) -> bool:
        """Whether the rates are the same, so that nothing is to be done."""
        return self._up == self._down

    def push(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take in a piece and return the samples that are complete, maybe none.

        Args:
            wave: Shape (samples,).
        """
        if self.idle or not wave.size:
            return wave
        self._held = np.concatenate([self._held, wave])
        self._came += wave.size
        return self._until(-(-(self._came - self._half) * self._up // self._down))

    def finish(self) -> NDArray[np.float32]:
        """Return the rest, with silence after it; a sound that is begun anew may follow."""
        if self.idle:
            return self._held
        silence = np.zeros(self._half + self._down // self._up + 1, np.float32)
        self._held = np.concatenate([self._held, silence])
        rest = self._until(-(-self._came * self._up // self._down))
        self._begin()
        return rest

    def _begin(self) -> None:
        self._came = 0  # input samples
        self._made = 0  # output samples
        self._first = 1 - self._half  # which input sample the first of those held is
        self._held = np.zeros(0 if self.idle else self._half - 1, np.float32)

    def _until(self, end: int) -> NDArray[np.float32]:
        """Return the outputs that were not made yet, up to one of a number."""
        first, self._made = self._made, max(end, self._made)
        made = np.empty(self._made - first, np.float32)
        taps = 2 * self._half
        block = max(_BLOCK // taps, 1)
        for begin in range(first, self._made, block):
            outputs = np.arange(begin, min(begin + block, self._made), dtype=np.int64)
            made[outputs - first] = self._at(outputs)
        ahead = self._made * self._down // self._up + 1 - self._half
        self._held = self._held[ahead - self._first :]
        self._first = ahead
        return made

    def _at(self, outputs: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return outputs, by their numbers."""
        starts, phases = np.divmod(outputs * self._down, self._up)
        banked = self._up <= _BANKED
        weights = (
            _bank(self._up, self._down)[phases]
            if banked
            else _weights(phases, self._up, self._down)
        )
        windows = np.lib.stride_tricks.sliding_window_view(self._held, 2 * self._half)
        places = starts + 1 - self._half - self._first
        made: NDArray[np.float32] = np.einsum("ij,ij->i", windows[places], weights)
        return made


@functools.lru_cache(maxsize=8)
def _bank(up: int, down: int) -> NDArray[np.float32]:
    """Weights for all places that an output can have between two input samples."""
    return _weights(np.arange(up), up, down)


def _weights(phases: NDArray[np.int64], up: int, down: int) -> NDArray[np.float32]:
    """Weights of the input samples around outputs that lie phase / up after one of them.

    Returns:
        Shape (phases, taps); each row sums to 1.
    """
    half = _half(up, down)
    cutoff = _ROLLOFF * min(1.0, up / down)
    distance = np.arange(1 - half, half + 1) - phases[:, np.newaxis] / up
    window = np.interp(np.abs(distance), *_window(half))
    taps = np.sinc(cutoff * distance) * window
    weights: NDArray[np.float32] = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights


@functools.lru_cache(maxsize=8)
def _window(half: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distances from 0 to half and the Kaiser window there, to 1e-7 between them."""
    share = np.linspace(0, 1, 8192)
    return share * half, np.i0(_BETA * np.sqrt(1 - share**2))


def _half(up: int, down: int) -> int:
    """How many input samples on each side an output sample is made of."""
    return math.ceil(_ZEROS * max(1.0, down / up))

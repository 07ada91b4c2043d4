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
    for rate in (from_hz, to_hz):
        if not LOWEST_HZ <= rate <= HIGHEST_HZ:
            msg = f"A sample rate of {rate} Hz is not usable ({LOWEST_HZ} to {HIGHEST_HZ})."
            raise DataError(msg)
    divisor = math.gcd(from_hz, to_hz)
    up, down = to_hz // divisor, from_hz // divisor
    if up == down or not wave.size:
        return wave
    taps = 2 * _half(up, down)
    padded = np.pad(wave, (taps // 2, taps // 2 + down // up + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps)
    bank = _bank(up, down) if up <= _BANKED else None
    result = np.empty(-(-wave.size * up // down), np.float32)
    block = max(_BLOCK // taps, 1)
    for first in range(0, result.size, block):
        outputs = np.arange(first, min(first + block, result.size), dtype=np.int64)
        starts, phases = np.divmod(outputs * down, up)
        weights = _weights(phases, up, down) if bank is None else bank[phases]
        result[outputs] = np.einsum("ij,ij->i", windows[starts + 1], weights)
    return result


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

"""Change the sample rate of a sound.

Written here, in numpy alone, because the device must do exactly what training did and the
libraries for it (scipy, soxr) are large or have no wheel on small boards.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DataError

LOWEST_HZ, HIGHEST_HZ = 1000, 768_000  # sample rates that sound has
_ZEROS = 64  # zero crossings of the sinc on each side
_ROLLOFF = 0.955  # half of the amplitude is left at this share of the lower Nyquist frequency
_BETA = 9.0  # Kaiser window: 90 dB


def resample(wave: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Resample by a windowed sinc, evaluated exactly at each output sample.

    Passes frequencies up to 0.91 of the lower Nyquist frequency within 0.1 % and suppresses
    those above it by 80 dB. Linear phase: sample 0 stays at time 0. Beyond its ends the
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
    count = -(-wave.size * up // down)
    half = math.ceil(_ZEROS * max(1.0, down / up))
    padded = np.pad(wave, (half, half + down // up + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)
    result = np.empty(count, np.float32)
    for first in range(min(up, count)):
        # Output samples `up` apart lie at the same fraction between two input samples.
        start, phase = divmod(first * down, up)
        outputs = len(range(first, count, up))
        rows = windows[start + 1 : start + 2 + (outputs - 1) * down : down]
        result[first::up] = rows @ _taps(phase, up, down)
    return result


@functools.lru_cache(maxsize=4096)
def _taps(phase: int, up: int, down: int) -> NDArray[np.float32]:
    """Weights of the input samples around an output that lies phase / up after one of them."""
    cutoff = _ROLLOFF * min(1.0, up / down)
    half = math.ceil(_ZEROS * max(1.0, down / up))
    distance = np.arange(1 - half, half + 1) - phase / up
    inside = np.clip(1 - (distance / half) ** 2, 0, None)
    window = np.i0(_BETA * np.sqrt(inside)) / np.i0(_BETA) * (np.abs(distance) <= half)
    taps = np.sinc(cutoff * distance) * window
    weights: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return weights

"""Find the word in a recording that is longer than a model's window.

The same function cuts the clips of training, calibration and evaluation.
"""

import numpy as np
from numpy.typing import NDArray

_HOP_S = 0.01
_QUIET = 0.2  # this share of a recording is taken as its background
_ABOVE_DB = 6.0  # what is louder than the background by less is background too
_LOUD_DB = 30.0  # louder than that by so much is loud: a click counts no more than speech
_PLATEAU = 0.98  # windows that hold this share of the best one's loudness are as good
_NOTHING = 1e-9  # power of -90 dB
_GAP = 12  # hops of silence that a word may have inside: the closure of a stop

Wave = NDArray[np.float32]


def align(wave: Wave, samples: int, sample_rate_hz: int) -> Wave:
    """Cut the window out of a recording that holds its word, in the middle.

    The window with most sound above the background is chosen; a shorter recording stands
    between zeros, so that its word is in the middle as far as nothing is lost.

    Args:
        wave: Shape (n,), in [-1, 1].
        samples: Length of the window.
        sample_rate_hz: Rate of the sound.

    Returns:
        Shape (samples,).
    """
    start = window_start(wave, samples, sample_rate_hz)
    cut = wave[max(start, 0) : start + samples]
    before = max(-start, 0)
    return np.pad(cut, (before, samples - before - cut.size)) if cut.size < samples else cut


def window_start(wave: Wave, samples: int, sample_rate_hz: int) -> int:
    """Return where the window begins that `align` cuts; negative where zeros come first.

    Args:
        wave: Shape (n,), in [-1, 1].
        samples: Length of the window.
        sample_rate_hz: Rate of the sound.
    """
    hop = hop_samples(sample_rate_hz)
    length = max(samples // hop, 1)
    weights = np.pad(prominence(wave, sample_rate_hz), length)
    held = np.convolve(weights, np.ones(length), "valid")  # window i starts at hop i - length
    if held.max(initial=0.0) <= 0:
        return (wave.size - samples) // 2
    best = int(held.argmax())
    below = np.flatnonzero(held < _PLATEAU * held[best])
    first = int(below[below < best].max(initial=-1)) + 1
    last = int(below[below > best].min(initial=len(held))) - 1
    start = int(((first + last) / 2 - length) * hop)
    low, high = sorted((0, wave.size - samples))
    return min(max(start, low), high)


def word_span(wave: Wave, sample_rate_hz: int) -> tuple[int, int] | None:
    """Return the samples between which the loudest word of a recording lies.

    Silence of up to 120 ms inside it belongs to it.

    Args:
        wave: Shape (n,), in [-1, 1].
        sample_rate_hz: Rate of the sound.

    Returns:
        Its first sample and the one after its last, or None if nothing stands out.
    """
    weights = prominence(wave, sample_rate_hz)
    loud = np.flatnonzero(weights > weights.max(initial=0.0) / 4)
    if not loud.size:
        return None
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > _GAP + 1) + 1)
    word = max(parts, key=lambda part: float(weights[part].sum()))
    hop = hop_samples(sample_rate_hz)
    return int(word[0]) * hop, min((int(word[-1]) + 1) * hop, wave.size)


def prominence(wave: Wave, sample_rate_hz: int) -> NDArray[np.float64]:
    """Return how far each 10 ms stand out of the background of a recording, in dB, 0 to 24.

    Args:
        wave: Shape (n,), in [-1, 1].
        sample_rate_hz: Rate of the sound.

    Returns:
        Shape (n / 10 ms,), rounded up.
    """
    hop = hop_samples(sample_rate_hz)
    hops = -(-wave.size // hop)
    padded = np.pad(wave, (0, hops * hop - wave.size)).astype(np.float64).reshape(hops, hop)
    power = np.pad((padded**2).mean(axis=1), 1)
    power = (power[:-2] + power[1:-1] + power[2:]) / 3
    level = 10 * np.log10(power + _NOTHING)
    heard = level[power > _NOTHING]  # zeros that somebody put around it are no background
    floor = np.quantile(heard, _QUIET) if heard.size else np.inf
    above: NDArray[np.float64] = np.clip(level - floor - _ABOVE_DB, 0.0, _LOUD_DB - _ABOVE_DB)
    return above


def hop_samples(sample_rate_hz: int) -> int:
    """Return the samples of 10 ms."""
    return max(round(_HOP_S * sample_rate_hz), 1)

"""Invented noises: whatever a room may hold beside a voice and the noises that are given."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit_converters.train.keywords.augment import coloured, level

Wave = NDArray[np.float32]
Random = np.random.Generator
Maker = Callable[[int, int, Random], Wave]  # of a number of samples at a rate in Hz

_LOWEST_HZ, _HIGHEST = 150.0, 0.4  # of a tone; the highest as a share of the sample rate
_MOST_TONES, _MOST_HARMONICS = 4, 4
_STEADY = 0.4  # share of tones without a break
_KNOCK_S = 0.25  # until a knock is over
_LEVEL = 0.1


def tones(samples: int, rate: int, rng: Random) -> Wave:
    """Make whistles and beeps: tones of steady pitch with harmonics, and a little hiss.

    Args:
        samples: Its length.
        rate: Its sample rate in Hz.
        rng: The draws.
    """
    made = np.zeros(samples)
    t = np.arange(samples) / rate
    highest = _HIGHEST * rate
    for _ in range(int(rng.integers(1, _MOST_TONES + 1))):
        hz = np.exp(rng.uniform(np.log(_LOWEST_HZ), np.log(highest)))
        for number in range(1, int(rng.integers(1, _MOST_HARMONICS + 1)) + 1):
            if number * hz > highest:
                break
            gain = 10 ** (-rng.uniform(0, 20) / 20) if number > 1 else 1.0
            tone = gain * np.sin(2 * np.pi * number * hz * t + rng.uniform(0, 2 * np.pi))
            if rng.random() >= _STEADY:
                tone *= _breaks(samples, rate, rng)
            made += tone
    hiss = rng.normal(size=samples) * 10 ** (-rng.uniform(15, 45) / 20)
    return _levelled(made / (made.std() + 1e-9) + hiss)


def knocks(samples: int, rate: int, rng: Random) -> Wave:
    """Make steps, keys and doors: bursts of a band of noise that die away.

    Args:
        samples: Its length.
        rate: Its sample rate in Hz.
        rng: The draws.
    """
    size = round(_KNOCK_S * rate)
    made = rng.normal(0, 1e-4, samples + size)
    t = np.arange(size) / rate
    octaves = np.log2(np.fft.rfftfreq(size, 1 / rate) + 1)
    for _ in range(max(1, round(samples / rate * rng.uniform(1, 15)))):
        middle = rng.uniform(np.log2(200), np.log2(_HIGHEST * rate))
        width = rng.uniform(0.15, 1.5)
        band = np.exp(-0.5 * ((octaves - middle) / width) ** 2)
        burst = np.fft.irfft(np.fft.rfft(rng.normal(size=size)) * band, size)
        burst *= np.exp(-t * np.exp(rng.uniform(np.log(15), np.log(400))))
        at = int(rng.integers(samples))
        gain = 10 ** (-rng.uniform(0, 15) / 20)
        made[at : at + size] += burst * (gain / (np.abs(burst).max() + 1e-9))
    return _levelled(made[:samples])


KINDS: Sequence[Maker] = (coloured, coloured, tones, knocks)


def invented(samples: int, rate: int, rng: Random) -> Wave:
    """Make a noise of one of `KINDS`.

    Args:
        samples: Its length.
        rate: Its sample rate in Hz.
        rng: The draws.
    """
    return KINDS[int(rng.integers(len(KINDS)))](samples, rate, rng)


def _breaks(samples: int, rate: int, rng: Random) -> NDArray[np.float64]:
    """Return what is 1 and 0 in turns, half a time to eight times a second."""
    count = max(2, round(samples / rate * rng.uniform(0.5, 8)))
    on = rng.random(count) < 0.6
    on[int(rng.integers(count))] = True
    edges = np.linspace(0, samples, 8 * count)
    return np.interp(np.arange(samples), edges, np.repeat(on, 8))


def _levelled(wave: NDArray[np.float64]) -> Wave:
    made = wave.astype(np.float32)
    return made * np.float32(_LEVEL / level(made))

"""Other rooms, voices, microphones and noises for the same words.

What happens to a voice before the microphone and inside it is linear and is done at once in
its spectrum: speed (with pitch), echo of a room, the ups and downs of a microphone and its
limits. Noise is added afterwards.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
Random = np.random.Generator

_LEVELS_DB = (-45.0, -8.0)  # loudness of the voice, root of the mean square
_RATIOS_DB = (-8.0, 15.0)  # voice to noise
# Lengths of fast transforms: even, no prime factor above 5.
_FAST = np.array(
    sorted(
        size
        for two in range(1, 31)
        for three in range(20)
        for five in range(14)
        if 64 <= (size := 2**two * 3**three * 5**five) <= 2**30
    )
)
_TINY = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What lies between a mouth and the samples, drawn at random.

    Attributes:
        speed: How much faster, and higher, the voice is.
        echo_s: Time in which the echo decays by 60 dB; 0: no room.
        direct_db: How much louder the direct sound is than the echo.
        tilt_db: Rise from the lowest to the highest frequency.
        bumps_db: Gain at some frequencies between them, at equal distances.
        low_hz: Frequencies below are weakened; 0: none.
        high_hz: Frequencies above are cut off; infinite: none.
    """

    speed: float = 1.0
    echo_s: float = 0.0
    direct_db: float = 10.0
    tilt_db: float = 0.0
    bumps_db: tuple[float, ...] = (0.0, 0.0)
    low_hz: float = 0.0
    high_hz: float = float("inf")


def draw_way(rng: Random) -> Way:
    """Draw a way from the mouth to the samples."""
    return Way(
        speed=float(rng.uniform(0.85, 1.18)),
        echo_s=float(rng.uniform(0.1, 0.7)) if rng.random() < 0.45 else 0.0,
        direct_db=float(rng.uniform(-3, 15)),
        tilt_db=float(rng.uniform(-8, 8)),
        bumps_db=tuple(rng.normal(0, 2.5, 8).tolist()),
        low_hz=float(rng.uniform(80, 400)) if rng.random() < 0.3 else 0.0,
        high_hz=float(rng.uniform(2500, 7500)) if rng.random() < 0.4 else float("inf"),
    )


def travel(wave: Wave, rate: int, way: Way, rng: Random) -> Wave:
    """Send a sound along a way.

    Args:
        wave: Shape (n,).
        rate: Its sample rate in Hz.
        way: The way.
        rng: Draws the echo.

    Returns:
        Shape (about n / speed,), to 2 %: lengths are those that can be transformed fast. The
        echo's end is cut off; the direct sound keeps its place, but for the speed.
    """
    tail = round(min(way.echo_s, 0.5) * rate)
    size = _fast(wave.size + tail + rate // 20)
    out = _fast(size / way.speed)
    stretched = size / out
    spectrum = np.fft.rfft(wave, size)
    if tail:
        spectrum = spectrum * np.fft.rfft(_echo(tail, rate, way, rng), size)
    hz = np.arange(spectrum.size, dtype=np.float32) * np.float32(rate / size)
    spectrum = spectrum * _gain(hz, rate, way)
    kept = np.zeros(out // 2 + 1, np.complex64)
    both = min(kept.size, spectrum.size)
    kept[:both] = spectrum[:both]
    moved = np.fft.irfft(kept, out) * np.float32(out / size)
    return moved[: round(wave.size / stretched)].astype(np.float32)


def _fast(size: float) -> int:
    """Return a length that transforms are fast for, about 2 % longer at most."""
    return int(_FAST[np.searchsorted(_FAST, size)])


def _echo(tail: int, rate: int, way: Way, rng: Random) -> Wave:
    """Return the answer of a room to a click: the click and a noise that decays."""
    decay = np.exp(-6.91 * np.arange(tail, dtype=np.float32) / np.float32(way.echo_s * rate))
    late = rng.standard_normal(tail, np.float32) * decay
    late[: rate // 500] = 0
    late *= 10 ** (-way.direct_db / 20) / (np.sqrt(np.square(late).sum()) + _TINY)
    late[0] = 1
    return np.asarray(late, np.float32)


def _gain(hz: Wave, rate: int, way: Way) -> Wave:
    """Return what a microphone makes of each frequency."""
    places = np.linspace(0, rate / 2, len(way.bumps_db))
    db = np.interp(hz, places, way.bumps_db) + way.tilt_db * (hz / (rate / 2) - 0.5)
    gain = 10 ** (db / 20)
    if way.low_hz:
        gain /= np.sqrt(1 + (way.low_hz / np.maximum(hz, 1.0)) ** 4)
    if way.high_hz < rate / 2:
        gain /= np.sqrt(1 + (hz / way.high_hz) ** 16)
    return gain.astype(np.float32)


def level(wave: Wave) -> float:
    """Return the root of the mean square."""
    return (
        float(np.sqrt(np.square(wave, dtype=np.float64).mean() + _TINY)) if wave.size else 0.0
    )


def mixed(wave: Wave, voice: float, noise: Wave, rng: Random) -> Wave:
    """Add noise at a drawn ratio and set the whole to a drawn loudness.

    Args:
        wave: Shape (n,).
        voice: Level of the voice in it.
        noise: Shape (n,).
        rng: The draws.

    Returns:
        Shape (n,), in [-1, 1]; loud ones are clipped now and then, as microphones do.
    """
    if rng.random() < 0.8:
        ratio = 10 ** (rng.uniform(*_RATIOS_DB) / 20)
        wave = wave + noise * np.float32(voice / (ratio * level(noise) + _TINY))
    return at_level(wave, voice, rng)


def at_level(wave: Wave, voice: float, rng: Random) -> Wave:
    """Set a sound to a drawn loudness, in [-1, 1]."""
    wanted = 10 ** (rng.uniform(*_LEVELS_DB) / 20)
    gain = wanted / (voice + _TINY)
    if rng.random() < 0.95:  # not clipped
        gain = min(gain, 0.99 / (float(np.abs(wave).max(initial=0.0)) + _TINY))
    return np.asarray(np.clip(wave * np.float32(gain), -1, 1), np.float32)


def coloured(samples: int, rate: int, rng: Random) -> Wave:
    """Make a noise: of any colour, with or without peaks, steady or coming and going.

    Args:
        samples: Its length.
        rate: Its sample rate in Hz.
        rng: The draws.
    """
    size = _fast(samples)
    hz = np.linspace(1, rate / 2, size // 2 + 1, dtype=np.float32)
    db = -rng.uniform(-3, 9) * np.log2(hz / 1000 + 0.03)
    places = np.sort(rng.uniform(0, rate / 2, 6))
    db += np.interp(hz, places, rng.normal(0, 8, 6))
    if rng.random() < 0.3:  # a motor or the mains, with harmonics
        base = rng.uniform(50, 400)
        width = max(rate / size, base / 40)
        comb = np.abs((hz + base / 2) % base - base / 2) < width
        db = np.where(comb, db + rng.uniform(10, 30), db)
    phases = np.exp(2j * np.pi * rng.random(hz.size, np.float32)).astype(np.complex64)
    steady = np.fft.irfft(phases * (10 ** (db / 20)).astype(np.float32), size)[:samples]
    noise: Wave = steady.astype(np.float32)
    if rng.random() < 0.5:  # comes and goes
        count = int(rng.integers(3, 24))
        swell = 10 ** (rng.normal(0, 8, count) / 20)
        course = np.interp(np.linspace(0, 1, samples), np.linspace(0, 1, count), swell)
        noise *= course.astype(np.float32)
    if rng.random() < 0.1:  # crackles
        spikes = rng.random(samples) < rng.uniform(5, 60) / rate
        noise += (spikes * rng.normal(0, 30 * level(noise), samples)).astype(np.float32)
    return noise


def hide(features: Wave, rng: Random) -> Wave:
    """Hide a stretch of time and a band of frequencies (SpecAugment, arXiv 1904.08779).

    Args:
        features: Shape (frames, features), with a mean of 0 over all.
        rng: The draws.
    """
    hidden = features.copy()
    for axis, share in ((0, 0.1), (1, 0.18)):
        if rng.random() < 0.5:
            length = features.shape[axis]
            width = int(rng.integers(0, max(1, round(share * length)) + 1))
            start = int(rng.integers(0, length - width + 1))
            index = [slice(None), slice(None)]
            index[axis] = slice(start, start + width)
            hidden[tuple(index)] = 0
    return hidden

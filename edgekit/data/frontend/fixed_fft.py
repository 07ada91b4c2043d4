"""The Fourier transform of 16-bit integers that microcontrollers compute.

It is the arithmetic of KISS FFT with 16-bit samples: decimation in time by 4, and by 2 where
a factor of 2 is left; every stage scales down by its radix, every product is rounded to 16
bits. The integers stand in double precision, which holds all of them and their products
exactly, so that numpy's complex numbers do the work.

Source: https://github.com/mborgerding/kissfft
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]

_ONE = 2.0**15
_MOST = 32767  # stands for 1.0


@dataclass(frozen=True, slots=True)
class _Stage:
    """One stage of the transform.

    Attributes:
        radix: How many transforms it joins to one.
        scale: What every value is multiplied by first.
        turns: Twiddle factors, shape (radix, length of the transforms that are joined).
    """

    radix: int
    scale: float
    turns: Complex


def fixed_rfft(samples: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transform real 16-bit samples.

    Args:
        samples: Shape (k, n), n a power of 2 from 4 on, values in [-32768, 32767].

    Returns:
        Real and imaginary part of the transform divided by n, rounded in every stage, each
        of shape (k, n // 2 + 1).
    """
    pairs = np.ascontiguousarray(samples, np.float64).view(np.complex128)
    half = _complex_fft(pairs)
    size = half.shape[-1]
    middle = size // 2
    scale = (_MOST // 2) / _ONE
    halved = _rounded(half * scale)
    up = halved[:, 1 : middle + 1]
    # The conjugate of a 16-bit -32768 is -32768 again.
    mirrored = _wrapped(np.conj(half[:, : middle - 1 : -1][:, :middle]))
    down = _rounded(mirrored * scale)
    even = up + down
    odd = _wrapped(_rounded((up - down) * _real_turns(size)))
    low, high = even + odd, np.conj(even - odd)
    real = np.empty((samples.shape[0], size + 1))
    imaginary = np.zeros_like(real)
    real[:, 0] = halved.real[:, 0] + halved.imag[:, 0]
    real[:, size] = halved.real[:, 0] - halved.imag[:, 0]
    places = np.arange(1, middle + 1)
    for part, of_low, of_high in (
        (real, low.real, high.real),
        (imaginary, low.imag, high.imag),
    ):
        part[:, places] = np.floor(of_low / 2)
        part[:, size - places] = np.floor(of_high / 2)
    return real, imaginary


def _complex_fft(values: Complex) -> Complex:
    """Transform complex values along the last axis."""
    size = values.shape[-1]
    order, stages = _plan(size)
    values = values[:, order]
    for stage in stages:
        parts = values.reshape(len(values), -1, *stage.turns.shape)
        parts = _rounded(_rounded(parts * stage.scale) * stage.turns)
        values = _wrapped(_joined(parts)).reshape(len(values), size)
    return values


def _joined(parts: Complex) -> Complex:
    """Transform along the axis before the last, of length 2 or 4."""
    result = np.empty_like(parts)
    if parts.shape[-2] == 2:
        first, second = parts[..., 0, :], parts[..., 1, :]
        np.add(first, second, out=result[..., 0, :])
        np.subtract(first, second, out=result[..., 1, :])
        return result
    sums = parts[..., :2, :] + parts[..., 2:, :]
    differences = parts[..., :2, :] - parts[..., 2:, :]
    turned = differences[..., 1, :] * -1j
    np.add(sums[..., 0, :], sums[..., 1, :], out=result[..., 0, :])
    np.add(differences[..., 0, :], turned, out=result[..., 1, :])
    np.subtract(sums[..., 0, :], sums[..., 1, :], out=result[..., 2, :])
    np.subtract(differences[..., 0, :], turned, out=result[..., 3, :])
    return result


def _rounded(values: Complex) -> Complex:
    """Round to integers in place, halves upwards."""
    parts = values.view(np.float64)
    parts += 0.5
    np.floor(parts, out=parts)
    return values


def _wrapped(values: Complex) -> Complex:
    """Return integers as 16 bits hold them: 32768 becomes -32768."""
    parts = np.ascontiguousarray(values).view(np.float64)
    return parts.astype(np.int32).astype(np.int16).astype(np.float64).view(np.complex128)


@functools.lru_cache(maxsize=4)
def _plan(size: int) -> tuple[NDArray[np.int64], tuple[_Stage, ...]]:
    """Return the order in which values enter, and the stages from the innermost on."""
    order, stages, length = np.arange(size)[np.newaxis], [], size
    while length > 1:
        radix = 2 if length % 4 else 4
        joined = length // radix
        order = order.reshape(-1, joined, radix).swapaxes(1, 2).reshape(-1, joined)
        angle = -2 * np.pi / length * np.outer(np.arange(radix), np.arange(joined))
        turns = _turns(angle)
        turns[0] = 1
        stages.append(_Stage(radix, (_MOST // radix) / _ONE, turns))
        length = joined
    return order.ravel(), tuple(reversed(stages))


@functools.lru_cache(maxsize=4)
def _real_turns(size: int) -> Complex:
    """Twiddle factors that join the even and the odd samples of a real transform."""
    return _turns(-np.pi * (np.arange(1, size // 2 + 1) / size + 0.5))


def _turns(angle: NDArray[np.floating]) -> Complex:
    """Return exp(i angle) as 16-bit fractions."""
    parts = np.floor(0.5 + _MOST * np.cos(angle)) + 1j * np.floor(0.5 + _MOST * np.sin(angle))
    return np.asarray(parts / _ONE)

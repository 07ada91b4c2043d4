"""The parameters of a front end, as they stand in a model's manifest."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.data.resample import HIGHEST_HZ, LOWEST_HZ
from edgekit.errors import RecordError
from edgekit.records import from_json

Kind = Literal["log-mel", "mfcc", "micro"]
Spectrum = Literal["power", "magnitude"]
Window = Literal["hann", "hamming"]

_MAX_FFT = 2**16
_MAX_BINS = 1024
_MAX_FRAMES = 100_000
_LEAST_MICRO_FFT = 64  # below, the fixed-point energies would lose bits
_MOST_GAIN_BITS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """How a `micro` front end takes off steady noise and evens out loudness.

    Attributes:
        even_smoothing: Share of a row that enters the noise estimate of bands 0, 2, 4, ...
        odd_smoothing: The same for bands 1, 3, 5, ...
        least_signal: Share of a band's signal that is always left.
        gain_strength: The signal is divided by (noise + `gain_offset`) to this power.
        gain_offset: See there.
        gain_bits: Fraction bits of that gain.
    """

    even_smoothing: float = 0.025
    odd_smoothing: float = 0.06
    least_signal: float = 0.05
    gain_strength: float = 0.95
    gain_offset: float = 80.0
    gain_bits: int = 21

    def __post_init__(self) -> None:
        shares = (self.even_smoothing, self.odd_smoothing, self.least_signal)
        if not all(0 <= share <= 1 for share in (*shares, self.gain_strength)):
            msg = (
                f"An adaptation's smoothing, least_signal and gain_strength are from 0 to 1; "
                f"found {', '.join(f'{each:g}' for each in (*shares, self.gain_strength))}."
            )
            raise RecordError(msg)
        if not 0 < self.gain_offset < math.inf:
            msg = f"An adaptation's gain_offset must be above 0; found {self.gain_offset:g}."
            raise RecordError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """How a sound becomes a model's input: one row of features a step.

    Row r is made of the `frame_samples` samples from r * `step_samples` on; nothing is
    padded at the ends. The formulas stand in `docs/front-end.md`.

    Attributes:
        kind: `log-mel`: logarithm of the energy in each mel band; `mfcc`: the first
            coefficients of its cosine transform; `micro`: logarithm of the bands in 16-bit
            integers, after noise reduction and gain control.
        sample_rate_hz: Rate of the samples, which lie in [-1, 1].
        frame_samples: Samples that one row is made of.
        step_samples: Samples from one row to the next, at most `frame_samples`.
        fft_size: Length of the Fourier transform, at least `frame_samples`.
        bins: Mel bands.
        coefficients: Values that an `mfcc` row keeps, at most `bins`; 0 for other kinds.
        low_hz: Lower edge of the lowest band.
        high_hz: Upper edge of the highest band, at most half the sample rate.
        preemphasis: Share of the sample before that is taken off each sample.
        window: Weights of a frame's samples: `hann` (periodic) or `hamming` (symmetric).
        spectrum: What the bands sum: `power` or `magnitude` of the Fourier transform.
        floor: What is added to each band before the logarithm, > 0.
        adaptation: Noise reduction and gain control of `micro`; null for other kinds.
        mean: Taken off every feature.
        std: What every feature is divided by afterwards, > 0.
        limits: Lowest and highest value that a feature may have after that, or null.
        frames: Rows that the model sees at once.
    """

    kind: Kind = "log-mel"
    sample_rate_hz: int = 16_000
    frame_samples: int = 480
    step_samples: int = 320
    fft_size: int = 512
    bins: int = 40
    coefficients: int = 0
    low_hz: float = 20.0
    high_hz: float = 7600.0
    preemphasis: float = 0.0
    window: Window = "hann"
    spectrum: Spectrum = "power"
    floor: float = 1e-6
    adaptation: Adaptation | None = None
    mean: float = 0.0
    std: float = 1.0
    limits: tuple[float, float] | None = None
    frames: int = 49

    def __post_init__(self) -> None:
        for rule in (_rates, _lengths, _counts, _values, _parts):
            if problem := rule(self):
                msg = f"A front end {problem}."
                raise RecordError(msg)

    @property
    def features(self) -> int:
        """How many values a row has."""
        return self.coefficients if self.kind == "mfcc" else self.bins

    @property
    def samples(self) -> int:
        """How many samples `frames` rows are made of."""
        return self.frame_samples + (self.frames - 1) * self.step_samples

    def count(self, samples: int) -> int:
        """How many rows so many samples give."""
        if samples < self.frame_samples:
            return 0
        return (samples - self.frame_samples) // self.step_samples + 1


def load_front_end(values: dict[str, Any], where: str = "the front end") -> FrontEnd:
    """Read a front end from plain values, as `Manifest.front_end` holds them.

    Args:
        values: What JSON gave.
        where: What carries them, for messages.

    Raises:
        RecordError: A field is unknown, of the wrong type, or contradicts another.
    """
    return from_json(FrontEnd, values, where)


def _rates(each: FrontEnd) -> str:
    if not LOWEST_HZ <= each.sample_rate_hz <= HIGHEST_HZ:
        return (
            f"takes a sample rate of {LOWEST_HZ} to {HIGHEST_HZ} Hz; "
            f"found {each.sample_rate_hz}"
        )
    if not 0 <= each.low_hz < each.high_hz <= each.sample_rate_hz / 2:
        return (
            f"at {each.sample_rate_hz} Hz needs 0 <= low_hz < high_hz <= "
            f"{each.sample_rate_hz / 2:g}; found {each.low_hz:g} and {each.high_hz:g}"
        )
    return ""


def _lengths(each: FrontEnd) -> str:
    if not 2 <= each.frame_samples <= each.fft_size <= _MAX_FFT:
        return (
            f"needs 2 <= frame_samples <= fft_size <= {_MAX_FFT}; "
            f"found {each.frame_samples} and {each.fft_size}"
        )
    if each.fft_size % 2:
        return f"needs an even fft_size; found {each.fft_size}"
    if not 1 <= each.step_samples <= each.frame_samples:
        return (
            f"steps by 1 to frame_samples ({each.frame_samples}) samples; "
            f"found a step_samples of {each.step_samples}"
        )
    return ""


def _counts(each: FrontEnd) -> str:
    if not 1 <= each.bins <= _MAX_BINS:
        return f"has 1 to {_MAX_BINS} bins; found {each.bins}"
    if not 1 <= each.frames <= _MAX_FRAMES:
        return f"has 1 to {_MAX_FRAMES} frames; found {each.frames}"
    if each.kind == "mfcc" and not 1 <= each.coefficients <= each.bins:
        return (
            f"of kind mfcc has 1 to bins ({each.bins}) coefficients; found {each.coefficients}"
        )
    if each.kind != "mfcc" and each.coefficients:
        return f"of kind {each.kind} has 0 coefficients; found {each.coefficients}"
    return ""


def _values(each: FrontEnd) -> str:
    numbers = (each.floor, each.mean, each.std, *(each.limits or ()))
    if not all(map(math.isfinite, numbers)):
        return f"needs finite numbers as floor, mean, std and limits; found {numbers}"
    if each.floor <= 0 or each.std <= 0:
        return f"needs a floor and std above 0; found {each.floor:g} and {each.std:g}"
    if not 0 <= each.preemphasis < 1:
        return f"takes a preemphasis from 0 to below 1; found {each.preemphasis:g}"
    if each.limits is not None and each.limits[0] >= each.limits[1]:
        return f"needs limits that go from low to high; found {each.limits}"
    return ""


def _parts(each: FrontEnd) -> str:
    if each.kind != "micro":
        return f"of kind {each.kind} has no adaptation" if each.adaptation else ""
    if each.adaptation is None:
        return "of kind micro needs an adaptation"
    if each.window != "hann" or each.spectrum != "power" or each.preemphasis:
        return "of kind micro has window hann, spectrum power and no preemphasis"
    if each.fft_size < _LEAST_MICRO_FFT or each.fft_size & (each.fft_size - 1):
        return (
            f"of kind micro needs an fft_size that is a power of 2, at least "
            f"{_LEAST_MICRO_FFT}; found {each.fft_size}"
        )
    least = each.fft_size.bit_length() + 6
    if not least <= each.adaptation.gain_bits <= _MOST_GAIN_BITS:
        return (
            f"of kind micro with an fft_size of {each.fft_size} has {least} to "
            f"{_MOST_GAIN_BITS} gain_bits; found {each.adaptation.gain_bits}"
        )
    return ""

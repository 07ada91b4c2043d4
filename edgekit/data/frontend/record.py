"""The parameters of a front end, as they stand in a model's manifest."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from edgekit.data.resample import HIGHEST_HZ, LOWEST_HZ
from edgekit.errors import RecordError
from edgekit.records import from_json

Kind = Literal["log-mel", "mfcc"]
Spectrum = Literal["power", "magnitude"]

_MAX_FFT = 2**16
_MAX_BINS = 1024
_MAX_FRAMES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """How a sound becomes a model's input: one row of features a step.

    Row r is made of the `frame_samples` samples from r * `step_samples` on; nothing is
    padded at the ends. The formulas stand in `docs/front-end.md`.

    Attributes:
        kind: `log-mel`: logarithm of the energy in each mel band; `mfcc`: the first
            coefficients of its cosine transform.
        sample_rate_hz: Rate of the samples, which lie in [-1, 1].
        frame_samples: Samples that one row is made of.
        step_samples: Samples from one row to the next, at most `frame_samples`.
        fft_size: Length of the Fourier transform, at least `frame_samples`.
        bins: Mel bands.
        coefficients: Values that an `mfcc` row keeps, at most `bins`; 0 for other kinds.
        low_hz: Lower edge of the lowest band.
        high_hz: Upper edge of the highest band, at most half the sample rate.
        spectrum: What the bands sum: `power` or `magnitude` of the Fourier transform.
        floor: What is added to each band before the logarithm, > 0.
        mean: Taken off every feature.
        std: What every feature is divided by afterwards, > 0.
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
    spectrum: Spectrum = "power"
    floor: float = 1e-6
    mean: float = 0.0
    std: float = 1.0
    frames: int = 49

    def __post_init__(self) -> None:
        for problem, found in (
            (
                _rates(self),
                f"{self.low_hz:g} to {self.high_hz:g} Hz at {self.sample_rate_hz} Hz",
            ),
            (_lengths(self), f"{self.frame_samples}, {self.step_samples}, {self.fft_size}"),
            (_counts(self), f"{self.bins}, {self.coefficients}, {self.frames}"),
            (_values(self), f"{self.floor}, {self.mean}, {self.std}"),
        ):
            if problem:
                msg = f"A front end {problem}; found {found}."
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
        return f"takes a sample rate of {LOWEST_HZ} to {HIGHEST_HZ} Hz"
    if not 0 <= each.low_hz < each.high_hz <= each.sample_rate_hz / 2:
        return "needs 0 <= low_hz < high_hz <= half the sample rate"
    return ""


def _lengths(each: FrontEnd) -> str:
    if not 1 <= each.step_samples <= each.frame_samples:
        return "needs 1 <= step_samples <= frame_samples"
    if not 2 <= each.frame_samples <= each.fft_size <= _MAX_FFT or each.fft_size % 2:
        return f"needs 2 <= frame_samples <= fft_size <= {_MAX_FFT}, the latter even"
    return ""


def _counts(each: FrontEnd) -> str:
    if not 1 <= each.bins <= _MAX_BINS:
        return f"has 1 to {_MAX_BINS} bins"
    if not 1 <= each.frames <= _MAX_FRAMES:
        return f"has 1 to {_MAX_FRAMES} frames"
    if each.kind == "mfcc" and not 1 <= each.coefficients <= each.bins:
        return "of kind mfcc needs 1 <= coefficients <= bins"
    if each.kind != "mfcc" and each.coefficients:
        return f"of kind {each.kind} has 0 coefficients"
    return ""


def _values(each: FrontEnd) -> str:
    if not all(map(math.isfinite, (each.floor, each.mean, each.std))):
        return "needs a finite floor, mean and std"
    if each.floor <= 0 or each.std <= 0:
        return "needs a floor and std above 0"
    return ""

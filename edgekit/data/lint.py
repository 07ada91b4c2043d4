"""Look for what is usually wrong with calibration data, before it spoils a model.

Quantization takes the ranges of all tensors from these samples, so a wrong scale, a
doubled normalization or one repeated sample costs accuracy without an error anywhere.
Every finding is a suspicion in words, with a remedy; only values that are not finite, and
shapes that do not fit, are errors.

1. `few-samples`, `duplicates`, `one-class`, `missing-classes`: is it enough, and mixed?
2. `constant-samples`, `constant-channel`, `repeated-rows`: is there content?
3. `missing-normalization`, `double-normalization`, `outside-range`, `narrow-range`: do the
   values fit what the model expects?
4. `colour-order`: only for pictures from arrays, and only where it is blatant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.data.statistics import InputStatistics, Statistics
from edgekit.manifest import Preprocessing

ENOUGH = 50  # bias correction gains nothing more above it and loses 2 points at 20
DUPLICATES = 0.05  # share above which repeated samples are told
SILENT = 0.1  # same, of sounds without any content
NARROW = 0.25  # share of the declared range below which the values are suspicious
SLACK = 0.01  # same, above which they are beyond it
PER_CLASS = 5  # samples a class before one that is missing is no accident
BLUE_LEVELS, BLUE_SHARE = 25, 0.75  # by how much, and how often, blue is above red
_NAMED = 3

# What floats that stand for pixels look like, by the range that declares them.
_CODINGS = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0))


@dataclass(frozen=True, slots=True)
class Finding:
    """One suspicion about a data set.

    Attributes:
        code: Short name, e.g. `few-samples`.
        text: What was found.
        remedy: What to do about it.
    """

    code: str
    text: str
    remedy: str


def lint(
    statistics: Statistics,
    *,
    preprocessing: Preprocessing | None,
    normalizes_itself: bool,
    labels: Sequence[str] = (),
    decoded: bool = False,
) -> tuple[Finding, ...]:
    """Say what is suspicious about the samples that were fed.

    Args:
        statistics: Over the samples, as they were fed.
        preprocessing: What the model's pictures are declared to be; None without pictures.
        normalizes_itself: Whether the graph begins with a Rescaling or Normalization, and
            so expects pixels 0..255.
        labels: Names of the classes that the samples' labels number.
        decoded: Whether the pictures were decoded by edgekit, so that their colour order
            is certain.
    """
    findings = [*_amount(statistics), *_mixture(statistics, labels)]
    for name, seen in statistics.inputs.items():
        where = f"input '{name}'" if len(statistics.inputs) > 1 else "the input"
        if not seen.integer:
            findings += _content(seen, where, statistics.names)
        if not seen.integer and _pictures(seen, preprocessing):
            findings += _ranges(seen, where, preprocessing, normalizes_itself)
            findings += _colours(seen, where, preprocessing, decoded=decoded)
    return tuple(findings)


def _amount(statistics: Statistics) -> Iterator[Finding]:
    """Rule 1: how many samples, and how many different ones."""
    count = len(statistics.names)
    if count < ENOUGH:
        yield Finding(
            "few-samples",
            f"There are {count} samples; the ranges of rare activations and the correction "
            f"of biases need about {ENOUGH}.",
            f"Give {ENOUGH} to 500 samples like those the model will see.",
        )
    repeated = len(statistics.duplicates)
    if repeated > DUPLICATES * count:
        pairs = ", ".join(f"{a} = {b}" for a, b in statistics.duplicates[:_NAMED])
        yield Finding(
            "duplicates",
            f"{repeated} of {count} samples ({repeated / count:.0%}) repeat an earlier one: "
            f"{pairs}.",
            "Remove the copies, or take other samples: what repeats adds nothing to a range.",
        )


def _mixture(statistics: Statistics, labels: Sequence[str]) -> Iterator[Finding]:
    """Rule 1: which classes occur."""
    seen, count = statistics.classes, sum(statistics.classes.values())
    if len(seen) == 1 and count > 1 and len(labels) != 1:
        number = next(iter(seen))
        name = f"'{labels[number]}'" if number < len(labels) else str(number)
        yield Finding(
            "one-class",
            f"All {count} samples are of class {name}.",
            "Mix in samples of the other classes; their activations reach other ranges.",
        )
        return
    missing = [name for number, name in enumerate(labels) if number not in seen]
    if seen and missing and count >= PER_CLASS * len(labels):
        shown = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        yield Finding(
            "missing-classes",
            f"{len(missing)} of {len(labels)} classes have no sample: {shown}.",
            "Add samples of these classes.",
        )


def _content(seen: InputStatistics, where: str, names: list[str]) -> Iterator[Finding]:
    """Rule 2: samples, channels and rows that hold nothing."""
    level = (seen.high - seen.low) / 255
    empty = [name for name, span in zip(names, seen.spans, strict=True) if span <= level]
    allowed = 0 if len(seen.shape) == 3 else SILENT * len(names)
    if len(empty) > allowed:
        yield Finding(
            "constant-samples",
            f"{len(empty)} of {len(names)} samples of {where} hold one value throughout: "
            f"{', '.join(empty[:_NAMED])}.",
            "Remove them; are they blank pictures, silence, or the trace of a failed export?",
        )
        if len(empty) == len(names):
            return
    dead = [str(i) for i in np.flatnonzero(seen.minimum == seen.maximum)]
    if dead and seen.low < seen.high:
        yield Finding(
            "constant-channel",
            f"Channel {', '.join(dead[:_NAMED])} of {where} has the same value in all samples.",
            "Look at how the samples were made; a channel that was lost gets no range.",
        )
    if seen.repeated_rows > len(names) / 2:
        yield Finding(
            "repeated-rows",
            f"{seen.repeated_rows} of {len(names)} samples of {where} repeat one row.",
            "Look at how the samples were made: was a row broadcast to the whole shape?",
        )


def _pictures(seen: InputStatistics, preprocessing: Preprocessing | None) -> bool:
    """Say whether an input is fed pictures, as far as can be told.

    An input of shape (time, features, 1) looks the same; its values are beyond those of pixels
    in any coding.
    """
    if len(seen.shape) != 3 or seen.shape[-1] not in {1, 3}:
        return False
    low, high = preprocessing.input_range if preprocessing else (0.0, 0.0)
    return seen.shape[-1] == 3 or (seen.low >= min(low, -130) and seen.high <= max(high, 260))


def _ranges(
    seen: InputStatistics,
    where: str,
    preprocessing: Preprocessing | None,
    normalizes_itself: bool,
) -> Iterator[Finding]:
    """Rule 3: the values against the declared range."""
    found = f"the values of {where} reach from {seen.low:.4g} to {seen.high:.4g}"
    low, high = preprocessing.input_range if preprocessing else (seen.low, seen.high)
    span, declared = high - low, f"{low:.4g} to {high:.4g}"
    if normalizes_itself and (span <= 16 or seen.high - seen.low <= 16):
        yield Finding(
            "double-normalization",
            f"The model normalizes pixels itself, and {found}: they would be normalized twice.",
            "Feed pixels 0..255: --input-range 0,255, and arrays as uint8.",
        )
    elif _raw_pixels(seen) and not normalizes_itself and (high <= 16 or preprocessing is None):
        yield Finding(
            "missing-normalization",
            f"These are raw pixels: {found}"
            + (f", and the model expects {declared}." if preprocessing else "."),
            "Store the arrays as uint8 and they are preprocessed; floats are fed as they are.",
        )
    elif seen.low < low - SLACK * span or seen.high > high + SLACK * span:
        yield Finding(
            "outside-range",
            f"The model expects {declared}, and {found}.",
            f"Scale the arrays to {declared}, or declare what they are{_guess(seen)}.",
        )
    elif seen.high - seen.low < NARROW * span:
        yield Finding(
            "narrow-range",
            f"The model expects {declared}, and {found}: {(seen.high - seen.low) / span:.1%} "
            "of that range.",
            f"Scale the arrays to {declared}, or declare what they are{_guess(seen)}.",
        )


def _raw_pixels(seen: InputStatistics) -> bool:
    return seen.low >= 0 and 16 < seen.high <= 255


def _guess(seen: InputStatistics) -> str:
    """Name the usual range that the values fill, as an option."""
    for low, high in _CODINGS:
        slack = SLACK * (high - low)
        inside = seen.low >= low - slack and seen.high <= high + slack
        if inside and seen.high - seen.low > NARROW * (high - low):
            return f", e.g. --input-range {low:g},{high:g}"
    return ""


def _colours(
    seen: InputStatistics, where: str, preprocessing: Preprocessing | None, *, decoded: bool
) -> Iterator[Finding]:
    """Rule 4: blue far above red in nearly all pictures, as if red and blue were swapped.

    Photographs have more red than blue in the mean (flowers 118 against 79, CIFAR-10 124
    against 113 of 255); a set of nothing but ships has 20 levels more blue. So only a
    difference above that, in most of the pictures, is told.
    """
    if decoded or preprocessing is None or preprocessing.color == "gray" or seen.shape[-1] != 3:
        return
    pixels = np.array(seen.sample_means) * preprocessing.std + preprocessing.mean
    first, last = pixels[:, 0], pixels[:, 2]
    excess = last - first if preprocessing.color == "rgb" else first - last
    often = float((excess > 0).mean())
    if len(pixels) >= ENOUGH and excess.mean() > BLUE_LEVELS and often >= BLUE_SHARE:
        yield Finding(
            "colour-order",
            f"Taken as {preprocessing.color}, {often:.0%} of the pictures of {where} have more "
            f"blue than red, by {excess.mean():.0f} of 255 in the mean, which is rare for "
            "photographs.",
            "Are red and blue swapped, e.g. because OpenCV read them? Store x[..., ::-1]; if "
            "the scenes are blue, all is well.",
        )

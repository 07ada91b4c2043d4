"""Published latencies, and what they say about a model that nobody published.

`targets/anchors/<target>.toml` holds what others measured on a device, each with its source;
`benchmarks/anchors.py` writes these files. A model's time follows from theirs by its MACs:
a rough guide, so it is a range.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from edgekit.records import from_json, read_toml
from edgekit.targets import targets_dir

LEAST_REACH = 1.6  # the range is at least 1 / 1.6 to 1.6: families of nets differ by so much
_NEAREST = 6  # anchors that are asked, by how near their MACs are
_SIZE = 0.2  # of the power by which times grow with MACs, less than in proportion


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What somebody measured and published.

    Attributes:
        model: Its name.
        input: Pixels a side, as published; '' where nothing is said.
        device: The board or phone.
        scheme: Type of its values; '' where nothing is said.
        threads: CPU threads; None where nothing is said.
        delegate: What ran the operators: `cpu`, `edgetpu` or `gpu`.
        runtime: Program and version, as published.
        latency_ms: As published.
        macs: Multiply-accumulates of the model; None where they are not known.
        source: Address of the page.
        date: Of the page or of what it measured, in words.
        licence: Of the page.
    """

    model: str
    input: str
    device: str
    scheme: Literal["float32", "int8", "uint8", ""]
    threads: int | None = None
    delegate: Literal["cpu", "edgetpu", "gpu"]
    runtime: str
    latency_ms: float
    macs: float | None = None
    source: str
    date: str
    licence: str

    @property
    def what(self) -> tuple[object, ...]:
        """What was measured, and how, whatever the device."""
        integers = "int8" if self.scheme == "uint8" else self.scheme
        plain = self.model.lower().replace(" ", "")
        return (plain, self.input, integers, self.threads, self.delegate, self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """The anchors of one target.

    Attributes:
        anchors: In the order of the file.
    """

    anchors: tuple[Anchor, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What anchors say of a model.

    Attributes:
        latency_ms: Typical.
        low_ms: The range begins here.
        high_ms: And ends here.
        anchors: Those that were asked.
        notes: How, in words.
    """

    latency_ms: float
    low_ms: float
    high_ms: float
    anchors: tuple[Anchor, ...]
    notes: tuple[str, ...]


def folder() -> Path:
    """Where the anchors of targets are."""
    return targets_dir() / "anchors"


def anchored_targets() -> list[str]:
    """Names of the targets that have anchors, sorted."""
    return sorted(path.stem for path in folder().glob("*.toml"))


def read_anchors(target: str) -> tuple[Anchor, ...]:
    """Read the anchors of a target; none if nothing is published.

    Raises:
        RecordError: The file is wrong.
    """
    path = folder() / f"{target}.toml"
    if not path.is_file():
        return ()
    return from_json(Anchors, read_toml(path), str(path)).anchors


def ratios(one: Sequence[Anchor], other: Sequence[Anchor]) -> dict[tuple[object, ...], float]:
    """Return how many times longer the same things take on another device.

    Args:
        one: Anchors of a device.
        other: Of another.

    Returns:
        The second's time over the first's for all that was measured on both; where a
        target stands for several boards, of their medians.
    """
    first, second = _medians(one), _medians(other)
    return {what: second[what] / first[what] for what in first.keys() & second.keys()}


def _medians(anchors: Sequence[Anchor]) -> dict[tuple[object, ...], float]:
    times: dict[tuple[object, ...], list[float]] = defaultdict(list)
    for each in anchors:
        times[each.what].append(each.latency_ms)
    return {what: float(np.median(ms)) for what, ms in times.items()}


def guess(
    target: str, macs: float, scheme: str, delegate: str, threads: int | None
) -> Guess | None:
    """Tell a model's time on a target by its MACs.

    1. The target has anchors with known MACs: those nearest in MACs are asked.
    2. Another target has, and the same models were measured on both: its answer, times the
       ratio of the two devices.

    Args:
        target: Name of the target.
        macs: Multiply-accumulates of the model.
        scheme: Type of its values: `float32` or `int8`.
        delegate: What runs it: `cpu`, `edgetpu` or `gpu`.
        threads: CPU threads; None for whatever was published.

    Returns:
        None if nothing that was published helps.
    """
    own = read_anchors(target)
    found = by_macs(_fitting(own, scheme, delegate, threads), macs)
    if found is not None:
        return found
    return _by_relation(target, own, macs, (scheme, delegate, threads))


def _by_relation(
    target: str, own: Sequence[Anchor], macs: float, how: tuple[str, str, int | None]
) -> Guess | None:
    """Ask the target that shares most measurements; of several, the one nearest in speed."""
    found: list[tuple[int, float, Guess]] = []
    for name in anchored_targets():
        others = read_anchors(name)
        shared = list(ratios(others, own).values()) if name != target else []
        there = by_macs(_fitting(others, *how), macs) if shared else None
        if there is not None:
            apart = abs(math.log(float(np.median(shared))))
            found.append((-len(shared), apart, _scaled(there, shared, name)))
    return min(found, key=lambda each: each[:2])[2] if found else None


def _scaled(found: Guess, shared: Sequence[float], name: str) -> Guess:
    """Put a guess for one device onto another."""
    typical = float(np.median(shared))
    low, high = min(shared) / LEAST_REACH, max(shared) * LEAST_REACH
    note = (
        f"Put over from {name} by the ratio of the two devices, x {typical:.2f} in "
        f"{len(shared)} published measurement{'s' if len(shared) > 1 else ''} of both."
    )
    return Guess(
        latency_ms=found.latency_ms * typical,
        low_ms=found.low_ms * low,
        high_ms=found.high_ms * high,
        anchors=found.anchors,
        notes=(*found.notes, note),
    )


def _fitting(
    anchors: Sequence[Anchor], scheme: str, delegate: str, threads: int | None
) -> list[Anchor]:
    """Keep those of the same type and delegate, and of the threads that are asked for."""
    wanted = "int8" if scheme == "uint8" else scheme
    kept = [
        each
        for each in anchors
        if each.macs and each.delegate == delegate and each.what[2] == wanted
    ]
    if delegate != "cpu" or threads is None:
        return kept
    return [each for each in kept if each.threads == threads]


def by_macs(anchors: Sequence[Anchor], macs: float) -> Guess | None:
    """Tell a time from those of other models, the nearest in MACs.

    Times grow a little slower than MACs: with their power of 0.8 between proportion to
    the nearest and none. The range is that of the anchors' own answers, and no narrower
    than families of nets differ.
    """
    known = [each for each in anchors if each.macs]
    if not known or macs <= 0:
        return None

    def distance(each: Anchor) -> float:
        return abs(math.log(macs / (each.macs or 1.0)))

    nearest = sorted(known, key=distance)[:_NEAREST]
    told = [each.latency_ms * (macs / (each.macs or 1.0)) ** (1.0 - _SIZE) for each in nearest]
    typical = float(np.exp(np.median(np.log(told))))
    far = math.exp(_SIZE * max(distance(each) for each in nearest))
    reach = LEAST_REACH * far
    boards = ", ".join(dict.fromkeys(each.device for each in nearest))
    names = ", ".join(dict.fromkeys(each.model for each in nearest))
    return Guess(
        latency_ms=typical,
        low_ms=min(*told, typical / reach),
        high_ms=max(*told, typical * reach),
        anchors=tuple(nearest),
        notes=(f"From published times of {names} on {boards}.",),
    )

"""Compare two measurements of the same models: a change, or noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import GateError, RecordError, UsageError
from edgekit.measure import Summary
from edgekit.records import from_json, read_json, to_json

Verdict = Literal["faster", "same", "slower", "unclear"]

LEAST_NOISE = 0.02  # of the time: two sessions on the same machine differ by so much
_MOST_INDEPENDENT = 25  # runs beyond these say little more: neighbours are alike
_SIGMAS = 2.0
_P5_TO_P95 = 3.29  # standard deviations of a normal distribution
_MEDIAN_ERROR = 1.253  # of the standard error of the mean
_WORST: tuple[Verdict, ...] = ("slower", "unclear", "same", "faster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One model in both measurements.

    Attributes:
        model: Name of its file.
        old_ms: Latencies before.
        new_ms: Latencies after.
        change_pct: Change of the median; above 0 is slower.
        fast_change_pct: Change of the 5 % fastest runs.
        noise_pct: Changes up to this are no news.
        verdict: `slower` or `faster` if median and fast runs agree beyond the noise, `same`
            if neither is beyond it, else `unclear`: something else was running.
        notes: What else differs.
    """

    model: str
    old_ms: Summary
    new_ms: Summary
    change_pct: float
    fast_change_pct: float
    noise_pct: float
    verdict: Verdict
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDiff:
    """Two measurements side by side.

    Attributes:
        change_pct: Of the model with the worst verdict; of several, the largest change.
        verdict: The worst of all models.
        models: Each model that is in both.
        notes: What could not be compared.
    """

    change_pct: float
    verdict: Verdict
    models: tuple[Difference, ...]
    notes: tuple[str, ...]


def profile_diff(
    old: str | Path, new: str | Path, *, fail_if_slower: float | None = None
) -> ProfileDiff:
    """Compare what `edgekit profile --json` printed twice.

    Args:
        old: File of the earlier measurement.
        new: File of the later one.
        fail_if_slower: Percent; a model that is slower by more fails the gate. None has no
            gate.

    Raises:
        RecordError: A file is not what `profile` prints.
        UsageError: There is nothing to compare, or the gate would compare two machines.
        GateError: A model is slower by more than the gate allows.
    """
    before, after = _profiles(Path(old)), _profiles(Path(new))
    pairs, notes = _paired(before, after)
    found = tuple(_difference(*pair) for pair in pairs)
    worst = min(found, key=lambda each: (_WORST.index(each.verdict), -each.change_pct))
    diff = ProfileDiff(
        change_pct=worst.change_pct, verdict=worst.verdict, models=found, notes=notes
    )
    if fail_if_slower is not None:
        _gate(diff, pairs, fail_if_slower)
    return diff


def _profiles(path: Path) -> list[dict[str, Any]]:
    """Read the measurements of a file."""
    value = read_json(path)
    found = value.get("profiles", [value]) if isinstance(value, dict) else []
    needed = {"kind", "model", "latency_ms", "runs"}
    if not found or not all(isinstance(e, dict) and needed <= e.keys() for e in found):
        msg = f"{path} is not what `edgekit profile --json` prints."
        raise RecordError(msg)
    if wrong := next((each["kind"] for each in found if each["kind"] != "measured"), None):
        msg = f"{path} is {wrong}, not measured: estimates cannot show a change."
        raise RecordError(msg)
    return found


_Pair = tuple[dict[str, Any], dict[str, Any]]


def _paired(
    before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]
) -> tuple[list[_Pair], tuple[str, ...]]:
    """Put the measurements of each model together; single ones need no common name."""
    if len(before) == len(after) == 1:
        return [(before[0], after[0])], ()
    old = {_key(each): each for each in before}
    new = {_key(each): each for each in after}
    pairs = [(old[key], new[key]) for key in old if key in new]
    if not pairs:
        names = sorted({_name(each) for each in (*before, *after)})
        msg = f"The two files have no model in common; they hold {', '.join(names)}."
        raise UsageError(msg)
    alone = sorted({name for name, _ in old.keys() ^ new.keys()})
    return pairs, tuple(f"{name} is in one of the files only." for name in alone)


def _key(document: dict[str, Any]) -> tuple[str, str]:
    return _name(document), str(document.get("threads"))


def _name(document: dict[str, Any]) -> str:
    return str(document["model"]).replace("\\", "/").rpartition("/")[2]


def _difference(before: dict[str, Any], after: dict[str, Any]) -> Difference:
    old = from_json(Summary, before["latency_ms"], "latency_ms")
    new = from_json(Summary, after["latency_ms"], "latency_ms")
    noise = noise_of((old, int(before["runs"])), (new, int(after["runs"])))
    change, fast = _change(old.median, new.median), _change(old.p5, new.p5)
    return Difference(
        model=_name(after),
        old_ms=old,
        new_ms=new,
        change_pct=100 * change,
        fast_change_pct=100 * fast,
        noise_pct=100 * noise,
        verdict=verdict(change, fast, noise),
        notes=_notes(before, after),
    )


def _change(old: float, new: float) -> float:
    """Return the relative change.

    Raises:
        RecordError: The old latency is 0.
    """
    if old <= 0:
        msg = f"A latency of {old:g} ms cannot be compared."
        raise RecordError(msg)
    return new / old - 1.0


def noise_of(old: tuple[Summary, int], new: tuple[Summary, int]) -> float:
    """Return how far two medians may lie apart by chance, as a share.

    Twice the standard error of the difference of two medians, by the spread of the runs;
    never less than what two sessions differ by.

    Args:
        old: Latencies and how many runs they are of.
        new: Likewise.
    """
    total = 0.0
    for summary, runs in (old, new):
        sigma = (summary.p95 - summary.p5) / _P5_TO_P95 / max(summary.median, 1e-9)
        total += (_MEDIAN_ERROR * sigma) ** 2 / min(max(runs, 1), _MOST_INDEPENDENT)
    return max(LEAST_NOISE, _SIGMAS * math.sqrt(total))


def verdict(change: float, fast: float, noise: float) -> Verdict:
    """Judge a change of the median and one of the fast runs.

    >>> verdict(0.10, 0.09, 0.02), verdict(0.10, 0.00, 0.02), verdict(0.01, -0.01, 0.02)
    ('slower', 'unclear', 'same')
    """
    if max(abs(change), abs(fast)) <= noise:
        return "same"
    if min(change, fast) > noise:
        return "slower"
    return "faster" if max(change, fast) < -noise else "unclear"


def _notes(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    notes = [
        f"{name}: {before.get(name)} before, {after.get(name)} after."
        for name in ("runtime", "threads", "delegate")
        if before.get(name) != after.get(name)
    ]
    if _machine(before) != _machine(after):
        notes.append(f"Measured on {_machine(before)} before, on {_machine(after)} after.")
    return tuple(notes)


def _machine(document: dict[str, Any]) -> str:
    machine = document.get("machine") or {}
    return ", ".join(filter(None, (machine.get(k) for k in ("board", "cpu", "arch"))))


def _gate(diff: ProfileDiff, pairs: Sequence[_Pair], percent: float) -> None:
    """Fail if a model is slower by more than allowed, in its median and its fast runs.

    Raises:
        UsageError: Two machines were measured.
        GateError: A model is slower.
    """
    for before, after in pairs:
        if _machine(before) != _machine(after):
            msg = (
                f"--fail-if-slower needs one machine; {_name(after)} was measured on "
                f"{_machine(before)} and on {_machine(after)}."
            )
            raise UsageError(msg)
    slower = [
        f"{each.model} by {each.change_pct:.1f} %"
        for each in diff.models
        if each.verdict == "slower" and min(each.change_pct, each.fast_change_pct) > percent
    ]
    if slower:
        msg = f"Slower by more than {percent:g} %: {', '.join(slower)}."
        raise GateError(msg, to_json(diff))

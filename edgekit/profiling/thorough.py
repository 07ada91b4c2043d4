"""More than how long a model takes: which setting is best, each operator, and heat."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgekit.errors import UsageError
from edgekit.profiling.perop.measure import Method, per_op
from edgekit.profiling.profile import KERAS, Profile, Settings, profile_many
from edgekit.profiling.sustained import sustained
from edgekit.profiling.sweep import sweep, words
from edgekit.profiling.timing import Budget


def measure(
    paths: Sequence[str | Path],
    *,
    operators: bool = False,
    method: Method = "auto",
    settings: bool = False,
    seconds: float | None = None,
    **how: Any,
) -> tuple[Profile, ...]:
    """Measure models as `profile_many` does, and more of each of them.

    Args:
        paths: The models; a sweep and a long run take one.
        operators: Also the time of each operator.
        method: How operators are measured, as `per_op` has it.
        settings: First try threads and delegates, then measure with the best.
        seconds: Also run it so long without pause.
        **how: Options of `profile_many`.

    Raises:
        UsageError: Several models, or one that is no `.tflite`, where that does not go.
        As `profile_many` and `per_op`.
    """
    _check(paths, operators=operators, settings=settings, seconds=seconds)
    found = sweep(Path(paths[0]), _settings(how)) if settings else None
    if found is not None:
        chosen = found.recommended
        how |= {"threads": chosen.threads, "delegate": chosen.delegate}
    profiles = profile_many(paths, **how)
    if found is not None:
        notes = (*profiles[0].notes, words(found))
        profiles = (replace(profiles[0], sweep=found, notes=notes),)
    if operators:
        profiles = tuple(_with_operators(each, method, how) for each in profiles)
    if seconds is not None:
        curve = sustained(Path(paths[0]), _settings(how), seconds)
        notes = (*profiles[0].notes, *curve.notes)
        profiles = (replace(profiles[0], sustained=curve, notes=notes),)
    return profiles


def _check(
    paths: Sequence[str | Path], *, operators: bool, settings: bool, seconds: float | None
) -> None:
    if len(paths) != 1 and (settings or seconds is not None):
        what = "A sweep over settings" if settings else "A run without pause"
        msg = f"{what} takes one model; found {len(paths)}. Give one at a time."
        raise UsageError(msg)
    for path in paths:
        if Path(path).suffix.lower() in KERAS and (operators or settings):
            msg = f"{path} is no .tflite; its operators and settings are known after `convert`."
            raise UsageError(msg)


def _settings(how: dict[str, Any]) -> Settings:
    return Settings(
        backend=how.get("backend", "auto"),
        threads=how.get("threads"),
        delegate=how.get("delegate"),
        budget=replace(
            Budget(), runs=how.get("runs"), warmup_s=how.get("warmup_s", Budget().warmup_s)
        ),
    )


def _with_operators(found: Profile, method: Method, how: dict[str, Any]) -> Profile:
    ops, about = per_op(
        Path(found.model),
        backend=how.get("backend", "auto"),
        threads=found.threads,
        delegate=how.get("delegate"),
        runs=how.get("runs"),
        method=method,
    )
    return replace(found, ops=ops, per_op=about)

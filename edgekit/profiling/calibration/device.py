"""Calibrate a device: time what is to be timed there, and fit its law here."""

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import guard
from edgekit.errors import DeviceError, UsageError
from edgekit.profiling.calibration.clock import Plan, Session, models
from edgekit.profiling.calibration.fit import fit
from edgekit.profiling.calibration.record import Calibration, default_path
from edgekit.records import from_json
from edgekit.targets import load_target

LOCAL = "local"
MOST_SPREAD = 1.2  # typical over fast runs; a quiet machine has 1.00 to 1.05
_WORKER = "edgekit.profiling.calibration.clock:worker"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What came of a calibration.

    Attributes:
        path: The file.
        target: Name of the target that it stands for.
        device: Board or processor.
        runtime: Package and version.
        threads: Numbers of threads that it is for.
        ops_timed: Single operators.
        nets_timed: Nets.
        error_within_10pct: Share of the nets, each left out of the fit once, whose time is
            told within 10 %; the smallest over the numbers of threads.
        median_error: Median of their errors, the largest.
        low: What the interval around an estimate begins with, as a factor.
        high: What it ends with.
        coverage: How often it is to hold the truth.
        notes: What was unusual.
    """

    path: str
    target: str
    device: str
    runtime: str
    threads: tuple[int, ...]
    ops_timed: int
    nets_timed: int
    error_within_10pct: float
    median_error: float
    low: float
    high: float
    coverage: float
    notes: tuple[str, ...]


def calibrate_device(
    *,
    on: str = LOCAL,
    target: str = "host",
    threads: Sequence[int] = (1,),
    output: str | Path | None = None,
    seconds: float = 100.0,
    backend: str = "auto",
    even_if_busy: bool = False,
) -> Calibrated:
    """Time single operators and small nets on a device, and save its law.

    Args:
        on: The device: `local`, or an address that edgekit runs at (`ssh://user@host`).
        target: Name of its target profile, or a TOML file.
        threads: Numbers of threads, each timed and fitted alone.
        output: The file; None for the place where `estimate` looks for it.
        seconds: How long to time, all in all.
        backend: Interpreter package there.
        even_if_busy: Save it although something else was running.

    Raises:
        UsageError: The options make no sense.
        DeviceError: The device cannot be reached, or is too busy to be timed.
    """
    if not threads or min(threads) < 1 or seconds <= 0:
        msg = f"Threads and seconds must be above 0; found {list(threads)} and {seconds:g}."
        raise UsageError(msg)
    profile = load_target(target)
    if profile.delegate != "cpu":
        msg = (
            f"{profile.name} runs operators on {profile.delegate}; only the law of a CPU can "
            "be calibrated.\nMeasure whole models there: edgekit profile"
        )
        raise UsageError(msg)
    plan = Plan(threads=tuple(dict.fromkeys(threads)), seconds=seconds, backend=backend)
    session = from_json(Session, _timed(on, plan, target), "the times")
    found = calibration(session, profile.name)
    _check_quiet(found, even_if_busy=even_if_busy)
    path = Path(output) if output is not None else default_path(profile.name)
    found.write(path)
    return _summary(found, path)


def _timed(on: str, plan: Plan, target: str) -> object:
    if on == LOCAL:
        return guard.call(_WORKER, doing="timing operators", plan=plan)
    from edgekit.profiling.ways.table import call_on

    return call_on(on, _WORKER, target=None if target == "host" else target, plan=plan)


def calibration(session: Session, target: str, share: float = 1.0) -> Calibration:
    """Fit the law of a device to what it said.

    Args:
        session: The times.
        target: Name of the target that it stands for.
        share: Of the models that were timed (`Plan.share`).
    """
    timed = models(share)
    settings = tuple(
        fit(timed, timings, int(threads)) for threads, timings in session.timings.items()
    )
    machine = session.machine
    return Calibration(
        target=target,
        device=machine.board or machine.cpu or machine.arch,
        arch=machine.arch,
        runtime=session.runtime,
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        ops_timed=sum(each.alone for each in timed),
        nets_timed=sum(not each.alone for each in timed),
        settings=settings,
        notes=tuple(
            f"Busy with {each.threads} threads: typical runs took {each.spread:.2f} times "
            "what fast ones took."
            for each in settings
            if each.spread > MOST_SPREAD
        ),
    )


def _check_quiet(found: Calibration, *, even_if_busy: bool) -> None:
    """Refuse times of a busy machine.

    Raises:
        DeviceError: It was busy, and that was not to be overlooked.
    """
    if not found.notes:
        return
    if not even_if_busy:
        msg = (
            f"{found.device} is busy. {' '.join(found.notes)}\nEnd what else is running and "
            "calibrate again; --even-if-busy saves it nevertheless."
        )
        raise DeviceError(msg)
    for note in found.notes:
        _log.warning("%s", note)


def _summary(found: Calibration, path: Path) -> Calibrated:
    told = [each.accuracy for each in found.settings]
    return Calibrated(
        path=str(path),
        target=found.target,
        device=found.device,
        runtime=found.runtime,
        threads=tuple(each.threads for each in found.settings),
        ops_timed=found.ops_timed,
        nets_timed=found.nets_timed,
        error_within_10pct=min(each.within_10pct for each in told),
        median_error=max(each.median_error for each in told),
        low=min(each.low for each in told),
        high=max(each.high for each in told),
        coverage=told[0].coverage,
        notes=found.notes,
    )

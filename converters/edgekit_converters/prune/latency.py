"""How many MACs have to go for a share of the latency: tried here, or told for a target.

Each candidate is pruned and written as a float .tflite. For this machine it is timed in turns
with the original, so that a busy moment meets both alike; for another target the law of a
calibration tells both times, for the type of values that the target's models have.
Fine-tuning comes afterwards: it changes no time.
"""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from edgekit.errors import UsageError
from edgekit.flatbuffer import Graph
from edgekit.profiling.calibration.cost import as_int8
from edgekit.profiling.calibration.law import Model
from edgekit.profiling.calibration.record import Calibration, default_path
from edgekit.profiling.estimate import model_ms
from edgekit.profiling.profile import profile_many
from edgekit.progress import task
from edgekit.targets import load_target
from edgekit_converters.prune.amount import Amount
from edgekit_converters.sources import Source, fix_batch, write_float
from edgekit_converters.sources.describe import input_specs, output_names

_log = logging.getLogger(__name__)

_TRIALS = 5  # of the bisection: the share of MACs is known to 1/32 of what is possible
_MOST = 0.97  # of the MACs; what cannot go is found by trying
_WARMUP_S = 0.5


def macs_share(model: Any, smaller: Callable[[float], Any], amount: Amount) -> float:
    """Find the smallest share of MACs whose going takes enough time away.

    Args:
        model: The original.
        smaller: Makes a model without a share of the MACs; refuses too large ones.
        amount: The share of the latency that should go.

    Raises:
        UsageError: Not so much of the latency can go.
    """
    low, high, best = 0.0, _MOST, None
    with tempfile.TemporaryDirectory(prefix="edgekit-") as folder:
        race = _rival(model, Path(folder), amount)
        with task(f"Trying how many MACs make {amount}", _TRIALS) as advance:
            for _ in range(_TRIALS):
                share = (low + high) / 2
                ratio = _tried(race, smaller, share)
                if ratio is None or ratio <= 1.0 - amount.share:
                    high, best = share, (share if ratio is not None else best)
                else:
                    low = share
                advance(1)
    if best is None:
        where = "this machine" if _is_here(amount) else amount.target
        msg = (
            f"{amount} asks for {amount.share:.0%} less time; with {low:.0%} fewer MACs "
            f"{where} does not save that much.\nAsk for less."
        )
        raise UsageError(msg)
    return best


class _Rival(Protocol):
    """The original, beside which candidates are put."""

    def ratio(self, model: Any) -> float:
        """Time of a candidate beside that of the original."""


def _is_here(amount: Amount) -> bool:
    return amount.target is None or load_target(amount.target).name == "host"


def _rival(model: Any, folder: Path, amount: Amount) -> _Rival:
    if _is_here(amount):
        return _Race(model, folder)
    return _Told(model, folder, amount.target or "")


class _Told:
    """The original's time on a target by its calibration, beside which candidates are told."""

    def __init__(self, model: Any, folder: Path, target: str) -> None:
        self._folder = folder
        self._target = load_target(target)
        self._law = Calibration.read(default_path(self._target.name))
        self._before_ms = self._ms(model)

    def ratio(self, model: Any) -> float:
        """Time of a candidate beside that of the original, as the law tells them."""
        return self._ms(model) / self._before_ms

    def _ms(self, model: Any) -> float:
        path = self._folder / "told.tflite"
        _write(model, path)
        seen = Model.of(Graph(path))
        if self._target.scheme == "int8":
            seen = Model(costs=tuple(as_int8(each) for each in seen.costs), graph=seen.graph)
        return model_ms(seen, self._target, self._law)


class _Race:
    """The original's file, against which candidates are timed."""

    def __init__(self, model: Any, folder: Path) -> None:
        self._folder = folder
        self._original = folder / "before.tflite"
        _write(model, self._original)

    def ratio(self, model: Any) -> float:
        """Median time of a candidate beside that of the original."""
        candidate = self._folder / "after.tflite"
        _write(model, candidate)
        before, after = profile_many([self._original, candidate], warmup_s=_WARMUP_S)
        return after.latency_ms.median / before.latency_ms.median


def _tried(race: _Rival, smaller: Callable[[float], Any], share: float) -> float | None:
    """Time a model without a share of the MACs; None where so many cannot go."""
    try:
        candidate = smaller(share)
    except UsageError:
        return None
    ratio = race.ratio(candidate)
    _log.info("%.0f %% fewer MACs take x %.2f of the time.", 100 * share, ratio)
    return ratio


def _write(model: Any, path: Path) -> None:
    source = Source(
        kind="keras",
        model=model,
        path=Path(model.name),
        loaded_by="keras",
        inputs=input_specs(model),
        outputs=output_names(model),
    )
    write_float(fix_batch(source), path)

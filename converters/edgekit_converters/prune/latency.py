"""How many MACs have to go for a share of the latency: tried on this machine.

Each candidate is pruned, written as a float .tflite and timed in turns with the original,
so that a busy moment meets both alike. Fine-tuning comes afterwards: it changes no time.
"""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgekit.errors import UsageError
from edgekit.profiling.profile import profile_many
from edgekit.progress import task
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
        race = _Race(model, Path(folder))
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
        msg = (
            f"{amount} asks for {amount.share:.0%} less time; with {low:.0%} fewer MACs this "
            "machine does not save that much.\nAsk for less."
        )
        raise UsageError(msg)
    return best


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


def _tried(race: _Race, smaller: Callable[[float], Any], share: float) -> float | None:
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

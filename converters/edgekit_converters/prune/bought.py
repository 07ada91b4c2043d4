"""What a pruning bought: sizes, latency and metric of the files that devices run.

All files are timed in turns, so that a busy moment meets all of them alike.
"""

import gzip
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.evaluation.evaluate import Evaluation, evaluate
from edgekit.manifest import Overrides
from edgekit.measure import Summary
from edgekit.profiling.profile import profile_many
from edgekit.targets import load_target
from edgekit_converters.prune.amount import Amount, Method

_log = logging.getLogger(__name__)

BEFORE, AFTER = "before", "after"  # <name>.tflite and <name>.int8.tflite
_NOISE = 0.1  # of the time before; what is less may be chance

_WHY_NOT: dict[Method, str] = {
    "magnitude": "zeros are multiplied like any other number",
    "2:4": "zeros are multiplied like any other number",
    "block": "zeros are multiplied like any other number",
    "cluster": "values that repeat are multiplied like any others",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A model before or after pruning.

    Attributes:
        parameters: Values in all its weights.
        nonzero: Those that are not zero.
        macs: Multiply-accumulates of one sample.
        bytes: Size of its float .tflite; None if it has none, as for the rest.
        gzip_bytes: The same as a download.
        latency_ms: Of that file on this machine, both sides measured in turns.
        int8_bytes: Size of its int8 .tflite; None without calibration data.
        int8_gzip_bytes: The same as a download.
        int8_latency_ms: Of that file.
        metric: Name of the metric, of the float .tflite; None without evaluation data.
        value: Its value.
    """

    parameters: int
    nonzero: int
    macs: int
    bytes: int | None = None
    gzip_bytes: int | None = None
    latency_ms: Summary | None = None
    int8_bytes: int | None = None
    int8_gzip_bytes: int | None = None
    int8_latency_ms: Summary | None = None
    metric: str | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How the metric is measured.

    Attributes:
        evaluate: Labelled data; None for no metric.
        labels: File with the names of the classes.
        overrides: What is said about preprocessing.
        sample_rate_hz: For models of sounds.
    """

    evaluate: str | None
    labels: str | None
    overrides: Overrides
    sample_rate_hz: int | None


def measure(
    costs: Sequence[dict[str, Any]], folder: Path, wishes: Measured
) -> tuple[Side, Side]:
    """Measure both models.

    Args:
        costs: What is known of the original and the pruned model already, see `ModelCost`.
        folder: Where their files are, as far as they could be written.
        wishes: How the metric is measured.

    Raises:
        InputError: The data cannot be used.
    """
    kinds = [""]
    if all((folder / f"{name}.int8.tflite").exists() for name in (BEFORE, AFTER)):
        kinds.append(".int8")
    files = [folder / f"{name}{kind}.tflite" for kind in kinds for name in (BEFORE, AFTER)]
    if not all(file.exists() for file in files):
        if wishes.evaluate:
            _log.warning("Without a float .tflite of both, nothing was evaluated.")
        return Side(**costs[0]), Side(**costs[1])
    times = [profile.latency_ms for profile in profile_many(files)]
    sides = []
    for place, cost in enumerate(costs):
        score = _evaluate(files[place], wishes)
        quantized = place + 2 if len(files) > 2 else None
        sides.append(
            Side(
                **cost,
                bytes=files[place].stat().st_size,
                gzip_bytes=download(files[place]),
                latency_ms=times[place],
                int8_bytes=files[quantized].stat().st_size if quantized else None,
                int8_gzip_bytes=download(files[quantized]) if quantized else None,
                int8_latency_ms=times[quantized] if quantized else None,
                metric=score.metric if score else None,
                value=score.value if score else None,
            )
        )
    return sides[0], sides[1]


def download(file: Path) -> int:
    """Size of a file as a download: its bytes after gzip."""
    return len(gzip.compress(file.read_bytes(), mtime=0))


def advice(amount: Amount, before: Side, after: Side) -> str | None:
    """Say in one sentence where a pruning bought less speed than one may expect.

    1. Zeros bought none: why, and what would buy it.
    2. A share of the latency was asked for on this machine, and less is gone.
    """
    if before.latency_ms is None or after.latency_ms is None:
        return None
    one, other = before.latency_ms, after.latency_ms
    times = (
        f"a run takes {other.median:.3g} ms here ({other.p5:.3g} to {other.p95:.3g}) and took "
        f"{one.median:.3g} ms ({one.p5:.3g} to {one.p95:.3g})"
    )
    gone = 1 - other.median / one.median
    if amount.method in _WHY_NOT and gone < _NOISE:
        why = f"because {_WHY_NOT[amount.method]}; --method channels makes a model faster"
        return f"No speed was bought: {times}, {why}."
    here = amount.target is not None and load_target(amount.target).name == "host"
    if amount.kind == "latency" and here and gone < amount.share - _NOISE / 2:
        busy = "The machine may be busy: ask again when it is idle, or ask for more"
        return (
            f"{amount.share:.0%} of the time were to go, and {gone:.0%} went: {times}. {busy}."
        )
    return None


def _evaluate(file: Path, wishes: Measured) -> Evaluation | None:
    if wishes.evaluate is None:
        return None
    from edgekit.data import read_labels

    return evaluate(
        file,
        wishes.evaluate,
        labels=read_labels(Path(wishes.labels)) if wishes.labels else (),
        overrides=wishes.overrides,
        sample_rate_hz=wishes.sample_rate_hz,
    )

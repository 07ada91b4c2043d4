"""Read the JSON of `litert-benchmark --result_json`."""

from typing import Any

from edgekit.errors import RecordError
from edgekit.profiling.recorded.recording import Recording

TOOL = "litert-benchmark"


def is_litert(values: Any) -> bool:
    """Whether a document is its."""
    return isinstance(values, dict) and isinstance(values.get("latency"), dict)


def read_litert(values: dict[str, Any], where: str) -> Recording:
    """Read the document; its times have two decimals.

    Raises:
        RecordError: A field is missing or no number.
    """
    latency = values["latency"]
    wanted = ("num_runs", "avg_ms", "min_ms", "max_ms", "median_ms", "p5_ms", "p95_ms")
    number = {name: _number(latency, name, where) for name in wanted}
    said = {
        name: _maybe(latency.get(name)) for name in ("init_ms", "warmup_first_ms", "std_ms")
    }
    accelerators = values.get("accelerators")
    size = _maybe(values.get("model_size_mb")) or 0.0
    threads = _maybe(values.get("num_threads"))
    return Recording(
        tool=TOOL,
        model=str(values.get("model", "unknown")),
        bytes=round(1e6 * size),
        runs=int(number["num_runs"]),
        warmup_runs=int(_maybe(latency.get("num_warmup_runs")) or 0),
        min_ms=number["min_ms"],
        max_ms=number["max_ms"],
        mean_ms=number["avg_ms"],
        std_ms=said["std_ms"],
        p5_ms=number["p5_ms"],
        median_ms=number["median_ms"],
        p95_ms=number["p95_ms"],
        init_ms=said["init_ms"],
        first_ms=said["warmup_first_ms"],
        threads=int(threads) if threads and threads > 0 else None,
        delegate=_accelerator(accelerators),
    )


def _number(values: dict[str, Any], name: str, where: str) -> float:
    found = _maybe(values.get(name))
    if found is None:
        msg = f"{where}: latency.{name} must be a number; found {values.get(name)!r}."
        raise RecordError(msg)
    return found


def _maybe(value: Any) -> float | None:
    """A number, or None."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain else None


def _accelerator(said: Any) -> str | None:
    names = said if isinstance(said, list) else [said]
    return "+".join(str(name).lower() for name in names if name) or None

"""Read what Google's benchmark_model prints, in all known generations.

* TF 1.x: `Average inference timings in us: Warmup: ..., Init: ..., Inference: ...`
* 2020 to 2022: `count=50 first=... min=... max=... avg=... std=...`
* later: every line begins with `INFO: `, on Android and iOS after the system's own prefix
* LiteRT: `p5=... median=... p95=...` in addition, `[file.h:88] ` before texts
"""

import re
from collections.abc import Sequence

from edgekit.errors import InputError
from edgekit.profiling.recorded.operators import read_operators
from edgekit.profiling.recorded.recording import Recording

TOOL = "benchmark_model"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PREFIX = re.compile(r"^.*?\b(?:INFO|WARNING|VERBOSE): ")
_SYSTEM = re.compile(r"^\d{4}-\d\d-\d\d \S+ \S+\[\d+:\d+\] ")
_PLACE = re.compile(r"^\[\S+:\d+\] ")
_NUMBER = r"(-?\d{1,15}(?:\.\d*)?(?:e[-+]?\d{1,2})?)"
_PAIR = re.compile(rf"(\w+)={_NUMBER}")
_ENDED = re.compile(r"(?:Average )?[Ii]nference timings in us: (.*)")
_ITEM = re.compile(rf"([A-Z][^:,]*): {_NUMBER}")
_DELEGATES = {
    "XNNPACK": "cpu",
    "GPU": "gpu",
    "NNAPI": "nnapi",
    "Metal": "gpu",
    "Core": "coreml",
}
_DELEGATE = re.compile(
    r"(?:Created TensorFlow Lite (?:delegate for )?(\w+)|Explicitly applied (\w+) delegate|"
    r"^(GPU|NNAPI) delegate created)"
)
_US = 1e-3  # a microsecond in milliseconds


def is_benchmark_model(text: str) -> bool:
    """Whether a text is its output."""
    return bool(_ENDED.search(text)) or any(line.startswith("count=") for line in clean(text))


def read_benchmark_model(text: str, where: str) -> Recording:
    """Read the output.

    Args:
        text: What the tool printed, standard error included or not.
        where: Where it comes from, for messages.

    Raises:
        InputError: It has no time of a run.
    """
    lines = clean(text)
    counts = [dict(_PAIR.findall(line)) for line in lines if line.startswith("count=")]
    counts = [each for each in counts if {"avg", "curr"} & each.keys()]
    ended = _ended(lines)
    timed = _timed(counts, ended)
    mean_ms = _microseconds(timed, "avg", "curr") or 0.0
    if mean_ms <= 0 or _is_cut_off(lines, counts, ended):
        msg = (
            f"{where} has no time of a run; it is no whole output of {TOOL}.\n"
            f"Its last lines:{''.join(f'{chr(10)}  | {each}' for each in _last(lines))}"
        )
        raise InputError(msg)
    warm = counts[0] if len(counts) > 1 else {}
    init = _found(lines, rf"Initialized session in {_NUMBER}\s?ms")
    first = ended.get("First inference") or _microseconds(warm, "first", "curr")
    return Recording(
        tool=f"{TOOL} (LiteRT)" if "median" in timed else TOOL,
        model=_model(lines),
        bytes=round(1e6 * (_found(lines, rf"model file size \(MB\): {_NUMBER}") or 0)),
        runs=int(float(timed.get("count", 1))),
        warmup_runs=int(float(warm.get("count", 0))),
        min_ms=_microseconds(timed, "min"),
        max_ms=_microseconds(timed, "max"),
        mean_ms=mean_ms,
        std_ms=_microseconds(timed, "std"),
        p5_ms=_microseconds(timed, "p5"),
        median_ms=_microseconds(timed, "median"),
        p95_ms=_microseconds(timed, "p95"),
        init_ms=init if init is not None else ended.get("Init"),
        first_ms=first,
        threads=_threads(lines),
        delegate=_delegate(lines),
        memory_mb=_memory(lines),
        ops=read_operators(lines, mean_ms),
    )


def clean(text: str) -> list[str]:
    """Return the lines without escapes and without what loggers put before them."""
    found = []
    for line in text.splitlines():
        plain = _ESCAPE.sub("", line).rstrip()
        # A table's row may have such a word in it; prefixes stand at the beginning.
        plain = _SYSTEM.sub("", plain)
        plain = _PREFIX.sub("", plain, count=1) if "\t" not in plain else plain
        found.append(_PLACE.sub("", plain))
    return found


def _ended(lines: Sequence[str]) -> dict[str, float]:
    """The last line of the whole, by its items, in milliseconds."""
    for line in reversed(lines):
        if found := _ENDED.search(line):
            items = {name.strip(): float(us) * _US for name, us in _ITEM.findall(found[1])}
            return {name.removesuffix(" (avg)"): ms for name, ms in items.items()}
    return {}


def _is_cut_off(
    lines: Sequence[str], counts: Sequence[dict[str, str]], ended: dict[str, float]
) -> bool:
    """Whether there is nothing but the warm-up."""
    begun = any(line.startswith("Running benchmark for") for line in lines)
    return begun and not ended and len(counts) < 2


def _timed(counts: Sequence[dict[str, str]], ended: dict[str, float]) -> dict[str, str]:
    """The statistics of the timed runs."""
    return counts[-1] if counts else {"avg": str(ended.get("Inference", 0) / _US)}


def _microseconds(values: dict[str, str], *names: str) -> float | None:
    """The first of the values that is there, in milliseconds."""
    return next((float(values[name]) * _US for name in names if name in values), None)


def _found(lines: Sequence[str], pattern: str) -> float | None:
    for line in lines:
        if found := re.search(pattern, line):
            return float(found[1])
    return None


def _model(lines: Sequence[str]) -> str:
    for line in lines:
        if found := re.search(r"^Graph: \[(.+)\]$|^Loaded model (.+)$", line):
            return (found[1] or found[2]).strip()
    return "unknown"


def _threads(lines: Sequence[str]) -> int | None:
    said = _found(lines, r"^#threads used for CPU inference: \[(\d+)\]")
    said = said if said is not None else _found(lines, r"^Num threads: \[(\d+)\]")
    return int(said) if said is not None and said > 0 else None


def _delegate(lines: Sequence[str]) -> str | None:
    """The last delegate that was applied: the one of the CPU comes first, unasked."""
    names = [
        _DELEGATES.get(name, name.lower())
        for line in lines
        if (found := _DELEGATE.search(line))
        for name in found.groups()
        if name
    ]
    return next((name for name in names if name != "cpu"), names[0] if names else None)


def _memory(lines: Sequence[str]) -> float | None:
    pattern = rf"[Mm]emory footprint .*\(MB\): init=\S+ overall={_NUMBER}"
    found = _found(lines, pattern)
    return found if found is not None else _found(lines, rf"Overall footprint:\s+{_NUMBER} MB")


def _last(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip()][-3:]

"""Read what commands printed with `--json`, and know each kind by its keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import RecordError
from edgekit.records import read_json

Document = dict[str, Any]

_MOST = 1e15  # neither a size nor a time is beyond it


@dataclass(slots=True)
class Gathered:
    """All documents of one report, sorted by kind.

    Attributes:
        runs: What `convert` or `quantize` wrote, each with the name of its `file`.
        latencies: What `profile` or `estimate` printed, one model each; of a fleet each with
            the name of its `device`.
        evaluations: What `evaluate` printed.
        prunings: What `prune` printed.
        inspections: What `inspect` printed.
        differences: What `profile-diff` printed.
        calibrations: What `calibrate-device` printed.
        failures: Devices of a fleet that were not measured, and why.
    """

    runs: list[Document] = field(default_factory=list)
    latencies: list[Document] = field(default_factory=list)
    evaluations: list[Document] = field(default_factory=list)
    prunings: list[Document] = field(default_factory=list)
    inspections: list[Document] = field(default_factory=list)
    differences: list[Document] = field(default_factory=list)
    calibrations: list[Document] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def artifacts(self) -> list[Document]:
        """The artifacts of all runs."""
        return [each for run in self.runs for each in documents(run, "artifacts")]


def gather(paths: Sequence[Path]) -> Gathered:
    """Read all files.

    Raises:
        RecordError: A file is not JSON, or not what an edgekit command printed.
    """
    found = Gathered()
    for path in paths:
        _sort_in(read_json(path), path, found)
    return found


# Keys that only documents of one kind have, and the list of `Gathered` where they belong.
_KINDS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"kind", "latency_ms"}), "latencies"),
    (frozenset({"before", "after"}), "prunings"),
    (frozenset({"ops", "fully_integer"}), "inspections"),
    (frozenset({"change_pct", "verdict"}), "differences"),
    (frozenset({"ops_timed", "error_within_10pct"}), "calibrations"),
    (frozenset({"metric", "samples"}), "evaluations"),
)


def _sort_in(value: Any, path: Path, found: Gathered) -> None:
    """Put one document, or each of those it holds, where it belongs."""
    keys = value.keys() if isinstance(value, dict) else set()
    if "profiles" in keys:
        for each in documents(value, "profiles"):
            _sort_in(each, path, found)
    elif {"devices", "failed"} <= keys:
        for visit in documents(value, "devices"):
            _sort_in_visit(visit, path, found)
    elif "artifacts" in keys:
        found.runs.append({**value, "file": str(path)})
    elif kind := next((name for needed, name in _KINDS if needed <= keys), None):
        getattr(found, kind).append(value)
    elif {"path", "target", "scheme"} <= keys:  # `quantize` prints its one artifact
        found.runs.append({"artifacts": [value]})
    else:
        raise _unknown(path)


def _sort_in_visit(visit: Document, path: Path, found: Gathered) -> None:
    """Take in what a device of a fleet measured, or why it did not."""
    name = text(visit, "name")
    for profile in documents(visit, "profiles"):
        _sort_in({**profile, "device": name}, path, found)
    if error := text(visit, "error"):
        found.failures.append(f"{name} was not measured: {error}")


def _unknown(path: Path) -> RecordError:
    return RecordError(
        f"{path} is JSON, but not what an edgekit command writes.\n"
        "Give the run.json of `edgekit convert`, or what `quantize`, `prune`, `evaluate`, "
        "`inspect`, `profile`, `estimate`, `profile-diff` or `calibrate-device` print with "
        "--json."
    )


def documents(document: Document, key: str) -> list[Document]:
    """Return those entries of the list below a key that are documents."""
    value = document.get(key)
    entries = value if isinstance(value, list) else []
    return [each for each in entries if isinstance(each, dict)]


def part(document: Document, key: str) -> Document:
    """Return the document below a key; an empty one where there is none."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def number(document: Document, key: str) -> float | None:
    """Return the number below a key, or None where there is none that can be drawn."""
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _MOST else None


def positive(document: Document, key: str) -> float | None:
    """Return the number below a key, or None where there is none above 0."""
    value = number(document, key)
    return value if value is not None and value > 0 else None


def text(document: Document, key: str) -> str:
    """Return the text below a key; empty where there is none."""
    value = document.get(key)
    return "" if value is None else str(value)


def texts(document: Document, key: str) -> list[str]:
    """Return the texts below a key; a record with a text and a remedy becomes one text."""
    value = document.get(key)
    entries = value if isinstance(value, list) else []
    return [_said(each) if isinstance(each, dict) else str(each) for each in entries]


def _said(finding: Document) -> str:
    return " ".join(filter(None, [text(finding, "text"), text(finding, "remedy")]))


def basename(path: str) -> str:
    """Return the name of a file, whatever system its path was written on."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]

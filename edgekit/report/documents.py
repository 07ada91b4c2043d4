"""Read what commands printed with `--json`, and know each kind by its keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekit.errors import RecordError
from edgekit.records import read_json

Document = dict[str, Any]


@dataclass(slots=True)
class Gathered:
    """All documents of one report, sorted by kind.

    Attributes:
        runs: What `convert` or `quantize` wrote, each with the name of its `file`.
        latencies: What `profile` or `estimate` printed, one model each.
        evaluations: What `evaluate` printed.
        prunings: What `prune` printed.
    """

    runs: list[Document] = field(default_factory=list)
    latencies: list[Document] = field(default_factory=list)
    evaluations: list[Document] = field(default_factory=list)
    prunings: list[Document] = field(default_factory=list)

    @property
    def artifacts(self) -> list[Document]:
        """The artifacts of all runs."""
        return [each for run in self.runs for each in _documents(run.get("artifacts"))]


def gather(paths: Sequence[Path]) -> Gathered:
    """Read all files.

    Raises:
        RecordError: A file is not JSON, or not what an edgekit command printed.
    """
    found = Gathered()
    for path in paths:
        _sort_in(read_json(path), path, found)
    return found


def _sort_in(value: Any, path: Path, found: Gathered) -> None:
    """Put one document, or each of those it holds, where it belongs."""
    keys = value.keys() if isinstance(value, dict) else set()
    if "profiles" in keys:
        for each in _documents(value["profiles"]):
            _sort_in(each, path, found)
    elif "artifacts" in keys:
        found.runs.append({**value, "file": str(path)})
    elif {"kind", "latency_ms"} <= keys:
        found.latencies.append(value)
    elif {"before", "after"} <= keys:
        found.prunings.append(value)
    elif {"metric", "samples"} <= keys:
        found.evaluations.append(value)
    elif {"path", "target", "scheme"} <= keys:  # `quantize` prints its one artifact
        found.runs.append({"artifacts": [value]})
    else:
        msg = (
            f"{path} is JSON, but not what an edgekit command writes.\n"
            "Give the run.json of `edgekit convert`, or what `profile`, `evaluate`, "
            "`quantize` or `prune` print with --json."
        )
        raise RecordError(msg)


def _documents(value: Any) -> list[Document]:
    """Return those entries of a list that are documents."""
    entries = value if isinstance(value, list) else []
    return [each for each in entries if isinstance(each, dict)]


def part(document: Document, key: str) -> Document:
    """Return the document below a key; an empty one where there is none."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def number(document: Document, key: str) -> float | None:
    """Return the number below a key, or None."""
    value = document.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value is not None else None


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

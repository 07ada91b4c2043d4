"""The table of operators that benchmark_model prints or writes as CSV.

Four generations are known: with and without a column for the start, as text with tabs, or as
CSV whose first column is not quoted though it has commas of its own. One pattern fits all: the
name of the kernel, then only numbers, then the name of the node.
"""

import math
import re
from collections.abc import Iterable

from edgekit.profiling.perop.records import OpTime

_NUMBER = r"[-+]?(?:\d{1,15}(?:\.\d*)?(?:e[-+]?\d{1,2})?|nan|inf)"
_GAP = r"(?:,\s?|\s+)"
_ROW = re.compile(
    rf"\s*(?P<kind>\S.*?){_GAP}(?:{_NUMBER}{_GAP})?{_NUMBER}{_GAP}(?P<ms>{_NUMBER}){_GAP}"
    rf"{_NUMBER}%{_GAP}{_NUMBER}%{_GAP}{_NUMBER}{_GAP}\d+{_GAP}(?P<name>\S.*)",
    re.IGNORECASE,
)
_HEAD = re.compile(r"\s*\[?node type\]?[\s,].*\[?name\]?\s*$", re.IGNORECASE)
_INDEX = re.compile(r":(\d+)$")
_PREPARING = "Profiling Info for Benchmark Initialization"
_RUNNING = "Profiling Info for Regular Benchmark Runs"
_INSIDE = "Delegate internal"
_ORDER = "Run Order"


def read_operators(lines: Iterable[str], whole_ms: float | None) -> tuple[OpTime, ...]:
    """Read the operators of the timed runs, in the order in which they run.

    Args:
        lines: All lines of the output, without prefixes.
        whole_ms: The mean of a whole run; None takes the sum of the operators.

    Returns:
        One each; none if there is no table.
    """
    rows = _rows(lines)
    total = whole_ms or sum(ms for _, ms, _ in rows) or 1.0
    found = []
    for place, (kind, ms, name) in enumerate(rows):
        index = _INDEX.search(name)
        found.append(
            OpTime(
                index=int(index[1]) if index else place,
                op=kind,
                kernel=kind,
                ms=ms,
                share=ms / total,
                name=_INDEX.sub("", name).strip("[]"),
            )
        )
    return tuple(found)


def _rows(lines: Iterable[str]) -> list[tuple[str, float, str]]:
    """Rows of the first table in running order that is about the timed runs."""
    rows: list[tuple[str, float, str]] = []
    wanted, ordered, inside = True, True, False
    for line in lines:
        if _PREPARING in line or _INSIDE in line:
            wanted = False
        elif _RUNNING in line:
            wanted, rows, inside = True, [], False
        elif "=====" in line and not line.strip("= ").startswith("BENCHMARK"):
            ordered = _ORDER in line
        elif _HEAD.fullmatch(line):
            if rows:
                return rows
            inside = wanted and ordered
        elif inside and (row := _ROW.fullmatch(line)) and math.isfinite(float(row["ms"])):
            rows.append((row["kind"].strip(), float(row["ms"]), row["name"].strip()))
    return rows

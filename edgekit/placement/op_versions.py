"""Which version of each operator a runtime or compiler knows.

The converter gives every operator the lowest version that its options need; a runtime
refuses a file that asks for a version it does not know. The numbers stand in
`op_versions.toml`; `benchmarks/probe_op_versions.py` measures them.
"""

import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import UnknownName
from edgekit.flatbuffer import Graph
from edgekit.records import from_json, read_toml

_FILE = Path(__file__).with_name("op_versions.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionTable:
    """What one runtime or compiler knows.

    Attributes:
        name: Name of the table, e.g. `litert-2.3`.
        title: Name for people, e.g. `ai-edge-litert 2.3.0`.
        complete: Whether operators that are not listed are unknown to it; else nothing is
            known of them here.
        evidence: Where the numbers come from.
        ops: Highest version by builtin operator.
        custom: Custom operators that it carries.
    """

    name: str
    title: str
    complete: bool
    evidence: str
    ops: dict[str, int]
    custom: tuple[str, ...] = ()

    def knows(self, op: str, version: int) -> bool:
        """Whether it takes a builtin operator in a version, as far as is known."""
        return version <= self.ops.get(op, 0 if self.complete else version)


@functools.cache
def version_tables() -> dict[str, VersionTable]:
    """All tables, by name."""
    found: dict[str, dict[str, Any]] = read_toml(_FILE)
    return {
        name: from_json(VersionTable, values | {"name": name}, f"{_FILE.name}: {name}")
        for name, values in found.items()
    }


def version_table(name: str) -> VersionTable:
    """One table by its name.

    Raises:
        UnknownName: There is no such table.
    """
    tables = version_tables()
    if name not in tables:
        raise UnknownName(kind="table of operator versions", name=name, known=list(tables))
    return tables[name]


def op_version_problems(graph: Graph, table: str) -> list[str]:
    """Say which operators of a model a runtime or compiler will refuse.

    Args:
        graph: The model.
        table: Name of a table, as in the field `op_versions` of a target.

    Returns:
        One sentence or two for each operator and version: what it is, how far the runtime
        goes, what helps. Empty if all are known.

    Raises:
        UnknownName: There is no such table.
    """
    runtime = version_table(table)
    uses = Counter(
        (op.custom_code or op.op, op.version, op.op == "CUSTOM")
        for subgraph in graph.subgraphs
        for op in subgraph.ops
    )
    return [
        _custom_words(runtime, name) if custom else _words(runtime, name, version, count)
        for (name, version, custom), count in uses.items()
        if _refused(runtime, name, version, custom=custom)
    ]


def who_knows(op: str, version: int) -> str:
    """Say which measured runtimes know a version of an operator, and how far the others go.

    >>> who_knows("RELU", 1).partition(",")[0]
    'ai-edge-litert 2.3.0 knows RELU up to version 3'
    """
    measured = [table for table in version_tables().values() if table.complete]
    phrases = [
        f"{table.title} knows {op} up to version {table.ops[op]}"
        if op in table.ops
        else f"{table.title} does not know {op}"
        for table in sorted(measured, key=lambda t: not t.knows(op, version))
    ]
    return ", ".join(phrases)


def _refused(runtime: VersionTable, name: str, version: int, *, custom: bool) -> bool:
    if custom:
        return runtime.complete and name not in runtime.custom
    return not runtime.knows(name, version)


def _words(runtime: VersionTable, op: str, version: int, count: int) -> str:
    times = "once" if count == 1 else f"{count} times"
    highest = runtime.ops.get(op)
    goes = f"knows it up to version {highest}" if highest else "does not know it"
    return (
        f"{op} version {version} is used {times}; {runtime.title} {goes}. "
        f"{_remedy(op, version)}"
    )


def _custom_words(runtime: VersionTable, name: str) -> str:
    return (
        f"The custom operator {name} is used; {runtime.title} does not carry it. "
        "Replace the layer it comes from, or cut the model before it."
    )


# What asks for a later version, and how to do without: operator, from which version.
_REMEDIES = (
    ("CONV_2D", 6, "It is a grouped convolution: split it into ordinary ones."),
    (
        "FULLY_CONNECTED",
        12,
        "It has a scale for each channel and float inputs: use --scheme int8, or --per-tensor.",
    ),
)


def _remedy(op: str, version: int) -> str:
    for name, first, words in _REMEDIES:
        if op == name and version >= first:
            return words
    others = [t.title for t in version_tables().values() if t.complete and t.knows(op, version)]
    if others:
        return f"{' and '.join(others)} would run it: choose a target that has it."
    return "Convert the model again with a TensorFlow of that time, or replace the layer."

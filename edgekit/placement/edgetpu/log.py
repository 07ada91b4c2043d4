"""What the Edge TPU compiler writes, read: its operation log and its summary.

A log has a table with the operators by kind and status. What the compiler prints has, with
its option -s, the same table, and before it sizes, counts, and why it failed if it did.
Compilers from 1.0 (2019) to 16.0 (2021) differ in the order and in a few words only.
"""

import re
from dataclasses import dataclass

from edgekit.errors import InputError
from edgekit.placement.edgetpu.statuses import MAPPED

_ROW = re.compile(r"^(?P<op>[A-Za-z]\w*)\s+(?P<count>\d+)\s{2,}(?P<status>\S.*?)\s*$")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>B|KiB|MiB|GiB)")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_VERSION = re.compile(r"Edge TPU Compiler version (\S+)")
_ASIDE = re.compile(r"Restored original execution plan|Compilation failed!")
# Words with which the compiler says that it made nothing, the telling ones first.
_FAILURES = (
    re.compile(r"^ERROR:\s*(?P<words>.+)$"),
    re.compile(r"^(?P<words>Model not quantized.*)$"),
    re.compile(r"^Compilation failed:\s*(?P<words>.+)$"),
    re.compile(r"^(?P<words>Internal compiler error.*)$"),
    re.compile(r"^(?P<words>Invalid model:.*)$"),
    re.compile(r"^(?P<words>Compilation failed!?.*)$"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """Operators of one kind that met the same fate.

    Attributes:
        op: Kind, e.g. `CONV_2D`; `CUSTOM` for all custom ones.
        count: How many.
        status: The compiler's words, e.g. `Mapped to Edge TPU`.
    """

    op: str
    count: int
    status: str

    @property
    def mapped(self) -> bool:
        """Whether they went to the Edge TPU."""
        return self.status.startswith(MAPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerLog:
    """What one compilation said.

    Attributes:
        version: Version of the compiler, e.g. `16.0.384591198`; '' if it is not named.
        rows: The operators by kind and status, in the order of the log.
        failure: Why nothing was made, in the compiler's words; '' if it was.
        cached_bytes: Parameters that stay on the chip; None if the log does not say.
        remaining_bytes: Memory left for more of them; None if the log does not say.
        streamed_bytes: Parameters that are sent anew for each run; None likewise.
        subgraphs: Parts on the Edge TPU; None likewise.
    """

    version: str
    rows: tuple[LogRow, ...]
    failure: str
    cached_bytes: int | None
    remaining_bytes: int | None
    streamed_bytes: int | None
    subgraphs: int | None

    @property
    def mapped(self) -> int:
        """Operators on the Edge TPU."""
        return sum(row.count for row in self.rows if row.mapped)

    @property
    def left(self) -> int:
        """Operators on the CPU."""
        return sum(row.count for row in self.rows if not row.mapped)

    def statuses(self, op: str) -> tuple[str, ...]:
        """Why operators of a kind were left on the CPU, in the compiler's words."""
        return tuple(row.status for row in self.rows if row.op == op and not row.mapped)


def read_log(text: str, name: str = "The compiler's log") -> CompilerLog:
    """Read what the compiler wrote into its .log file or printed.

    Args:
        text: All of it.
        name: What it is called in messages.

    Raises:
        InputError: It is nothing that the compiler writes.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    version = next((m[1] for line in lines if (m := _VERSION.search(line))), "")
    rows = tuple(_rows(lines))
    failure = _failure(lines)
    if not (version or rows or failure):
        msg = (
            f"{name} is no log of edgetpu_compiler: it names no version and no operators.\n"
            "Give the file that the compiler writes beside its output, with the ending .log."
        )
        raise InputError(msg)
    return CompilerLog(
        version=version,
        rows=rows,
        failure=failure,
        cached_bytes=_size(lines, r"^On-chip memory used for caching"),
        remaining_bytes=_size(lines, r"^On-chip memory remaining for caching"),
        streamed_bytes=_size(lines, r"^Off-chip memory used for streaming"),
        subgraphs=_number(lines, r"^Number of Edge TPU subgraphs:"),
    )


def _rows(lines: list[str]) -> list[LogRow]:
    """Rows of the last table; -d and -a print one for each attempt."""
    found: list[LogRow] = []
    for line in lines:
        if re.match(r"^Operator\s+Count\s+Status", line):
            found = []
        elif match := _ROW.match(line):
            row = LogRow(op=match["op"], count=int(match["count"]), status=match["status"])
            found.append(row)
    return found


def _failure(lines: list[str]) -> str:
    """The most telling of the words with which it fails; none after a success."""
    if any(
        re.match(r"^(Compilation succeeded|Model (successfully compiled|compiled succ))", x)
        for x in lines
    ):
        return ""
    for pattern in _FAILURES:
        for line in lines:
            match = pattern.match(line)
            if match and not _ASIDE.search(match["words"]):
                return match["words"]
    return next((line for line in lines if line.startswith("Compilation failed")), "")


def _size(lines: list[str], label: str) -> int | None:
    line = next((line for line in lines if re.match(label, line)), "")
    match = _SIZE.search(line.partition(":")[2])
    return round(float(match["number"]) * _UNITS[match["unit"]]) if match else None


def _number(lines: list[str], label: str) -> int | None:
    line = next((line for line in lines if re.match(label, line)), "")
    digits = line.partition(":")[2].strip()
    return int(digits) if digits.isdigit() else None

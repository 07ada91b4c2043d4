"""Tables and words on standard output: the same in a terminal, a pipe and a file."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

NONE = "-"
_NARROWEST = 60
_PIPED = 80


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Sequence[str] = (),
    title: str | None = None,
) -> None:
    """Print a table; long cells are wrapped, never cut.

    Args:
        heads: Column titles.
        rows: Cells; None is shown as a dash.
        numbers: Titles of the columns that are aligned to the right.
        title: A line above it.
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for head in heads:
        right = head in numbers
        made.add_column(
            head, justify="right" if right else "left", no_wrap=right, overflow="fold"
        )
    for row in rows:
        made.add_row(*(Text(NONE if cell is None else str(cell)) for cell in row))
    if title:
        line(title)
    _print(made)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print `name   value` lines; those without a value are left out."""
    known = [(name, str(value)) for name, value in pairs if value not in {None, ""}]
    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in known:
        made.add_row(Text(name), Text(value))
    _print(made)


def line(text: str = "") -> None:
    """Print one line of words."""
    _print(Text(text))


def warned(texts: Iterable[str]) -> None:
    """Print warnings that are part of a result."""
    for text in texts:
        line(f"! {text}")


def percent(value: float | None) -> str:
    """Return a share as a percentage.

    >>> percent(0.8125)
    '81.2 %'
    """
    return NONE if value is None else f"{100 * value:.1f} %"


def metric(name: str | None, value: float | None) -> str:
    """Return a metric's value with its unit."""
    if value is not None and name is not None and name.endswith("_db"):
        return f"{value:.1f} dB"
    return percent(value)


def size(count: float | None) -> str:
    """Return a number of bytes.

    >>> size(12), size(98496), size(4_200_000)
    ('12 B', '98.5 kB', '4.20 MB')
    """
    if not count:
        return NONE
    if count < 1e3:
        return f"{count:.0f} B"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.2f} MB"


def milliseconds(value: float | None) -> str:
    """Return a duration with three digits that mean something.

    >>> milliseconds(0.07881), milliseconds(12.345), milliseconds(1234.5)
    ('0.0788 ms', '12.3 ms', '1234 ms')
    """
    if value is None:
        return NONE
    if value >= 100:
        return f"{value:.0f} ms"
    digits = 4 if value < 0.1 else 3 if value < 1 else 2 if value < 10 else 1
    return f"{value:.{digits}f} ms"


def count(value: float | None) -> str:
    """Return a large number in thousands or millions.

    >>> count(12_501_632)
    '12.5 M'
    """
    if value is None:
        return NONE
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return f"{value:g}"


def shape(sizes: Sequence[Any]) -> str:
    """Return a tensor's shape.

    >>> shape([1, 96, 96, 3])
    '1x96x96x3'
    """
    return "x".join("?" if each == -1 else str(each) for each in sizes) or "scalar"


def _print(made: Table | Text) -> None:
    """Print as wide as the terminal, 80 columns where there is none; no blanks at the end."""
    is_terminal = sys.stdout.isatty()
    width = max(shutil.get_terminal_size().columns, _NARROWEST) if is_terminal else _PIPED
    console = Console(width=width, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(made)
    for each in captured.get().splitlines():
        sys.stdout.write(f"{each.rstrip()}\n")

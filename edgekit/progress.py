"""One progress display for all long work: rate, time left, quiet in pipes.

On a terminal a bar on standard error; in a pipe one line when a task begins. Inside a
guarded child process the tasks travel to the parent, which shows them (see `guard`).
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")


class Display(Protocol):
    """Where progress is shown."""

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Begin the one task that is shown; `total` None means that nobody knows."""

    def advance(self, steps: int) -> None:
        """Count steps of the task."""

    def end(self) -> None:
        """End the task."""


class Bar:
    """A rich bar on standard error."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Show a bar with count, rate and time left."""
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        counted = [BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn()]
        columns = counted if total else [TimeElapsedColumn()]
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *columns,
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(label, total=total)

    def advance(self, steps: int) -> None:
        """Move the bar."""
        self._bar.advance(self._task, steps)

    def end(self) -> None:
        """Remove the bar."""
        self._bar.stop()


class Lines:
    """One line a task, for pipes and logs."""

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Write what begins."""
        count = f" ({total} {unit}s)" if total else ""
        sys.stderr.write(f"{label}{count}\n")
        sys.stderr.flush()

    def advance(self, steps: int) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


class Silent:
    """Nothing at all, for `--quiet` and for use as a library."""

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Say nothing."""

    def advance(self, steps: int) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


_display: Display = Silent()


def show_on(display: Display) -> None:
    """Choose where progress is shown from here on."""
    global _display  # noqa: PLW0603 (one process has one standard error)
    _display = display


def terminal() -> Display:
    """Return the display that fits standard error."""
    return Bar() if sys.stderr.isatty() else Lines()


@contextmanager
def task(
    label: str, total: int | None = None, unit: str = "step"
) -> Iterator[Callable[[int], None]]:
    """Show one piece of long work.

    Args:
        label: Verb phrase, e.g. `Loading the model`.
        total: Number of steps, or None where nobody knows.
        unit: What one step is, e.g. `image`.

    Yields:
        A function that counts steps.
    """
    display = _display
    display.begin(label, total, unit)
    try:
        yield display.advance
    finally:
        display.end()


def track(items: Iterable[Item], label: str, total: int, unit: str = "item") -> Iterator[Item]:
    """Loop over items and show how far it is.

    Args:
        items: What to loop over.
        label: Verb phrase, e.g. `Calibrating`.
        total: How many items there are.
        unit: What one item is, e.g. `image`.
    """
    with task(label, total, unit) as advance:
        for item in items:
            yield item
            advance(1)

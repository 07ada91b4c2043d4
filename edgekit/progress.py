"""One progress display for all long work: rate, time left, quiet in pipes.

On a terminal a bar on standard error; in a pipe one line when a task begins. Inside a
guarded child process the tasks travel to the parent, which shows them (see `guard`).
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")


class Display(Protocol):
    """Where progress is shown. Tasks may begin within a task; `advance` is the innermost's."""

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Begin a task; `total` None means that nobody knows."""

    def advance(self, steps: int) -> None:
        """Count steps of the innermost task."""

    def level(self, share: float, text: str) -> None:
        """Show how high something stands, 0 to 1, instead of how far the innermost task is."""

    def end(self) -> None:
        """End the innermost task."""


class Bar:
    """Rich bars on standard error, one a task; they go when the outermost task ends."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: list[Any] = []
        self._meter = False

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Show a bar with count, rate and time left."""
        if not self._tasks:
            self._bars, self._meter = _rich_bars(), False
            self._bars.start()
        self._tasks.append(self._bars.add_task(label, total=total, unit=unit if total else ""))

    def advance(self, steps: int) -> None:
        """Move the innermost bar."""
        self._bars.advance(self._tasks[-1], steps)

    def level(self, share: float, text: str) -> None:
        """Let the innermost bar be a meter."""
        if not self._meter:
            self._bars.columns = _meter_columns()
            self._meter = True
        self._bars.update(self._tasks[-1], total=1.0, completed=share, text=text)

    def end(self) -> None:
        """Remove the innermost bar."""
        self._bars.remove_task(self._tasks.pop())
        if not self._tasks:
            self._bars.stop()


def _rich_bars() -> Any:
    """Make the columns; here, because pipes need not pay for importing rich."""
    from rich import progress as columns
    from rich.console import Console

    return columns.Progress(
        columns.SpinnerColumn(),
        columns.TextColumn("{task.description}"),
        columns.BarColumn(bar_width=30),
        columns.TaskProgressColumn(show_speed=True),
        columns.TextColumn("{task.fields[unit]}"),
        columns.TimeElapsedColumn(),
        columns.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # What goes to a file or a pipe must not be drawn above the bar instead.
        redirect_stdout=sys.stdout.isatty(),
    )


def _meter_columns() -> tuple[Any, ...]:
    """Make the columns of a task that shows a level."""
    from rich import progress as columns

    return (
        columns.TextColumn("{task.description}"),
        columns.BarColumn(bar_width=30),
        columns.TextColumn("{task.fields[text]}"),
    )


class Lines:
    """One line a task, for pipes and logs."""

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Write what begins."""
        count = f" ({total} {unit}{'s' * (total > 1)})" if total else ""
        sys.stderr.write(f"{label}{count}\n")
        sys.stderr.flush()

    def advance(self, steps: int) -> None:
        """Say nothing."""

    def level(self, share: float, text: str) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


class Silent:
    """Nothing at all, for `--quiet` and for use as a library."""

    def begin(self, label: str, total: int | None, unit: str) -> None:
        """Say nothing."""

    def advance(self, steps: int) -> None:
        """Say nothing."""

    def level(self, share: float, text: str) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


_display: Display = Silent()
_muted: ContextVar[bool] = ContextVar("muted", default=False)


def show_on(display: Display) -> None:
    """Choose where progress is shown from here on."""
    global _display  # noqa: PLW0603 (one process has one standard error)
    _display = display


def display() -> Display:
    """Return where progress is shown."""
    return Silent() if _muted.get() else _display


@contextmanager
def muted() -> Iterator[None]:
    """Show no progress of what this thread does meanwhile: others work beside it."""
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


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
    shown = display()
    shown.begin(label, total, unit)
    try:
        yield shown.advance
    finally:
        shown.end()


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


@contextmanager
def meter(label: str) -> Iterator[Callable[[float, str], None]]:
    """Show how high something stands for as long as some work takes.

    Args:
        label: Verb phrase, e.g. `Listening`.

    Yields:
        A function that takes a level, 0 to 1, and a short text beside it.
    """
    shown = display()
    shown.begin(label, None, "")
    try:
        yield shown.level
    finally:
        shown.end()

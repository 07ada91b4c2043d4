"""One thing that was looked at."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        code: Name for scripts, e.g. `interpreter` or `edgetpu-library`.
        level: `problem` for what does not work, `note` for what could be there or be
            better, `ok` for the rest.
        text: What was found.
        remedy: The command or the deed that mends it; None where nothing needs mending.
    """

    code: str
    level: Level
    text: str
    remedy: str | None = None


def ok(code: str, text: str) -> Finding:
    """All is well."""
    return Finding(code=code, level="ok", text=text)


def note(code: str, text: str, remedy: str | None = None) -> Finding:
    """Something could be there, or be better."""
    return Finding(code=code, level="note", text=text, remedy=remedy)


def problem(code: str, text: str, remedy: str) -> Finding:
    """Something does not work."""
    return Finding(code=code, level="problem", text=text, remedy=remedy)


def of_error(code: str, error: Exception) -> Finding:
    """A problem that a deliberate error describes: its first line, then what to do."""
    text, _, remedy = str(error).partition("\n")
    return problem(code, text, remedy or "See the message.")

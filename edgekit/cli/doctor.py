"""`edgekit doctor`: what is wrong with this machine, and what mends it."""

from edgekit.cli import tables
from edgekit.cli.common import Document, command

_MARKS = {"ok": "ok", "note": "-", "problem": "!"}


def show(found: Document) -> None:
    """Show problems first, then the rest."""
    order = list(_MARKS)[::-1]
    findings = sorted(found["findings"], key=lambda each: order.index(each["level"]))
    for each in findings:
        tables.line(f"{_MARKS[each['level']]:>2}  {each['text']}")
        if each["remedy"]:
            tables.line(f"      {each['remedy']}")
    count = sum(each["level"] == "problem" for each in findings)
    told = {0: "Nothing is wrong.", 1: "1 problem."}.get(count, f"{count} problems.")
    tables.line(f"\n{told}")


@command(show)
def doctor() -> object:
    """Say what is installed and attached here, what is wrong with it, and what mends it.

    \b
    Examples:
      edgekit doctor
      edgekit doctor --json | jq '.findings[] | select(.level == "problem")'
    """
    from edgekit.doctor import diagnose

    return diagnose()
